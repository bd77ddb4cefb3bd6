/**
 * Rows in an order of their own (the answer to a sort or a search), kept current by changes.
 *
 * A list may be cut: of a million keys the first thousand by version are read. Everything up to the last row that was read,
 * the edge, is known, and nothing behind it. A change that puts a row before the edge puts it in its place, and the last row
 * leaves; one that puts it behind takes it out of sight. So the list is always a beginning of the whole, perhaps shorter than
 * it was, and how long the whole is stays exact, because each change tells whether its key is new.
 *
 * Example: the three newest of many keys are c9, b8, a7 (named with their mod revisions); a7 is the edge. A put of x at 10
 * makes x10, c9, b8 with the edge b8. Deleting c leaves x10, b8: what follows b8 is not known here and has to be read.
 */

import type { KeyRow } from '../../preload/contract/key-columns.ts'
import type { WatchChange } from '../../preload/contract/watch.ts'
import { keyText } from '../format/bytes-text.ts'
import { compareKeys, rowOfChange } from './key-order.ts'

/** What a list is sorted by. */
export interface ListOrder {
  readonly by: 'key' | 'createRevision' | 'modRevision' | 'version' | 'size'
  readonly isDescending: boolean
}

/** The order that choosing a column gives: the one that it is sorted by already turns round. */
export function nextOrder(present: ListOrder, by: ListOrder['by']): ListOrder {
  // Of figures the largest are looked for first; keys begin at the beginning.
  return { by, isDescending: present.by === by ? !present.isDescending : by !== 'key' }
}

interface SortedRowsOptions {
  readonly order: ListOrder
  /** Rows that are kept. */
  readonly rowsMax: number
  /** Only keys that this accepts belong to the list. */
  readonly accepts: (key: Uint8Array) => boolean
}

/** Sorted rows with a way from a key to its place. Not reactive: its owner tells the screen when it changed. */
export class SortedRows {
  /** Rows of the whole list, whether kept or not. */
  count = 0
  private readonly options: SortedRowsOptions
  /** Invariant: strictly rising by `compare`, none behind the edge. */
  private rows: KeyRow[] = []
  private readonly byName = new Map<string, KeyRow>()
  /** Behind it more rows may follow that are not known; undefined: all are here. */
  private edge: KeyRow | undefined
  /** The revision that was read: what changed up to it is in the rows. */
  private baseRevision = 0

  constructor(options: SortedRowsOptions) {
    this.options = options
  }

  get length(): number {
    return this.rows.length
  }

  /** True while rows of the list are not kept. */
  get isCut(): boolean {
    return this.count > this.rows.length
  }

  /** So many rows left that what comes next should be read. */
  get isWanting(): boolean {
    return this.isCut && this.rows.length < this.options.rowsMax * 0.75
  }

  rowAt(position: number): KeyRow | undefined {
    return this.rows[position]
  }

  each(visit: (row: KeyRow) => void): void {
    for (const row of this.rows) visit(row)
  }

  /** Where a key stands; undefined when it is not kept. */
  find(key: Uint8Array): number | undefined {
    const row = this.byName.get(keyText(key))
    return row === undefined ? undefined : this.placeOf(row)
  }

  /** Takes rows instead of those that are there, in any order. Values that were read of them stay. */
  replace(rows: readonly KeyRow[]): void {
    const kept = rows.map((row) => {
      const known = this.byName.get(keyText(row.key))
      return known?.modRevision === row.modRevision ? known : row
    })
    this.rows = []
    this.byName.clear()
    this.edge = undefined
    this.append(kept)
    this.rows.sort((left, right) => this.compare(left, right))
  }

  /** Takes rows that lie behind those that are there. */
  append(rows: Iterable<KeyRow>): void {
    for (const row of rows) {
      this.rows.push(row)
      this.byName.set(keyText(row.key), row)
    }
  }

  /**
   * All was read that will be; from now on changes can be taken.
   *
   * @param count  rows of the whole list
   * @param revision  the revision that was read; changes up to it are known
   */
  close(count: number, revision: number): void {
    this.count = count
    this.baseRevision = revision
    this.edge = count > this.rows.length ? this.rows.at(-1) : undefined
  }

  /** Takes a change of a key. Answers whether a row of the list is another one now. */
  apply(change: WatchChange): boolean {
    if (change.revision <= this.baseRevision) return false
    if (!this.options.accepts(change.key)) return false
    if (change.current === undefined) this.count--
    else if (change.current.version === 1) this.count++
    const known = this.byName.get(keyText(change.key))
    if (known !== undefined && known.modRevision >= change.revision) return false
    if (known !== undefined) this.remove(known)
    const row = rowOfChange(change)
    const isPlaced = row !== undefined && this.place(row)
    return isPlaced || known !== undefined
  }

  /** Takes a row that was read once more, with its value, unless the one here is newer or gone. */
  putValue(row: KeyRow): void {
    const name = keyText(row.key)
    const known = this.byName.get(name)
    if (known === undefined || known.modRevision > row.modRevision) return
    if (this.compare(known, row) === 0) {
      this.rows[this.placeOf(known)] = row
      this.byName.set(name, row)
    } else {
      // It was written since: the change will come by the watch, and is known then.
      this.remove(known)
      this.place(row)
    }
  }

  private place(row: KeyRow): boolean {
    if (this.edge !== undefined && this.compare(row, this.edge) > 0) return false
    this.rows.splice(this.placeOf(row), 0, row)
    this.byName.set(keyText(row.key), row)
    if (this.rows.length <= this.options.rowsMax) return true
    const last = this.rows.pop()
    if (last !== undefined) this.byName.delete(keyText(last.key))
    this.edge = this.rows.at(-1)
    return last !== row
  }

  private remove(row: KeyRow): void {
    this.rows.splice(this.placeOf(row), 1)
    this.byName.delete(keyText(row.key))
  }

  /** Where a row stands, or where it would. */
  private placeOf(row: KeyRow): number {
    let low = 0
    let high = this.rows.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.rows[middle]
      if (other !== undefined && this.compare(other, row) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  private compare(left: KeyRow, right: KeyRow): number {
    const { by, isDescending } = this.options.order
    const sign = isDescending ? -1 : 1
    if (by === 'key') return compareKeys(left.key, right.key) * sign
    const field = by === 'size' ? 'valueSizeBytes' : by
    return (left[field] - right[field]) * sign || compareKeys(left.key, right.key)
  }
}
