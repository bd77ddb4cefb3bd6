/** JSON (one document) and JSON Lines (one record a line). */

import { isRecord, recordOf, RowError, rowOfRecord, bytesOfText } from './row-record.ts'
import { textBytes } from '../format/bytes-text.ts'
import type {
  ParsedTransfer,
  TransferProblem,
  TransferRow,
  TransferWriter,
} from './transfer-row.ts'

/** One document with the revision and a list of keys, one key a line. */
export const jsonWriter: TransferWriter = {
  head: ({ revision }) => `{\n  "revision": ${String(revision)},\n  "keys": [`,
  row: (row, index) => `${index === 0 ? '' : ','}\n    ${JSON.stringify(recordOf(row))}`,
  tail: (rowCount) => (rowCount === 0 ? ']\n}\n' : '\n  ]\n}\n'),
}

/** One record a line. */
export const jsonLinesWriter: TransferWriter = {
  head: () => '',
  row: (row) => `${JSON.stringify(recordOf(row))}\n`,
  tail: () => '',
}

/**
 * Reads a document: ours, a list of records, an object of names and values, or what `etcdctl get -w json` prints.
 * Every list is told by its shape.
 */
export function parseJson(text: string): ParsedTransfer {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    const place = /position (\d+)/u.exec(error.message)?.[1]
    const line = place === undefined ? 1 : lineAt(text, Number(place))
    return { rows: [], problems: [{ line, reason: 'notJson', detail: error.message }] }
  }
  if (Array.isArray(document)) return rowsOfList(document, text, 1)
  if (!isRecord(document)) return { rows: [], problems: [{ line: 1, reason: 'notList' }] }
  if (Array.isArray(document['keys'])) return rowsOfList(document['keys'], text, 2)
  if (Array.isArray(document['kvs'])) {
    return rowsOfList(document['kvs'].map(recordOfWire), text, 2)
  }
  return rowsOfMap(document)
}

/** Reads one record a line; empty lines are passed over. */
export function parseJsonLines(text: string): ParsedTransfer {
  const rows: TransferRow[] = []
  const problems: TransferProblem[] = []
  // Only these two end a line here: the other separators of Unicode may stand inside of a JSON string.
  for (const [index, line] of text.split(/\r?\n/u).entries()) {
    if (line.trim() === '') continue
    try {
      rows.push(rowOfRecord(JSON.parse(line)))
    } catch (error) {
      problems.push(problemOf(error, index + 1))
    }
  }
  return { rows, problems }
}

/** Rows of an object whose names are keys. */
export function rowsOfMap(map: Readonly<Record<string, unknown>>): ParsedTransfer {
  const rows: TransferRow[] = []
  const problems: TransferProblem[] = []
  for (const [name, value] of Object.entries(map)) {
    if (name === '') problems.push({ line: 1, reason: 'emptyKey' })
    else rows.push({ key: textBytes(name), value: bytesOfText(value) ?? new Uint8Array(0) })
  }
  return { rows, problems }
}

/** The problem that a failed record stands for. Other errors go on. */
export function problemOf(error: unknown, line: number): TransferProblem {
  if (error instanceof SyntaxError) return { line, reason: 'notJson', detail: error.message }
  if (!(error instanceof RowError)) throw error
  const { reason, message } = error
  return { line, reason, ...(message === '' ? {} : { detail: message }) }
}

function rowsOfList(list: readonly unknown[], text: string, depth: number): ParsedTransfer {
  const rows: TransferRow[] = []
  const problems: TransferProblem[] = []
  let lines: readonly number[] | undefined
  for (const [index, record] of list.entries()) {
    try {
      rows.push(rowOfRecord(record))
    } catch (error) {
      lines ??= linesOfElements(text, depth)
      problems.push(problemOf(error, lines[index] ?? 1))
    }
  }
  return { rows, problems }
}

/** A pair as the gateway and etcdctl print it: key and value are base64. */
function recordOfWire(pair: unknown): unknown {
  if (!isRecord(pair) || typeof pair['key'] !== 'string') return pair
  return { keyBase64: pair['key'], valueBase64: pair['value'] ?? '' }
}

/** Lines at which the elements at some depth of brackets begin, in a document that is known to be JSON. */
function linesOfElements(text: string, depth: number): readonly number[] {
  const lines: number[] = []
  let level = 0
  let line = 1
  let isExpected = false
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"|\n|[[\]{},]|[^\s[\]{},"]+/gsu)) {
    const [token] = match
    if (token === '\n') {
      line++
      continue
    }
    const isCloser = token === ']' || token === '}'
    if (isExpected && level === depth && token !== ',' && !isCloser) {
      lines.push(line)
      isExpected = false
    }
    if (token === '[' || token === '{') level++
    if (isCloser) level--
    if (level === depth && (token === '[' || token === ',')) isExpected = true
  }
  return lines
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length
}
