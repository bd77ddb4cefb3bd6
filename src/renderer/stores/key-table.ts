/**
 * A sorted list of keys that can hold a million rows.
 *
 * Rows stay in the columns in which they arrived; the list itself is one array of numbers, each naming a chunk and a row
 * in it. A row that a watch brought is a single row and has a negative number. So a row costs eight bytes beside its own
 * columns, a lookup is a binary search, and one insertion moves numbers, not objects.
 *
 * Example: chunk 0 holds keys a, c; a watch creates b. The row b becomes single row 0, and the order is [0, -1, 1].
 */

import { keyRowAt } from '../../preload/contract/key-columns.ts'
import type { KeyRow } from '../../preload/contract/key-columns.ts'
import type { KeyColumns } from '../../preload/contract/kv.ts'
import { compareKeys } from './key-order.ts'

/** A page holds at most 10,000 rows, so the row fits below this factor. */
const rowsPerChunkMax = 16_384

/** A row as an object takes several times what it takes in the columns; those in sight are far fewer. */
const madeMax = 256

/** Sorted keys with their metadata. Not reactive: its owner tells the screen when it changed. */
export class KeyTable {
  /** Invariant: keys strictly rising. */
  private order: number[] = []
  private readonly chunks: KeyColumns[] = []
  private readonly singles: KeyRow[] = []
  /** Slots of `singles` that no row of the list uses any more. */
  private readonly freeSlots: number[] = []
  /** Rows of the chunks that were asked for last: a row that is the same object need not be drawn again. */
  private readonly made = new Map<number, KeyRow>()

  get length(): number {
    return this.order.length
  }

  /** The row at a position; throws RangeError outside of the list. */
  rowAt(position: number): KeyRow {
    const handle = this.order[position]
    if (handle === undefined)
      throw new RangeError(`row ${String(position)} of ${String(this.length)}`)
    return this.rowOf(handle)
  }

  /** The key at a position, without building the row. */
  keyAt(position: number): Uint8Array {
    const handle = this.order[position]
    if (handle === undefined)
      throw new RangeError(`row ${String(position)} of ${String(this.length)}`)
    return this.keyOf(handle)
  }

  /** Adds a page that lies behind every key of the list. Rows that do not lie behind are replaced or put in place. */
  append(columns: KeyColumns): void {
    if (columns.rowCount > rowsPerChunkMax) throw new RangeError('a page is too long for one chunk')
    const base = this.chunks.length * rowsPerChunkMax
    this.chunks.push(columns)
    for (let row = 0; row < columns.rowCount; row++) {
      const handle = base + row
      const last = this.order.length - 1
      if (last < 0 || compareKeys(this.keyAt(last), this.keyOf(handle)) < 0) this.order.push(handle)
      else this.place(handle)
    }
  }

  /** Puts one row in its place, instead of an older one with the same key. Answers whether the key is new. */
  put(row: KeyRow): boolean {
    const { position, isFound } = this.find(row.key)
    if (isFound) this.release(this.order[position])
    this.order.splice(position, isFound ? 1 : 0, this.addSingle(row))
    return !isFound
  }

  /** Takes a key out. Answers whether it was there. */
  delete(key: Uint8Array): boolean {
    const { position, isFound } = this.find(key)
    if (isFound) this.release(this.order.splice(position, 1)[0])
    return isFound
  }

  /** Where a key stands, or where it would. */
  find(key: Uint8Array): { readonly position: number; readonly isFound: boolean } {
    let low = 0
    let high = this.order.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const difference = compareKeys(this.keyAt(middle), key)
      if (difference === 0) return { position: middle, isFound: true }
      if (difference < 0) low = middle + 1
      else high = middle
    }
    return { position: low, isFound: false }
  }

  private place(handle: number): boolean {
    const { position, isFound } = this.find(this.keyOf(handle))
    this.order.splice(position, isFound ? 1 : 0, handle)
    return !isFound
  }

  private rowOf(handle: number): KeyRow {
    if (handle < 0) return this.singleOf(handle)
    const known = this.made.get(handle)
    if (known !== undefined) return known
    const row = keyRowAt(this.chunkOf(handle), handle % rowsPerChunkMax)
    if (this.made.size >= madeMax) this.made.clear()
    this.made.set(handle, row)
    return row
  }

  private keyOf(handle: number): Uint8Array {
    if (handle < 0) return this.singleOf(handle).key
    const columns = this.chunkOf(handle)
    const row = handle % rowsPerChunkMax
    return columns.keyBytes.subarray(columns.keyOffsets[row], columns.keyOffsets[row + 1])
  }

  private chunkOf(handle: number): KeyColumns {
    const columns = this.chunks[Math.floor(handle / rowsPerChunkMax)]
    if (columns === undefined) throw new RangeError(`handle ${String(handle)} names no row`)
    return columns
  }

  private singleOf(handle: number): KeyRow {
    const row = this.singles[-handle - 1]
    if (row === undefined) throw new RangeError(`handle ${String(handle)} names no row`)
    return row
  }

  /** Keeps a single row, in a slot that was given back where there is one. */
  private addSingle(row: KeyRow): number {
    const slot = this.freeSlots.pop() ?? this.singles.length
    this.singles[slot] = row
    return -slot - 1
  }

  private release(handle: number | undefined): void {
    if (handle !== undefined && handle < 0) this.freeSlots.push(-handle - 1)
  }
}
