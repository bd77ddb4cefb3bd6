/**
 * The rows of a comparison that pass a filter, with the counts of every stretch of them.
 *
 * Rows are looked at once each and in slices, so that a filter over half a million keys never holds the window. Counts are
 * kept as running sums: what a folder holds is the difference of two of them.
 */

import type { DifferenceKind } from '../../preload/contract/compare.ts'
import { includesBytes } from './key-order.ts'
import type { DifferenceTable } from './difference-table.ts'

export interface DifferenceFilter {
  readonly kind: DifferenceKind | 'all'
  /** Bytes that a key must hold; empty: any key. */
  readonly contains: Uint8Array
}

/** Differences by kind. */
export type KindCounts = Readonly<Record<DifferenceKind, number>>

/** Rows between two looks at the clock. */
const rowsPerLook = 512

export class DifferenceView {
  length = 0
  private readonly table: DifferenceTable
  private readonly filter: DifferenceFilter
  private seenCount = 0
  private rows = new Uint32Array(1_024)
  /** Sums before each position; one more than rows. */
  private addedBefore = new Uint32Array(1_025)
  private removedBefore = new Uint32Array(1_025)

  constructor(table: DifferenceTable, filter: DifferenceFilter) {
    this.table = table
    this.filter = filter
  }

  /** Looks at rows that came since, for about so long. Answers whether all were looked at. */
  extend(forMs: number): boolean {
    const endsAtMs = performance.now() + forMs
    const { table } = this
    while (this.seenCount < table.length) {
      const end = Math.min(table.length, this.seenCount + rowsPerLook)
      for (let row = this.seenCount; row < end; row++) this.look(row)
      this.seenCount = end
      if (performance.now() > endsAtMs) break
    }
    return this.seenCount >= table.length
  }

  /** The table's row at a position. */
  rowAt(position: number): number {
    return this.rows[position] ?? -1
  }

  keyAt(position: number): Uint8Array {
    return this.table.keyAt(this.rowAt(position))
  }

  /** Where a row of the table stands; where it would stand when the filter leaves it out. */
  positionOf(row: number): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.rows[middle] ?? 0) < row) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Counts of `[start, end)`. */
  countsOf(start: number, end: number): KindCounts {
    const added = (this.addedBefore[end] ?? 0) - (this.addedBefore[start] ?? 0)
    const removed = (this.removedBefore[end] ?? 0) - (this.removedBefore[start] ?? 0)
    return { added, removed, changed: end - start - added - removed }
  }

  private look(row: number): void {
    const kind = this.table.kindAt(row)
    if (this.filter.kind !== 'all' && this.filter.kind !== kind) return
    const { contains } = this.filter
    if (contains.length > 0 && !includesBytes(this.table.keyAt(row), contains)) return
    if (this.length >= this.rows.length) this.grow()
    const at = this.length
    this.rows[at] = row
    this.addedBefore[at + 1] = (this.addedBefore[at] ?? 0) + (kind === 'added' ? 1 : 0)
    this.removedBefore[at + 1] = (this.removedBefore[at] ?? 0) + (kind === 'removed' ? 1 : 0)
    this.length++
  }

  private grow(): void {
    const capacity = this.rows.length * 2
    const copy = (column: Uint32Array, length: number): Uint32Array<ArrayBuffer> => {
      const larger = new Uint32Array(length)
      larger.set(column)
      return larger
    }
    this.rows = copy(this.rows, capacity)
    this.addedBefore = copy(this.addedBefore, capacity + 1)
    this.removedBefore = copy(this.removedBefore, capacity + 1)
  }
}
