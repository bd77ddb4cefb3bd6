/**
 * Words of a POSIX shell, with the quotes `'…'`, `"…"` and `$'…'` (bash, for bytes). Nothing is ever run or expanded: what
 * would make a shell do more than pass words on is refused.
 */

import { findText, hexText, textBytes } from '../format/bytes-text.ts'

/** A command of a text, or why it is none. */
export type ShellCommand = { readonly line: number } & (
  | { readonly kind: 'words'; readonly words: readonly Uint8Array[] }
  | {
      readonly kind: 'fault'
      readonly reason: 'openQuote' | 'shellSyntax'
      readonly detail: string
    }
)

const plainWord = /^[\w@%+=:,./-]+$/u
const needsEscape = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

/** One word for bash. @returns undefined when it holds a zero byte, which no argument can */
export function shellWord(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined
  const text = findText(bytes)
  if (text === undefined || needsEscape.test(text.replaceAll('\n', ''))) return ansiWord(bytes)
  return plainWord.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** The commands of a text, one a line unless a quote or a backslash goes over its end. Comments are left out. */
export function shellCommands(text: string): readonly ShellCommand[] {
  return new ShellReader(text).read()
}

function ansiWord(bytes: Uint8Array): string {
  let out = "$'"
  for (const byte of bytes) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x27 && byte !== 0x5c
    out += isPlain ? String.fromCharCode(byte) : `\\x${hexText(Uint8Array.of(byte))}`
  }
  return `${out}'`
}

const simpleEscapes: Readonly<Record<string, number>> = {
  ...{ a: 7, b: 8, e: 27, E: 27, f: 12, n: 10, r: 13, t: 9, v: 11 },
  ...{ '\\': 92, "'": 39, '"': 34, '?': 63 },
}

class ShellReader {
  private readonly text: string
  private at = 0
  private line = 1
  private readonly commands: ShellCommand[] = []
  private words: Uint8Array[] = []
  private word: number[] | undefined
  private firstLine = 1

  constructor(text: string) {
    this.text = text.replaceAll('\r\n', '\n')
  }

  read(): readonly ShellCommand[] {
    while (this.at < this.text.length) {
      const fault = this.step()
      if (fault !== undefined) this.fail(fault)
    }
    this.endCommand()
    return this.commands
  }

  /** Takes what stands here; the answer is what makes the command unreadable. */
  private step(): 'openQuote' | 'shellSyntax' | undefined {
    const character = this.take()
    switch (character) {
      case '\n':
        this.endCommand()
        this.line++
        this.firstLine = this.line
        return undefined
      case ' ':
      case '\t':
        this.endWord()
        return undefined
      case "'":
        return this.single()
      case '"':
        return this.double()
      case '\\':
        this.escaped()
        return undefined
      case '#':
        if (this.word !== undefined) this.add(character)
        else this.skipLine()
        return undefined
      case '$':
        return this.text[this.at] === "'" ? this.ansi() : 'shellSyntax'
      case '|':
        // Our own lines for pairs with zero bytes print into etcdctl; nothing else may.
        this.endWord()
        return findText(this.words[0] ?? new Uint8Array(0)) === 'printf' ? undefined : 'shellSyntax'
      default:
        if ('`&;<>()'.includes(character)) return 'shellSyntax'
        this.add(character)
        return undefined
    }
  }

  private single(): 'openQuote' | undefined {
    const end = this.text.indexOf("'", this.at)
    if (end < 0) return 'openQuote'
    this.add(this.text.slice(this.at, end))
    this.jump(end + 1)
    return undefined
  }

  private double(): 'openQuote' | 'shellSyntax' | undefined {
    this.word ??= []
    for (;;) {
      if (this.at >= this.text.length) return 'openQuote'
      const character = this.take()
      if (character === '"') return undefined
      if (character === '`' || character === '$') return 'shellSyntax'
      if (character === '\n') this.line++
      const next = this.text[this.at] ?? ''
      if (character !== '\\' || !'"\\$`\n'.includes(next) || next === '') this.add(character)
      else if (next === '\n') this.jump(this.at + 1)
      else this.add(this.take())
    }
  }

  private ansi(): 'openQuote' | 'shellSyntax' | undefined {
    this.word ??= []
    this.at++
    for (;;) {
      if (this.at >= this.text.length) return 'openQuote'
      const character = this.take()
      if (character === "'") return undefined
      if (character === '\n') this.line++
      if (character === '\\') this.ansiEscape()
      else this.add(character)
    }
  }

  private ansiEscape(): void {
    const rest = this.text.slice(this.at, this.at + 10)
    const hex = /^x([0-9a-fA-F]{1,2})/u.exec(rest)
    const octal = /^([0-7]{1,3})/u.exec(rest)
    const code = /^u([0-9a-fA-F]{1,4})|^U([0-9a-fA-F]{1,8})/u.exec(rest)
    const simple = simpleEscapes[rest[0] ?? '']
    if (hex !== null) this.addByte(Number.parseInt(hex[1] ?? '', 16), hex[0].length)
    else if (octal !== null) this.addByte(Number.parseInt(octal[0], 8) & 0xff, octal[0].length)
    else if (code !== null) {
      this.add(
        String.fromCodePoint(Math.min(0x10ffff, Number.parseInt(code[1] ?? code[2] ?? '', 16))),
      )
      this.at += code[0].length
    } else if (simple !== undefined) this.addByte(simple, 1)
    else this.add('\\')
  }

  private escaped(): void {
    const next = this.text[this.at]
    if (next === undefined) this.add('\\')
    else if (next === '\n') this.jump(this.at + 1)
    else this.add(this.take())
  }

  private take(): string {
    const character = String.fromCodePoint(this.text.codePointAt(this.at) ?? 0)
    this.at += character.length
    return character
  }

  /** Goes on further behind, counting the lines that are passed. */
  private jump(to: number): void {
    this.line += this.text.slice(this.at, to).split('\n').length - 1
    this.at = to
  }

  private add(text: string): void {
    this.word ??= []
    for (const byte of textBytes(text)) this.word.push(byte)
  }

  private addByte(byte: number, length: number): void {
    this.word ??= []
    this.word.push(byte)
    this.at += length
  }

  private endWord(): void {
    if (this.word !== undefined) this.words.push(Uint8Array.from(this.word))
    this.word = undefined
  }

  private endCommand(): void {
    this.endWord()
    if (this.words.length > 0)
      this.commands.push({ kind: 'words', line: this.firstLine, words: this.words })
    this.words = []
  }

  private fail(reason: 'openQuote' | 'shellSyntax'): void {
    const detail = this.text.split('\n')[this.firstLine - 1]?.slice(0, 80) ?? ''
    this.commands.push({ kind: 'fault', line: this.firstLine, reason, detail })
    this.word = undefined
    this.words = []
    // The quote that never ends would take everything behind it along: the next line is read as one of its own.
    if (reason === 'openQuote') {
      this.line = this.firstLine
      this.at = this.text.split('\n').slice(0, this.firstLine).join('\n').length
    } else this.skipLine()
  }

  private skipLine(): void {
    const end = this.text.indexOf('\n', this.at)
    this.at = end < 0 ? this.text.length : end
  }
}
