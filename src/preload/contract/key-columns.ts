/** Rows of keys to columns and back; see `kv.ts` for why they cross as columns. */

import type { KeyColumns } from './kv.ts'

/** One row. The byte arrays are views into the columns: nothing is copied. */
export interface KeyRow {
  readonly key: Uint8Array
  /** Perhaps cut; compare its length with `valueSizeBytes`. */
  readonly value: Uint8Array
  /** -1 when unknown. */
  readonly valueSizeBytes: number
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: bigint
}

/** Columns of the rows in their order. */
export function keyColumnsOf(rows: readonly KeyRow[]): KeyColumns {
  const keys = joinedWithOffsets(rows.map((row) => row.key))
  const values = joinedWithOffsets(rows.map((row) => row.value))
  return {
    rowCount: rows.length,
    keyBytes: keys.bytes,
    keyOffsets: keys.offsets,
    valueBytes: values.bytes,
    valueOffsets: values.offsets,
    valueSizesBytes: Int32Array.from(rows, (row) => row.valueSizeBytes),
    createRevisions: Float64Array.from(rows, (row) => row.createRevision),
    modRevisions: Float64Array.from(rows, (row) => row.modRevision),
    versions: Float64Array.from(rows, (row) => row.version),
    leases: BigInt64Array.from(rows, (row) => row.lease),
  }
}

/** The row at `rowIndex`; throws `RangeError` outside of the columns. */
export function keyRowAt(columns: KeyColumns, rowIndex: number): KeyRow {
  if (!Number.isInteger(rowIndex) || rowIndex < 0 || rowIndex >= columns.rowCount) {
    throw new RangeError(`row ${String(rowIndex)} of ${String(columns.rowCount)}`)
  }
  return {
    key: columns.keyBytes.subarray(columns.keyOffsets[rowIndex], columns.keyOffsets[rowIndex + 1]),
    value: columns.valueBytes.subarray(
      columns.valueOffsets[rowIndex],
      columns.valueOffsets[rowIndex + 1],
    ),
    valueSizeBytes: columns.valueSizesBytes[rowIndex] ?? -1,
    createRevision: columns.createRevisions[rowIndex] ?? 0,
    modRevision: columns.modRevisions[rowIndex] ?? 0,
    version: columns.versions[rowIndex] ?? 0,
    lease: columns.leases[rowIndex] ?? 0n,
  }
}

/** All parts one after the other, and where each begins; the last offset is the end. */
export function joinedWithOffsets(parts: readonly Uint8Array[]): {
  bytes: Uint8Array
  offsets: Uint32Array
} {
  const offsets = new Uint32Array(parts.length + 1)
  let sizeBytes = 0
  parts.forEach((part, position) => {
    sizeBytes += part.length
    offsets[position + 1] = sizeBytes
  })
  const bytes = new Uint8Array(sizeBytes)
  parts.forEach((part, position) => {
    bytes.set(part, offsets[position])
  })
  return { bytes, offsets }
}
