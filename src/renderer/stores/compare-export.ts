/**
 * A comparison as a file: JSON with every difference and both values, or a unified diff. Values are read while the file is
 * written, a few keys at a time, so that neither the file nor its values are ever held as a whole.
 */

import { createTwoFilesPatch } from 'diff'
import type { KeyValue } from '../../preload/contract/kv.ts'
import { base64Text, findText, isText, keyText, textBytes } from '../format/bytes-text.ts'
import { idText, revisionText } from '../format/quantity-text.ts'
import { rightKeyIn, type SideName } from './compare-side.ts'
import { readBothValues, type BothValues } from './compare-values.ts'
import type { Comparison, CompareRun } from './comparison.ts'

export type ExportForm = 'json' | 'diff'

export interface ExportOptions {
  readonly form: ExportForm
  /** Name of a connection. */
  readonly nameOf: (connectionId: string) => string
  /** Words for what a unified diff cannot show. */
  readonly texts: { readonly binary: string; readonly large: string }
  readonly signal: AbortSignal
  readonly onProgress: (doneCount: number, totalCount: number) => void
}

/** Keys whose values are read at once. */
const rowsAtOnce = 16
/** Lines that differ; beyond it the search for the shortest difference takes longer than anybody waits. */
const editLengthMax = 20_000

/** The file in pieces; ends early when the signal is aborted, by throwing its reason. */
export async function* exportChunks(
  comparison: Comparison,
  options: ExportOptions,
): AsyncGenerator<Uint8Array> {
  const run = comparison.run.value
  if (run?.pinned === undefined) return
  const rows = comparison.shownRows()
  const write = options.form === 'json' ? jsonEntry : diffEntry
  yield textBytes(options.form === 'json' ? jsonHead(run, options) : '')
  let isFirst = true
  for (let at = 0; at < rows.length; at += rowsAtOnce) {
    options.signal.throwIfAborted()
    const found = rows.slice(at, at + rowsAtOnce).flatMap((row) => comparison.findRow(row) ?? [])
    const both = await Promise.all(found.map((row) => readBothValues(run, row)))
    const separator = options.form === 'json' ? ',\n' : ''
    const text = both.map((one) => write(one, run, options)).join(separator)
    yield textBytes((isFirst ? '' : separator) + text)
    isFirst = false
    options.onProgress(Math.min(rows.length, at + rowsAtOnce), rows.length)
  }
  if (options.form === 'json') yield textBytes('\n  ]\n}\n')
}

/** A file name that tells what was compared. */
export function exportName(run: CompareRun, form: ExportForm): string {
  const revisionOf = (side: SideName): string => revisionText(run.pinned?.[side].revision ?? 0)
  const extension = form === 'json' ? 'json' : 'diff'
  return `compare-${revisionOf('left')}-${revisionOf('right')}.${extension}`
}

function jsonHead(run: CompareRun, { nameOf }: ExportOptions): string {
  const sideOf = (side: SideName): object => ({
    connection: nameOf(run.sides[side].connectionId),
    range: run.sides[side].subject,
    revision: run.pinned?.[side].revision ?? 0,
  })
  const head = {
    left: sideOf('left'),
    right: sideOf('right'),
    method: run.method,
    basis: run.basis,
    counts: run.counts,
  }
  const text = JSON.stringify(head, null, 2)
  return `${text.slice(0, -2)},\n  "differences": [\n`
}

function jsonEntry({ row, left, right }: BothValues): string {
  const entry = {
    ...(isText(row.key) ? { key: findText(row.key) } : { keyBase64: base64Text(row.key) }),
    kind: row.kind,
    ...(left === undefined ? {} : { left: jsonSide(left) }),
    ...(right === undefined ? {} : { right: jsonSide(right) }),
  }
  return `    ${JSON.stringify(entry)}`
}

function jsonSide(pair: KeyValue): object {
  return {
    modRevision: pair.modRevision,
    ...(pair.lease === 0n ? {} : { lease: idText(pair.lease) }),
    ...(isText(pair.value)
      ? { value: findText(pair.value) }
      : { valueBase64: base64Text(pair.value) }),
  }
}

function diffEntry(
  { row, left, right }: BothValues,
  run: CompareRun,
  options: ExportOptions,
): string {
  const leftName = fileName('left', keyText(row.key), { run, options, pair: left })
  const rightKey = keyText(rightKeyIn(run.sides, row.key))
  const rightName = fileName('right', rightKey, { run, options, pair: right })
  const head = `--- ${leftName}\n+++ ${rightName}\n`
  const isBinary = [left, right].some((pair) => pair !== undefined && !isText(pair.value))
  if (isBinary) return `${head}# ${options.texts.binary}\n`
  const textOf = (pair: KeyValue | undefined): string =>
    pair === undefined ? '' : (findText(pair.value) ?? '')
  const patch = createTwoFilesPatch(leftName, rightName, textOf(left), textOf(right), '', '', {
    maxEditLength: editLengthMax,
  })
  // jsdiff answers with nothing when the limit was reached; its first line is a rule that no tool needs.
  const text: string | undefined = patch
  return text === undefined ? `${head}# ${options.texts.large}\n` : text.replace(/^=+\n/u, '')
}

function fileName(
  side: SideName,
  key: string,
  { run, options, pair }: { run: CompareRun; options: ExportOptions; pair: KeyValue | undefined },
): string {
  if (pair === undefined) return '/dev/null'
  const connection = options.nameOf(run.sides[side].connectionId)
  return `${connection}@${revisionText(pair.modRevision)}:${key}`
}
