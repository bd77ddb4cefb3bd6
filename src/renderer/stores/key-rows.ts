/** Rows in an order of their own: the answer to a sort or a search. */

import type { KeyRow } from '../../preload/contract/key-columns.ts'
import { keyRowAt } from '../../preload/contract/key-columns.ts'
import type { KeyColumns } from '../../preload/contract/kv.ts'
import { keyText } from '../format/bytes-text.ts'

/** A list that only grows, with a way from a key to its row. */
export class KeyRows {
  private rows: KeyRow[] = []
  private readonly positions = new Map<string, number>()

  constructor(rows: Iterable<KeyRow>) {
    for (const row of rows) this.add(row)
  }

  static of(columns: KeyColumns): KeyRows {
    return new KeyRows(Array.from({ length: columns.rowCount }, (_, row) => keyRowAt(columns, row)))
  }

  get length(): number {
    return this.rows.length
  }

  rowAt(position: number): KeyRow | undefined {
    return this.rows[position]
  }

  each(visit: (row: KeyRow) => void): void {
    for (const row of this.rows) visit(row)
  }

  find(key: Uint8Array): number | undefined {
    return this.positions.get(keyText(key))
  }

  add(row: KeyRow): void {
    this.positions.set(keyText(row.key), this.rows.length)
    this.rows.push(row)
  }

  clear(): void {
    this.rows = []
    this.positions.clear()
  }

  /** Adds its value to a row that is there, unless the row is newer. */
  putValue(row: KeyRow): void {
    const position = this.find(row.key)
    const known = position === undefined ? undefined : this.rows[position]
    if (position !== undefined && known !== undefined && known.modRevision <= row.modRevision)
      this.rows[position] = row
  }
}
