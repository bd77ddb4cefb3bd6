/**
 * Keys and values are bytes; text is only a view of them. This file holds every way to show bytes as text.
 *
 * A byte string that is valid UTF-8 is shown as that text, with control and bidirectional characters made visible so
 * that a name cannot pass for another. Anything else is shown escaped (`\xNN`), and always sent back as the bytes it was.
 */

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/**
 * What must not hide: C0 and C1 controls, bidirectional controls, soft hyphens, zero-width characters, the byte order mark,
 * annotation marks and tags.
 */
const invisibleClass = String.raw`\p{Cc}\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}`
const invisible = new RegExp(`[${invisibleClass}]`, 'gu')

/** What stands for itself in the text of a key, and in one line of a value: nearly every character of nearly every text. */
const plainKey = /^[ -[\]-~]*$/u
const notPlainLine = /[^ -~]| {2}/u

/** A backslash in front of what would make it an escape, or of what becomes one. */
const misleadingBackslash = new RegExp(String.raw`\\(?=[xu\\${invisibleClass}])`, 'gu')

/** Text of the bytes, or undefined when they are not valid UTF-8. */
export function findText(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

/** UTF-8 bytes of a text that the user typed. */
export function textBytes(text: string): Uint8Array {
  return encoder.encode(text)
}

/** True when the bytes are valid UTF-8 without NUL, so that an editor may show and write them as text. */
export function isText(bytes: Uint8Array): boolean {
  return !bytes.includes(0) && findText(bytes) !== undefined
}

/** Whether two byte strings are the same. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left === right) return true
  return left.length === right.length && left.every((byte, index) => byte === right[index])
}

/**
 * One line of text for a key: UTF-8 with invisible characters escaped, or `\xNN` for every byte outside ASCII.
 *
 * Different keys have different texts, and `parseKeyText` gives back the very bytes: a backslash that could be taken
 * for the start of an escape is doubled.
 */
export function keyText(key: Uint8Array): string {
  const text = findText(key)
  if (text !== undefined) {
    if (plainKey.test(text)) return text
    return text.replaceAll(misleadingBackslash, '\\\\').replace(invisible, escapeCharacter)
  }
  let out = ''
  for (const byte of key) out += byte < 0x80 ? String.fromCharCode(byte) : '\u0000'
  const ascii = out.replaceAll(misleadingBackslash, '\\\\')
  // Doubled backslashes shift the positions, so that the bytes outside of ASCII are put in by their order.
  const others = [...key].filter((byte) => byte >= 0x80 || byte === 0)
  let next = 0
  return ascii
    .replaceAll('\u0000', () => hexEscape(others[next++] ?? 0))
    .replace(invisible, escapeCharacter)
}

/**
 * The bytes that a typed key stands for: the inverse of `keyText`. `\xNN` is one byte, `\uNNNN` one character, `\\` one
 * backslash; anything else is its UTF-8 encoding.
 */
export function parseKeyText(text: string): Uint8Array {
  if (!text.includes('\\')) return encoder.encode(text)
  const bytes: number[] = []
  const pattern = /\\x([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\\\|[\s\S]/gu
  for (const match of text.matchAll(pattern)) {
    const [whole, byte, code] = match
    if (byte !== undefined) bytes.push(Number.parseInt(byte, 16))
    else if (code !== undefined)
      bytes.push(...encoder.encode(String.fromCharCode(Number.parseInt(code, 16))))
    else bytes.push(...encoder.encode(whole === '\\\\' ? '\\' : whole))
  }
  return Uint8Array.from(bytes)
}

/**
 * One line for a table cell. A value that is not text starts with its first bytes in hexadecimal.
 *
 * @param value         the bytes, or their beginning
 * @param charsMax      characters shown before the cut
 */
export function previewText(value: Uint8Array, charsMax = 256): string {
  const head = value.length > charsMax * 2 ? value.subarray(0, charsMax * 2) : value
  const text = findLeadingText(head, head.length < value.length)
  if (text === undefined) return hexText(value.subarray(0, Math.min(value.length, 48)), ' ')
  const line = notPlainLine.test(text)
    ? text.replace(/\s+/gu, ' ').replace(invisible, escapeCharacter)
    : text
  return line.length > charsMax ? line.slice(0, charsMax) : line
}

/** Text of any bytes over lines: what is no printable character of ASCII, line end or tab stands as `\xNN`. */
export function escapedText(bytes: Uint8Array): string {
  const out: string[] = []
  for (const byte of bytes) {
    const isPlain = (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x09
    out.push(isPlain ? String.fromCharCode(byte) : hexEscape(byte))
  }
  return out.join('')
}

/** Lower-case hexadecimal digits of the bytes, two a byte, joined by `separator`. */
export function hexText(bytes: Uint8Array, separator = ''): string {
  const out: string[] = []
  for (const byte of bytes) out.push(byte.toString(16).padStart(2, '0'))
  return out.join(separator)
}

/** Standard base64 of the bytes. */
export function base64Text(bytes: Uint8Array): string {
  const chunks: string[] = []
  // A spread call takes its arguments on the stack; 32 KiB stays far below every engine's limit.
  for (let start = 0; start < bytes.length; start += 0x8000) {
    chunks.push(String.fromCharCode(...bytes.subarray(start, start + 0x8000)))
  }
  return btoa(chunks.join(''))
}

/** One row of a hex dump: offset, hexadecimal bytes, printable characters. */
export interface HexRow {
  readonly offset: string
  readonly hex: string
  readonly text: string
}

/** The 16-byte row of a hex dump that starts at `row * 16`. */
export function hexDumpRow(bytes: Uint8Array, row: number): HexRow {
  const part = bytes.subarray(row * 16, row * 16 + 16)
  let text = ''
  for (const byte of part) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·'
  return {
    offset: (row * 16).toString(16).padStart(8, '0'),
    hex: `${hexText(part.subarray(0, 8), ' ')}  ${hexText(part.subarray(8), ' ')}`,
    text,
  }
}

/** Escapes a key for a POSIX shell, for the command line shown beside it. */
export function shellText(key: Uint8Array): string {
  const text = findText(key)
  if (text === undefined) return ansiQuoted(key)
  if (text.search(invisible) !== -1) return ansiQuoted(key)
  return /^[\w@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

function ansiQuoted(key: Uint8Array): string {
  let out = "$'"
  for (const byte of key) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x27 && byte !== 0x5c
    out += isPlain ? String.fromCharCode(byte) : hexEscape(byte)
  }
  return `${out}'`
}

function findLeadingText(head: Uint8Array, isCut: boolean): string | undefined {
  if (head.includes(0)) return undefined
  const text = findText(head)
  if (text !== undefined || !isCut) return text
  // The cut may stand inside a character of up to four bytes.
  for (let drop = 1; drop <= 3; drop++) {
    const shorter = findText(head.subarray(0, head.length - drop))
    if (shorter !== undefined) return shorter
  }
  return undefined
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (code < 0x80) return hexEscape(code)
  // An escape has four digits; what has more stands as its bytes.
  if (code > 0xffff) return [...encoder.encode(character)].map((byte) => hexEscape(byte)).join('')
  return `\\u${code.toString(16).padStart(4, '0')}`
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}
