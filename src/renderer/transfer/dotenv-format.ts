/**
 * Environment files. Names are what a shell allows, so the whole key stands in a comment before each line; a value that no
 * quotes of this format can hold stands as base64, and the comment says so.
 *
 * Example: `# key /app/flags` over `app_flags='on'`.
 */

import { base64Text, findText, keyText, parseKeyText, textBytes } from '../format/bytes-text.ts'
import { problemOf } from './json-format.ts'
import { bytesOfBase64 } from './row-record.ts'
import type {
  ParsedTransfer,
  TransferProblem,
  TransferRow,
  TransferWriter,
} from './transfer-row.ts'

const keyComment = /^# key (.*?)( \(base64\))?$/u
/** A key that itself ends like the mark of a value in base64: its bracket stands as an escape. */
const misleadingEnd = / \((?=base64\)$)/u
const assignment = /^\s*(?:export\s+)?([\w.-]+)\s*(?:=|:\s)\s*(.*)$/su
/** A value in one of three kinds of quotes, maybe with a comment behind it. */
const quoted = /^(?:'((?:\\'|[^'])*)'|"((?:\\"|[^"])*)"|`((?:\\`|[^`])*)`)\s*(?:#.*)?$/u
const plainLine = /^\s*(?:$|#)/u

/** Lines `NAME='value'`, each under a comment with its key. */
export const dotenvWriter: TransferWriter = {
  head: ({ revision }) => `# revision ${String(revision)}\n`,
  row: (row, index) => {
    const name = `${nameOf(row.key)}_${String(index + 1)}`
    const held = heldValue(row.value)
    const mark = held === undefined ? ' (base64)' : ''
    const key = keyText(row.key).replace(misleadingEnd, ' \\x28')
    return `# key ${key}${mark}\n${name}=${held ?? base64Text(row.value)}\n`
  },
  tail: () => '',
}

/** Reads assignments; a key is the one of the comment above, or the name itself. */
export function parseDotenv(text: string): ParsedTransfer {
  const rows: TransferRow[] = []
  const problems: TransferProblem[] = []
  let comment: RegExpExecArray | undefined
  for (const { line, source } of assignments(text)) {
    if (plainLine.test(source)) {
      comment = keyComment.exec(source) ?? undefined
      continue
    }
    const [, name, rest] = assignment.exec(source) ?? []
    if (name === undefined || rest === undefined) {
      problems.push({ line, reason: 'noAssignment', detail: source.slice(0, 80) })
    } else {
      const [, written, base64] = comment ?? []
      const held = assignedValue(rest)
      try {
        const value = base64 === undefined ? textBytes(held) : bytesOfBase64(held)
        rows.push({ key: written === undefined ? textBytes(name) : parseKeyText(written), value })
      } catch (error) {
        problems.push(problemOf(error, line))
      }
    }
    comment = undefined
  }
  return { rows, problems }
}

/** Lines `KEY=value` as they stand: everything before the first `=` is the key, everything behind it the value. */
export function parsePairs(text: string): ParsedTransfer {
  const rows: TransferRow[] = []
  const problems: TransferProblem[] = []
  for (const [index, line] of text.split(/\r?\n/u).entries()) {
    if (plainLine.test(line)) continue
    const at = line.indexOf('=')
    const place = { line: index + 1 }
    if (at < 0) problems.push({ ...place, reason: 'noAssignment', detail: line.slice(0, 80) })
    else if (at === 0) problems.push({ ...place, reason: 'emptyKey' })
    else rows.push({ key: parseKeyText(line.slice(0, at)), value: textBytes(line.slice(at + 1)) })
  }
  return { rows, problems }
}

/** The text cut into comments, empty lines and assignments; an assignment in quotes may go over several lines. */
function assignments(text: string): readonly { readonly line: number; readonly source: string }[] {
  const pieces: { line: number; source: string }[] = []
  const lines = text.split(/\r\n?|\n/u)
  for (let at = 0; at < lines.length; at++) {
    const first = at
    let source = lines[at] ?? ''
    const quote = /^\s*(?:export\s+)?[\w.-]+\s*(?:=|:\s)\s*(['"`])/u.exec(source)?.[1]
    if (quote !== undefined && !plainLine.test(source)) {
      const end = endOfQuote(lines, at, quote)
      source = lines.slice(at, end + 1).join('\n')
      at = end
    }
    pieces.push({ line: first + 1, source })
  }
  return pieces
}

/** The line in which a quote ends that begins in a line; that line itself when it never ends. */
function endOfQuote(lines: readonly string[], first: number, quote: string): number {
  for (let at = first; at < lines.length; at++) {
    const line = lines[at] ?? ''
    const from = at === first ? line.indexOf(quote) + 1 : 0
    if (line.slice(from).includes(quote)) return at
  }
  return first
}

/** What stands behind the sign: the inside of quotes, or the words before a comment. */
function assignedValue(rest: string): string {
  const [, single, double, backtick] = quoted.exec(rest) ?? []
  const literal = single ?? backtick
  if (literal !== undefined) return literal
  if (double !== undefined) return double.replaceAll('\\n', '\n').replaceAll('\\r', '\r')
  return (/^[^#]*/u.exec(rest)?.[0] ?? '').trim()
}

/** The value in quotes, or undefined when none can hold it. */
function heldValue(value: Uint8Array): string | undefined {
  const text = findText(value)
  // A carriage return is taken for a line end, and other control characters are best not left in a file for shells.
  // A backslash before the closing quote is taken for a quote within by some readers.
  if (text === undefined || /(?!\n)\p{Cc}|\\$/u.test(text)) return undefined
  const quote = ["'", '`'].find((one) => !text.includes(one))
  return quote === undefined ? undefined : `${quote}${text}${quote}`
}

function nameOf(key: Uint8Array): string {
  const name = (findText(key) ?? 'key').replaceAll(/[^A-Za-z0-9]+/gu, '_').replace(/^_+|_+$/gu, '')
  return /^[A-Za-z]/u.test(name) ? name : `key_${name}`
}
