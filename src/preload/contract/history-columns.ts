/** Changes of a key to columns and back. */

import type { HistoryColumns } from './history.ts'
import { joinedWithOffsets } from './key-columns.ts'

/** One change of the key. The bytes are a view into the columns: nothing is copied. */
export type HistoryRow =
  | {
      readonly kind: 'put'
      readonly revision: number
      readonly createRevision: number
      /** 1 opens a new life of the key. */
      readonly version: number
      /** 0: none. */
      readonly lease: bigint
      /** The beginning of the value; compare its length with `valueSizeBytes`. */
      readonly head: Uint8Array
      readonly valueSizeBytes: number
    }
  | { readonly kind: 'delete'; readonly revision: number }

const nothing = new Uint8Array(0)

/** Columns of changes in rising order. */
export function historyColumnsOf(rows: readonly HistoryRow[]): HistoryColumns {
  const numbers = (of: (row: Extract<HistoryRow, { kind: 'put' }>) => number): Float64Array =>
    Float64Array.from(rows, (row) => (row.kind === 'put' ? of(row) : 0))
  const heads = joinedWithOffsets(rows.map((row) => (row.kind === 'put' ? row.head : nothing)))
  return {
    rowCount: rows.length,
    revisions: Float64Array.from(rows, (row) => row.revision),
    kinds: Uint8Array.from(rows, (row) => (row.kind === 'put' ? 0 : 1)),
    createRevisions: numbers((row) => row.createRevision),
    versions: numbers((row) => row.version),
    leases: BigInt64Array.from(rows, (row) => (row.kind === 'put' ? row.lease : 0n)),
    valueSizesBytes: numbers((row) => row.valueSizeBytes),
    headBytes: heads.bytes,
    headOffsets: heads.offsets,
  }
}

/** The change at `rowIndex`; throws `RangeError` outside of the columns. */
export function historyRowAt(columns: HistoryColumns, rowIndex: number): HistoryRow {
  const revision = columns.revisions[rowIndex]
  if (revision === undefined) {
    throw new RangeError(`change ${String(rowIndex)} of ${String(columns.rowCount)}`)
  }
  if (columns.kinds[rowIndex] === 1) return { kind: 'delete', revision }
  return {
    kind: 'put',
    revision,
    createRevision: columns.createRevisions[rowIndex] ?? 0,
    version: columns.versions[rowIndex] ?? 0,
    lease: columns.leases[rowIndex] ?? 0n,
    head: columns.headBytes.subarray(
      columns.headOffsets[rowIndex],
      columns.headOffsets[rowIndex + 1],
    ),
    valueSizeBytes: columns.valueSizesBytes[rowIndex] ?? 0,
  }
}
