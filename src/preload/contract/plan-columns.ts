/** Lists of keys for plans to columns and back; see `plan.ts` for why they cross as columns. */

import { joinedWithOffsets } from './key-columns.ts'
import {
  planActs,
  type ImportColumns,
  type KeyRevisionColumns,
  type PlanAct,
  type PlanColumns,
} from './plan.ts'

/** One row of a plan. The key is a view into the columns. */
export interface PlanRow {
  readonly key: Uint8Array
  readonly act: PlanAct
  /** -1 when there is none or it is unknown. */
  readonly oldSizeBytes: number
  readonly newSizeBytes: number
  /** 0: the key must not exist. */
  readonly expectedModRevision: number
  readonly hasLostLease: boolean
}

/** Columns of keys with one revision each. */
export function keyRevisionColumnsOf(
  keys: readonly { readonly key: Uint8Array; readonly revision: number }[],
): KeyRevisionColumns {
  const { bytes, offsets } = joinedWithOffsets(keys.map(({ key }) => key))
  return {
    rowCount: keys.length,
    keyBytes: bytes,
    keyOffsets: offsets,
    revisions: Float64Array.from(keys, ({ revision }) => revision),
  }
}

/** Columns of pairs to be imported. */
export function importColumnsOf(
  pairs: readonly {
    readonly key: Uint8Array
    readonly value: Uint8Array
    /** 0 or absent: without a lease. */
    readonly leaseTtlSeconds?: number
  }[],
): ImportColumns {
  const keys = joinedWithOffsets(pairs.map(({ key }) => key))
  const values = joinedWithOffsets(pairs.map(({ value }) => value))
  return {
    rowCount: pairs.length,
    keyBytes: keys.bytes,
    keyOffsets: keys.offsets,
    valueBytes: values.bytes,
    valueOffsets: values.offsets,
    leaseTtlsSeconds: Int32Array.from(pairs, ({ leaseTtlSeconds }) => leaseTtlSeconds ?? 0),
  }
}

/** Columns of rows of a plan. */
export function planColumnsOf(rows: readonly PlanRow[]): PlanColumns {
  const { bytes, offsets } = joinedWithOffsets(rows.map(({ key }) => key))
  return {
    rowCount: rows.length,
    keyBytes: bytes,
    keyOffsets: offsets,
    acts: Uint8Array.from(rows, ({ act }) => planActs.indexOf(act)),
    oldSizesBytes: Int32Array.from(rows, ({ oldSizeBytes }) => oldSizeBytes),
    newSizesBytes: Int32Array.from(rows, ({ newSizeBytes }) => newSizeBytes),
    expectedModRevisions: Float64Array.from(rows, ({ expectedModRevision }) => expectedModRevision),
    lostLeases: Uint8Array.from(rows, ({ hasLostLease }) => (hasLostLease ? 1 : 0)),
  }
}

/** The key at a row of any columns with keys. */
export function keyAt(
  columns: Pick<PlanColumns, 'keyBytes' | 'keyOffsets'>,
  rowIndex: number,
): Uint8Array {
  return columns.keyBytes.subarray(columns.keyOffsets[rowIndex], columns.keyOffsets[rowIndex + 1])
}

/** The row at `rowIndex`; throws `RangeError` outside of the columns. */
export function planRowAt(columns: PlanColumns, rowIndex: number): PlanRow {
  if (!Number.isInteger(rowIndex) || rowIndex < 0 || rowIndex >= columns.rowCount) {
    throw new RangeError(`row ${String(rowIndex)} of ${String(columns.rowCount)}`)
  }
  return {
    key: keyAt(columns, rowIndex),
    act: planActs[columns.acts[rowIndex] ?? 0] ?? 'conflict',
    oldSizeBytes: columns.oldSizesBytes[rowIndex] ?? -1,
    newSizeBytes: columns.newSizesBytes[rowIndex] ?? -1,
    expectedModRevision: columns.expectedModRevisions[rowIndex] ?? 0,
    hasLostLease: columns.lostLeases[rowIndex] === 1,
  }
}
