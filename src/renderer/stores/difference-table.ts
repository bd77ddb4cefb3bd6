/**
 * The rows of a comparison as growing columns: half a million of them are a dozen arrays, and one more row costs no object.
 * Rows stay in the order of their keys and are never taken out. Not reactive: its owner tells the screen when it changed.
 */

import {
  differenceKinds,
  leftLeaseBit,
  rightLeaseBit,
  type DifferenceColumns,
  type DifferenceKind,
} from '../../preload/contract/compare.ts'

/** One difference as the screens read it. */
export interface DifferenceRow {
  /** Its place in the table, which is its name for as long as the comparison lives. */
  readonly row: number
  /** As the left side names it; a view, not a copy. */
  readonly key: Uint8Array
  readonly kind: DifferenceKind
  /** 0 where the key is not on that side. */
  readonly leftModRevision: number
  readonly rightModRevision: number
  /** -1 where unknown, or where the key is not on that side. */
  readonly leftSizeBytes: number
  readonly rightSizeBytes: number
  readonly hasLeftLease: boolean
  readonly hasRightLease: boolean
}

const rowsMin = 1_024

export class DifferenceTable {
  length = 0
  private keySizeBytes = 0
  private keyBytes: Uint8Array = new Uint8Array(rowsMin * 32)
  private keyOffsets = new Uint32Array(rowsMin + 1)
  private kinds: Uint8Array = new Uint8Array(rowsMin)
  private leases: Uint8Array = new Uint8Array(rowsMin)
  private leftModRevisions = new Float64Array(rowsMin)
  private rightModRevisions = new Float64Array(rowsMin)
  private leftSizesBytes = new Int32Array(rowsMin)
  private rightSizesBytes = new Int32Array(rowsMin)

  /** Adds rows behind all others. */
  append(columns: DifferenceColumns): void {
    const from = this.length
    this.growTo(from + columns.rowCount, this.keySizeBytes + columns.keyBytes.length)
    this.keyBytes.set(columns.keyBytes, this.keySizeBytes)
    for (let row = 1; row <= columns.rowCount; row++)
      this.keyOffsets[from + row] = this.keySizeBytes + (columns.keyOffsets[row] ?? 0)
    this.kinds.set(columns.kinds, from)
    this.leases.set(columns.leases, from)
    this.leftModRevisions.set(columns.leftModRevisions, from)
    this.rightModRevisions.set(columns.rightModRevisions, from)
    this.leftSizesBytes.set(columns.leftSizesBytes, from)
    this.rightSizesBytes.set(columns.rightSizesBytes, from)
    this.keySizeBytes += columns.keyBytes.length
    this.length += columns.rowCount
  }

  /** The key of a row, without copying it; empty outside of the table. */
  keyAt(row: number): Uint8Array {
    return this.keyBytes.subarray(this.keyOffsets[row] ?? 0, this.keyOffsets[row + 1] ?? 0)
  }

  kindAt(row: number): DifferenceKind {
    return differenceKinds[this.kinds[row] ?? 0] ?? 'changed'
  }

  /** The row, or undefined outside of the table. */
  findRow(row: number): DifferenceRow | undefined {
    if (row < 0 || row >= this.length) return undefined
    const leases = this.leases[row] ?? 0
    return {
      row,
      key: this.keyAt(row),
      kind: this.kindAt(row),
      leftModRevision: this.leftModRevisions[row] ?? 0,
      rightModRevision: this.rightModRevisions[row] ?? 0,
      leftSizeBytes: this.leftSizesBytes[row] ?? -1,
      rightSizeBytes: this.rightSizesBytes[row] ?? -1,
      hasLeftLease: (leases & leftLeaseBit) !== 0,
      hasRightLease: (leases & rightLeaseBit) !== 0,
    }
  }

  /** Notes sizes that became known later; -1 leaves a side as it is. */
  setSizes(row: number, sizes: { readonly left: number; readonly right: number }): void {
    if (sizes.left >= 0) this.leftSizesBytes[row] = sizes.left
    if (sizes.right >= 0) this.rightSizesBytes[row] = sizes.right
  }

  private growTo(rowCount: number, keySizeBytes: number): void {
    if (keySizeBytes > this.keyBytes.length)
      this.keyBytes = grown(this.keyBytes, new Uint8Array(capacityFor(keySizeBytes)))
    if (rowCount <= this.kinds.length) return
    const capacity = capacityFor(rowCount)
    this.keyOffsets = grown(this.keyOffsets, new Uint32Array(capacity + 1))
    this.kinds = grown(this.kinds, new Uint8Array(capacity))
    this.leases = grown(this.leases, new Uint8Array(capacity))
    this.leftModRevisions = grown(this.leftModRevisions, new Float64Array(capacity))
    this.rightModRevisions = grown(this.rightModRevisions, new Float64Array(capacity))
    this.leftSizesBytes = grown(this.leftSizesBytes, new Int32Array(capacity))
    this.rightSizesBytes = grown(this.rightSizesBytes, new Int32Array(capacity))
  }
}

type Column = Uint8Array | Uint32Array | Int32Array | Float64Array

function grown<Kind extends Column>(column: Kind, larger: Kind): Kind {
  larger.set(column)
  return larger
}

/** Doubling, so that adding rows one page at a time copies each of them a few times at most. */
function capacityFor(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(rowsMin, count)))
}
