/** Events of a watch pane as text for files and the clipboard: JSON Lines, CSV, and tab-separated cells. Pure. */

import { base64Text, findText, isText, keyText, previewText } from '../../format/bytes-text.ts'
import { idText } from '../../format/quantity-text.ts'
import type { EventRow, SeamEntry, WatchLog } from '../../stores/watch-log.ts'

/** What a file of events is made of. */
export type ExportFormat = 'jsonl' | 'csv'

const linesPerChunk = 1_000
const encoder = new TextEncoder()
const csvColumns = [
  'revision',
  'type',
  'key',
  'keyEncoding',
  'version',
  'lease',
  'sizeBytes',
  'previousSizeBytes',
  'seenAt',
  'value',
  'valueEncoding',
  'isValueCut',
] as const

/** Parts of a file with the rows of these ids, in their order. Rows that left the log meanwhile are passed over. */
export function* fileChunks(
  log: WatchLog,
  ids: Iterable<number>,
  format: ExportFormat,
): Generator<Uint8Array> {
  let lines: string[] = format === 'csv' ? [csvColumns.join(',')] : []
  for (const id of ids) {
    const line = lineOf(log, id, format)
    if (line !== undefined) lines.push(line)
    if (lines.length >= linesPerChunk) {
      yield encoder.encode(`${lines.join('\n')}\n`)
      lines = []
    }
  }
  if (lines.length > 0) yield encoder.encode(`${lines.join('\n')}\n`)
}

/** One line of a file; undefined for a seam in CSV, and for a row that left. */
export function lineOf(log: WatchLog, id: number, format: ExportFormat): string | undefined {
  const row = log.rowOf(id)
  if (row !== undefined) return format === 'jsonl' ? JSON.stringify(plainRow(row)) : csvLine(row)
  const seam = log.seamOf(id)
  return seam === undefined || format === 'csv' ? undefined : JSON.stringify(plainSeam(seam))
}

/** Rows for the clipboard: tab-separated cells. */
export function tabbedText(rows: readonly EventRow[]): string {
  return rows
    .map((row) =>
      [
        String(row.revision),
        row.op,
        keyText(row.key),
        row.version === 0 ? '' : String(row.version),
        row.lease === 0n ? '' : idText(row.lease),
        previewText(row.createRevision === 0 ? row.previousValue : row.value, 2_048),
      ]
        .map((cell) => cell.replaceAll('\t', ' '))
        .join('\t'),
    )
    .join('\n')
}

/** A row with bytes as text, or as base64 where they are none. */
function plainRow(row: EventRow): Readonly<Record<string, unknown>> {
  const hasValue = row.createRevision !== 0
  return {
    revision: row.revision,
    type: typeOf(row),
    ...bytesEntry('key', row.key),
    ...(hasValue
      ? {
          createRevision: row.createRevision,
          version: row.version,
          ...bytesEntry('value', row.value),
          valueSizeBytes: row.sizeBytes,
          ...(row.value.length < row.sizeBytes ? { isValueCut: true } : {}),
        }
      : {}),
    ...(row.lease === 0n ? {} : { lease: idText(row.lease) }),
    ...(row.hasPrevious
      ? {
          previousRevision: row.previousRevision,
          ...bytesEntry('previousValue', row.previousValue),
          previousValueSizeBytes: row.previousSizeBytes,
          ...(row.previousValue.length < row.previousSizeBytes ? { isPreviousValueCut: true } : {}),
        }
      : {}),
    ...(row.isReplayed ? {} : { seenAt: new Date(row.seenAtMs).toISOString() }),
  }
}

function plainSeam({ seam, seenAtMs }: SeamEntry): Readonly<Record<string, unknown>> {
  return { seam: seam.kind, ...seam, kind: undefined, seenAt: new Date(seenAtMs).toISOString() }
}

function csvLine(row: EventRow): string {
  const value = row.createRevision === 0 ? new Uint8Array(0) : row.value
  const cells: Record<(typeof csvColumns)[number], string> = {
    revision: String(row.revision),
    type: typeOf(row),
    key: textOrBase64(row.key),
    keyEncoding: isText(row.key) ? 'utf-8' : 'base64',
    version: row.version === 0 ? '' : String(row.version),
    lease: row.lease === 0n ? '' : idText(row.lease),
    sizeBytes: row.createRevision === 0 ? '' : String(row.sizeBytes),
    previousSizeBytes: row.hasPrevious ? String(row.previousSizeBytes) : '',
    seenAt: row.isReplayed ? '' : new Date(row.seenAtMs).toISOString(),
    value: textOrBase64(value),
    valueEncoding: isText(value) ? 'utf-8' : 'base64',
    isValueCut: String(value.length < row.sizeBytes),
  }
  return csvColumns.map((column) => csvCell(cells[column])).join(',')
}

/** A cell that a spreadsheet would take for a formula stays text. */
function csvCell(text: string): string {
  const safe = /^[=+@-]/u.test(text) ? `'${text}` : text
  return /[",\r\n]/u.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

function typeOf({ op }: EventRow): string {
  return op === 'put' ? 'update' : op
}

function bytesEntry(name: string, bytes: Uint8Array): Readonly<Record<string, string>> {
  return isText(bytes)
    ? { [name]: findText(bytes) ?? '' }
    : { [`${name}Base64`]: base64Text(bytes) }
}

function textOrBase64(bytes: Uint8Array): string {
  return isText(bytes) ? (findText(bytes) ?? '') : base64Text(bytes)
}
