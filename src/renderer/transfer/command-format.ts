/**
 * etcdctl's command lines. Words are quoted for bash; a zero byte fits into no word, so such a pair goes as a transaction
 * over standard input, whose strings have escapes of their own.
 */

import { findText, hexText, textBytes } from '../format/bytes-text.ts'
import { shellCommands, shellWord, type ShellCommand } from './shell-words.ts'
import type {
  ParsedTransfer,
  TransferProblem,
  TransferRow,
  TransferWriter,
} from './transfer-row.ts'

/** One put a line. Leases are left out: a command line cannot say "with this much time left". */
export const commandWriter: TransferWriter = {
  head: ({ revision }) => `# etcdctl, bash, revision ${String(revision)}\n`,
  row: (row) => `${putCommand(row.key, row.value)}\n`,
  tail: () => '',
}

/** The line that writes a pair. */
export function putCommand(key: Uint8Array, value: Uint8Array, options = ''): string {
  const words = [shellWord(key), shellWord(value)]
  if (!words.includes(undefined)) {
    return `etcdctl${options} put -- ${words.map((word) => (word === '' ? "''" : word)).join(' ')}`
  }
  return `printf '%s\\n' '' ${quotedLine(`put ${goText(key)} ${goText(value)}`)} '' '' | etcdctl${options} txn`
}

/** Reads puts. Nothing is run, and a line that would do anything else is refused with its number. */
export function parseCommands(text: string): ParsedTransfer {
  const rows: TransferRow[] = []
  const problems: TransferProblem[] = []
  for (const command of shellCommands(text)) {
    const read = rowOfCommand(command)
    if ('reason' in read) problems.push(read)
    else rows.push(read)
  }
  return { rows, problems }
}

function rowOfCommand(command: ShellCommand): TransferRow | TransferProblem {
  const { line } = command
  if (command.kind === 'fault') return { line, reason: command.reason, detail: command.detail }
  const texts = command.words.map((word) => findText(word))
  if (texts[0] === 'printf') return rowOfTxn(line, texts)
  const first = texts.findIndex((text) => text !== undefined && !isSetting(text))
  const detail = texts[first] ?? ''
  if (texts[first] !== 'etcdctl') return { line, reason: 'notAPut', detail }
  const behind = command.words
    .slice(first + 1)
    .filter((_, at, words) => !isFlag(words.slice(0, at + 1)))
  const [verb, key, value, ...others] = behind
  if (verb === undefined || findText(verb) !== 'put') return { line, reason: 'notAPut', detail }
  if (key === undefined) return { line, reason: 'noKey' }
  if (key.length === 0) return { line, reason: 'emptyKey' }
  if (value === undefined) return { line, reason: 'noValue' }
  return others.length > 0 ? { line, reason: 'tooManyWords' } : { key, value }
}

/** `NAME=value` before the command sets its environment. */
function isSetting(text: string): boolean {
  return /^[A-Z_][A-Z0-9_]*=/u.test(text)
}

/** Whether the last of some words is an option, or the `--` that ends them. */
function isFlag(words: readonly Uint8Array[]): boolean {
  const texts = words.map((word) => findText(word))
  const end = texts.indexOf('--')
  if (end >= 0 && end < texts.length - 1) return false
  return texts.at(-1)?.startsWith('--') === true
}

/** A pair in the form that goes over standard input. */
function rowOfTxn(
  line: number,
  texts: readonly (string | undefined)[],
): TransferRow | TransferProblem {
  const put = texts.find((text) => text?.startsWith('put "') === true)
  const match = /^put ("(?:[^"\\]|\\.)*") ("(?:[^"\\]|\\.)*")$/u.exec(put ?? '')
  const [, key, value] = match ?? []
  if (key === undefined || value === undefined) return { line, reason: 'notAPut' }
  const row = { key: goBytes(key), value: goBytes(value) }
  return row.key.length === 0 ? { line, reason: 'emptyKey' } : row
}

/** A string as Go writes it, with an escape for every byte that is not plain. */
function goText(bytes: Uint8Array): string {
  let out = '"'
  for (const byte of bytes) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c && byte !== 0x27
    out += isPlain ? String.fromCharCode(byte) : `\\x${hexText(Uint8Array.of(byte))}`
  }
  return `${out}"`
}

function goBytes(text: string): Uint8Array {
  const bytes: number[] = []
  for (const [whole, hex] of text.slice(1, -1).matchAll(/\\x([0-9a-f]{2})|[\s\S]/gu)) {
    if (hex === undefined) bytes.push(...textBytes(whole))
    else bytes.push(Number.parseInt(hex, 16))
  }
  return Uint8Array.from(bytes)
}

function quotedLine(line: string): string {
  return `'${line}'`
}
