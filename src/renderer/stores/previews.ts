/** Values of the rows in sight: fetched for a window of the list at a time, kept while the list lives. */

import { keyRowAt } from '../../preload/contract/key-columns.ts'
import type { KeyRow } from '../../preload/contract/key-columns.ts'
import { kvApi } from '../api/kv-api.ts'
import { passOverCall } from './failure-text.ts'
import { keyText } from '../format/bytes-text.ts'
import { compareKeys, successor } from './key-order.ts'

/** Scrolling fast passes windows that are never looked at; the fetch waits this long for the list to rest. */
const restMs = 80
/** One fetch stays small, so that a hundred values at the size limit cannot pile up in one answer. */
const rowsPerFetchMax = 64

interface PreviewOptions {
  readonly connectionId: string
  readonly previewBytesMax: number
  /** The revision that the rows are of; 0: the newest. */
  readonly revision: () => number
  /** Receives rows with their (cut) values. */
  readonly onRows: (rows: readonly KeyRow[]) => void
}

/** Fetches previews for the rows of one list. */
export class PreviewCache {
  private readonly options: PreviewOptions
  private timer: ReturnType<typeof setTimeout> | undefined
  private wanted: readonly KeyRow[] = []
  /** Rows that were asked for, by key and revision: one that cannot be read, or is gone, is not asked for again. */
  private asked = new Set<string>()
  private isFetching = false
  /** Whether the rows follow one another in the order of keys, so that one range has them all. */
  private areNeighbours = true
  private generation = 0

  constructor(options: PreviewOptions) {
    this.options = options
  }

  /** Asks for the values of the rows in sight that have none; replaces what was asked before. */
  want(rows: readonly KeyRow[], { areNeighbours }: { readonly areNeighbours: boolean }): void {
    this.areNeighbours = areNeighbours
    this.wanted = rows.filter(
      (row) => row.value.length === 0 && row.valueSizeBytes !== 0 && !this.asked.has(nameOf(row)),
    )
    clearTimeout(this.timer)
    if (this.wanted.length === 0) return
    this.timer = setTimeout(() => void this.fetch(), restMs)
  }

  clear(): void {
    this.generation++
    this.wanted = []
    this.asked = new Set()
    clearTimeout(this.timer)
  }

  dispose(): void {
    this.clear()
  }

  private async fetch(): Promise<void> {
    if (this.isFetching) return
    this.isFetching = true
    const { generation } = this
    try {
      while (this.wanted.length > 0 && generation === this.generation) {
        const rows = this.wanted.slice(0, rowsPerFetchMax)
        this.wanted = this.wanted.slice(rowsPerFetchMax)
        for (const row of rows) this.asked.add(nameOf(row))
        const found = await this.read(rows)
        if (generation === this.generation) this.options.onRows(found)
      }
    } finally {
      this.isFetching = false
    }
  }

  /** Rows with values; a failed read is halved until the row that cannot be read stands alone, without its value. */
  private async read(rows: readonly KeyRow[]): Promise<readonly KeyRow[]> {
    const first = rows[0]
    const last = rows.at(-1)
    if (first === undefined || last === undefined) return []
    if (!this.areNeighbours && rows.length > 1) {
      const halves = [rows.slice(0, rows.length >> 1), rows.slice(rows.length >> 1)]
      return (await Promise.all(halves.map((half) => this.read(half)))).flat()
    }
    const [low, high] = compareKeys(first.key, last.key) <= 0 ? [first, last] : [last, first]
    try {
      const page = await kvApi.range({
        connectionId: this.options.connectionId,
        range: { kind: 'interval', start: low.key, end: successor(high.key) },
        limit: rows.length,
        revision: this.options.revision(),
        valueBytesMax: this.options.previewBytesMax,
      })
      return Array.from({ length: page.columns.rowCount }, (_, row) => keyRowAt(page.columns, row))
    } catch (failure) {
      // A preview is an extra: without it the row still shows its key and figures, and opening it tells the reason.
      passOverCall(failure)
      if (rows.length === 1) return []
      const middle = rows.length >> 1
      return [...(await this.read(rows.slice(0, middle))), ...(await this.read(rows.slice(middle)))]
    }
  }
}

function nameOf(row: KeyRow): string {
  return `${keyText(row.key)}@${String(row.modRevision)}`
}
