/** Rows that were chosen out of very many: a byte a row, and running sums for how many of a stretch are. */

import type { DifferenceView } from './difference-view.ts'

export class RowChoice {
  count = 0
  private bits = new Uint8Array(1_024)
  /** Chosen rows before each position of a view; made when asked for, dropped when a row changes. */
  private sums: { readonly view: DifferenceView; readonly before: Uint32Array } | undefined

  has(row: number): boolean {
    return this.bits[row] === 1
  }

  set(row: number, isChosen: boolean): void {
    if (this.has(row) === isChosen) return
    if (row >= this.bits.length) {
      const larger = new Uint8Array(2 ** Math.ceil(Math.log2(row + 1)))
      larger.set(this.bits)
      this.bits = larger
    }
    this.bits[row] = isChosen ? 1 : 0
    this.count += isChosen ? 1 : -1
    this.sums = undefined
  }

  /** The chosen rows in rising order. */
  rows(): readonly number[] {
    const rows: number[] = []
    for (let row = this.bits.indexOf(1); row >= 0; row = this.bits.indexOf(1, row + 1))
      rows.push(row)
    return rows
  }

  /** How many rows of a stretch of the view are chosen. */
  countBetween(view: DifferenceView, start: number, end: number): number {
    if (this.sums?.view !== view || this.sums.before.length <= view.length) {
      const before = new Uint32Array(view.length + 1)
      for (let position = 0; position < view.length; position++)
        before[position + 1] = (before[position] ?? 0) + (this.bits[view.rowAt(position)] ?? 0)
      this.sums = { view, before }
    }
    return (this.sums.before[end] ?? 0) - (this.sums.before[start] ?? 0)
  }
}
