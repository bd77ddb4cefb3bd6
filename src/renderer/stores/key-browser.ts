/**
 * What a key tab lists: the keys of a range page by page as they come into sight, or the answer to a sort or a search.
 *
 * Values are fetched for the rows in sight only (`previews.ts`), so a list of large values opens as fast as one of small.
 */

import { shallowRef } from 'vue'
import type { KeyRow } from '../../preload/contract/key-columns.ts'
import { keyRowAt } from '../../preload/contract/key-columns.ts'
import type { KeyRange } from '../../preload/contract/kv.ts'
import type { ScanItem, ScanRequest } from '../../preload/contract/scan.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import { kvApi } from '../api/kv-api.ts'
import { streamApi } from '../api/stream-api.ts'
import { boundsOf, includesBytes } from './key-order.ts'
import { KeyPages } from './key-pages.ts'
import { KeyRows } from './key-rows.ts'
import { PreviewCache } from './previews.ts'
import { RowEffects } from './row-effects.ts'

const previewBytesMax = 512
/** Rows of a list that is not in the order of its keys: the server sorts everything to answer with these. */
export const sortedRowsMax = 1_000
/** Found rows that are kept. */
export const foundRowsMax = 10_000
const countEveryMs = 3_000

/** What a list is sorted by. */
export interface ListOrder {
  readonly by: 'key' | 'createRevision' | 'modRevision' | 'version' | 'size'
  readonly isDescending: boolean
}

/** A scan of the range: for a search, or for the order by size. */
export interface ScanState {
  readonly kind: 'search' | 'size'
  readonly text: string
  readonly scannedCount: number
  readonly totalCount: number
  readonly foundCount: number
  readonly revision: number
  readonly isRunning: boolean
  /** More rows exist than the list keeps. */
  readonly isCut: boolean
  /** Ended by the user before its end. */
  readonly isCancelled: boolean
}

export interface KeyBrowserOptions {
  readonly connectionId: string
  readonly range: KeyRange
  readonly pageRows: number
  /** The revision to read as of; 0: the head. */
  readonly revision: number
}

/** Keys of one range of one connection. */
export class KeyBrowser {
  readonly connectionId: string
  readonly range: KeyRange
  /** What the keys begin with; empty for a range that is no prefix. */
  readonly prefix: Uint8Array
  readonly status = shallowRef<'idle' | 'loading' | 'ready' | 'failed'>('idle')
  readonly error = shallowRef<unknown>()
  /** Rises when rows changed. */
  readonly changes = shallowRef(0)
  /** Keys in the range, whether loaded or not. */
  readonly total = shallowRef(0)
  /** The newest revision that the list shows. */
  readonly revision = shallowRef(0)
  readonly isLive = shallowRef(true)
  /** The revision that was asked for; 0: the head. `revision` follows when its rows are there. */
  readonly atRevision = shallowRef(0)
  /** The newest revision of the cluster that any answer told. */
  readonly headRevision = shallowRef(0)
  /** Wall time of the last answer, for a list that has gone stale. */
  readonly answeredAtMs = shallowRef(0)
  /** Changes that happen while the list is looked at are made visible. */
  readonly effects = new RowEffects({
    apply: (change) => {
      this.pages.apply(change)
    },
    onLate: () => {
      this.pages.options.onChange()
    },
  })
  readonly order = shallowRef<ListOrder>({ by: 'key', isDescending: false })
  readonly scan = shallowRef<ScanState>()
  readonly previews: PreviewCache
  /** The row that the list shall begin with, once. */
  readonly scrollRequest = shallowRef<number>()
  /** Where the list was scrolled to, for when its tab is shown again. */
  scrollTop = 0
  private readonly pages: KeyPages
  /** Rows of a sort or a search, instead of the pages. */
  private results: KeyRows | undefined
  private scanStream: Subscription | undefined
  private searched: { readonly text: string; readonly needle: Uint8Array } | undefined
  private isTravelling = false
  private generation = 0
  private countedRevision = 0
  private countTimer: ReturnType<typeof setTimeout> | undefined

  constructor({ connectionId, range, pageRows, revision }: KeyBrowserOptions) {
    this.connectionId = connectionId
    this.range = range
    this.atRevision.value = revision
    this.prefix = range.kind === 'prefix' ? range.prefix : new Uint8Array(0)
    this.pages = new KeyPages({
      connectionId,
      range,
      pageRows,
      revision,
      valueBytesMax: previewBytesMax,
      onChange: () => {
        this.effects.show()
        this.rowsChanged()
      },
      onFresh: (change) => {
        this.effects.take(change)
      },
      onError: (failure) => {
        this.error.value = failure
        if (failure === undefined) this.answeredAtMs.value = Date.now()
      },
    })
    this.previews = new PreviewCache({
      connectionId,
      previewBytesMax,
      revision: () => (this.atRevision.value === 0 ? 0 : this.pages.pinnedRevision),
      onRows: (rows) => {
        this.takeValues(rows)
      },
    })
  }

  /** Rows of the list, whether loaded or not. */
  get length(): number {
    return this.results?.length ?? this.pages.window?.length ?? 0
  }

  get loadedCount(): number {
    return this.results?.length ?? this.pages.window?.loadedCount ?? 0
  }

  /** The row at a position, or undefined while it is not loaded. */
  rowAt(position: number): KeyRow | undefined {
    if (this.results !== undefined) return this.results.rowAt(position)
    return this.pages.window?.rowAt(this.mirrored(position))
  }

  /** Where a loaded key stands. */
  find(key: Uint8Array): number | undefined {
    if (this.results !== undefined) return this.results.find(key)
    const position = this.pages.window?.find(key)
    return position === undefined ? undefined : this.mirrored(position)
  }

  /** Rows that this window has read, in the order of their keys, until `visit` answers false. */
  eachLoaded(visit: (row: KeyRow) => boolean): void {
    this.pages.window?.eachLoaded(visit)
  }

  /** Calls `visit` for every row that is loaded of what is shown. */
  eachRow(visit: (row: KeyRow) => void): void {
    if (this.results !== undefined) this.results.each(visit)
    else
      this.eachLoaded((row) => {
        visit(row)
        return true
      })
  }

  /** Reads the list anew. Rows stay on the screen until those of the new list are there. */
  async load(): Promise<void> {
    const generation = ++this.generation
    if (this.length === 0) this.status.value = 'loading'
    try {
      await this.pages.open()
      if (generation !== this.generation) return
      this.previews.clear()
      this.countedRevision = this.pages.headRevision
      this.total.value = this.pages.window?.length ?? 0
      this.status.value = 'ready'
      this.error.value = undefined
      this.answeredAtMs.value = Date.now()
      // What is in sight has no values now, and asks for them when the rows are told to have changed.
      this.rowsChanged()
      if (this.searched !== undefined) this.search(this.searched.text, this.searched.needle)
      else if (this.order.value.by !== 'key') await this.sort(this.order.value)
    } catch (failure) {
      if (generation !== this.generation) return
      this.error.value = failure
      this.status.value = this.length === 0 ? 'failed' : 'ready'
    }
  }

  /**
   * Reads as of another revision; 0: the head. Rows stay until those of the new revision are there. Of many revisions asked
   * for in a row (a slider is dragged) the one in work is finished, and then the newest is read.
   */
  setRevision(revision: number): void {
    if (revision === this.atRevision.value) return
    this.atRevision.value = revision
    this.pages.fixedRevision = revision
    void this.travel()
  }

  private async travel(): Promise<void> {
    if (this.isTravelling) return
    this.isTravelling = true
    let revision: number
    do {
      revision = this.atRevision.value
      await this.load()
    } while (revision !== this.atRevision.value)
    this.isTravelling = false
  }

  /** Says which rows are in sight: they are read, watched, and their values fetched. */
  see(first: number, last: number): void {
    if (this.results === undefined && last >= first) {
      const ends = [this.mirrored(first), this.mirrored(last)]
      this.pages.see(Math.min(...ends), Math.max(...ends))
    }
    const rows: KeyRow[] = []
    for (let at = first; at <= Math.min(last, this.length - 1); at++) {
      const row = this.rowAt(at)
      if (row !== undefined) rows.push(row)
    }
    this.previews.want(rows, { areNeighbours: this.results === undefined })
  }

  /** Reads again what failed. */
  retry(): void {
    if (this.status.value === 'failed') void this.load()
    else this.pages.retry()
  }

  /** Keeps the rows current by a watch, or stops that. */
  setLive(isLive: boolean): void {
    this.isLive.value = isLive
    this.pages.setLive(isLive)
    if (isLive) void this.load()
  }

  /** Remembers where the list was scrolled to. */
  keepScroll(top: number): void {
    this.scrollTop = top
  }

  /** The list has been scrolled as asked for. */
  takeScrollRequest(): void {
    this.scrollRequest.value = undefined
  }

  /** Scrolls to a key: where it stands is counted, so that nothing before it has to be read. */
  async scrollToKey(key: Uint8Array): Promise<void> {
    const { connectionId, range } = this
    const { from } = boundsOf(range)
    try {
      const before = { kind: 'interval', start: from, end: key } as const
      const { count } = await kvApi.count({
        connectionId,
        range: before,
        revision: this.atRevision.value,
      })
      this.scrollRequest.value = count
    } catch (failure) {
      this.error.value = failure
    }
  }

  /** The cluster has a newer revision: the number of keys may be another one. */
  noteHead(revision: number): void {
    const isExact = this.pages.isWatchedWhole
    if (
      !this.isLive.value ||
      this.atRevision.value !== 0 ||
      isExact ||
      revision <= this.countedRevision
    )
      return
    if (this.status.value !== 'ready') return
    this.countTimer ??= setTimeout(() => void this.countAgain(), countEveryMs)
  }

  /** Sorts the list. By key it is read page by page; otherwise the server sorts, and by size everything is looked at. */
  async sort(order: ListOrder): Promise<void> {
    this.order.value = order
    this.searched = undefined
    this.endScan()
    this.scrollTop = 0
    if (order.by === 'key') {
      this.results = undefined
      this.rowsChanged()
    } else if (order.by === 'size') {
      this.startScan({ kind: 'size', text: '' }, order.isDescending)
    } else {
      await this.sortByServer(order.by, order.isDescending)
    }
  }

  /** Searches the whole range for keys that hold some bytes. An empty text ends the search. */
  search(text: string, needle: Uint8Array): void {
    this.endScan()
    this.searched = needle.length === 0 ? undefined : { text, needle }
    if (needle.length === 0) void this.sort(this.order.value)
    else this.startScan({ kind: 'search', text, needle }, undefined)
  }

  /** Shows those of the loaded rows that hold some bytes. */
  searchLoaded(text: string, needle: Uint8Array): void {
    this.searched = undefined
    this.endScan()
    const rows: KeyRow[] = []
    this.eachLoaded((row) => {
      if (includesBytes(row.key, needle)) rows.push(row)
      return rows.length < foundRowsMax
    })
    const loaded = this.pages.window?.loadedCount ?? 0
    this.results = new KeyRows(rows)
    this.scan.value = {
      ...{ kind: 'search', text, scannedCount: loaded, totalCount: this.total.value },
      ...{ foundCount: rows.length, revision: this.revision.value, isRunning: false },
      ...{ isCut: rows.length >= foundRowsMax, isCancelled: false },
    }
    this.rowsChanged()
  }

  /** Stops a running scan; what it found stays. */
  cancelScan(): void {
    this.scanStream?.close()
    this.scanStream = undefined
    const { value } = this.scan
    if (value?.isRunning === true)
      this.scan.value = { ...value, isRunning: false, isCancelled: true }
  }

  /** Ends everything that goes on for this list. */
  dispose(): void {
    this.generation++
    this.endScan()
    this.pages.dispose()
    this.previews.dispose()
    clearTimeout(this.countTimer)
    this.effects.dispose()
  }

  private mirrored(position: number): number {
    return this.order.value.isDescending && this.order.value.by === 'key'
      ? this.length - 1 - position
      : position
  }

  private rowsChanged(): void {
    const { headRevision, pinnedRevision } = this.pages
    this.headRevision.value = headRevision
    this.revision.value =
      this.atRevision.value === 0 ? Math.max(this.revision.value, headRevision) : pinnedRevision
    const isExact = this.pages.isWatchedWhole || this.status.value !== 'ready'
    if (isExact && this.pages.window !== undefined) this.total.value = this.pages.window.length
    this.changes.value++
  }

  private async countAgain(): Promise<void> {
    this.countTimer = undefined
    const { connectionId, range } = this
    try {
      const reply = await kvApi.count({ connectionId, range, revision: 0 })
      this.countedRevision = reply.headRevision
      this.total.value = reply.count
    } catch (failure) {
      this.error.value = failure
    }
  }

  private async sortByServer(
    by: 'createRevision' | 'modRevision' | 'version',
    isDescending: boolean,
  ): Promise<void> {
    const { generation } = this
    try {
      const page = await kvApi.range({
        connectionId: this.connectionId,
        range: this.range,
        limit: sortedRowsMax,
        revision: this.atRevision.value,
        valueBytesMax: 0,
        sort: { by, isDescending },
      })
      if (generation !== this.generation || this.order.value.by !== by) return
      this.results = KeyRows.of(page.columns)
      this.total.value = page.count
      this.error.value = undefined
      this.rowsChanged()
    } catch (failure) {
      if (generation === this.generation) this.error.value = failure
    }
  }

  private startScan(
    what: { readonly kind: ScanState['kind']; readonly text: string; readonly needle?: Uint8Array },
    isDescending: boolean | undefined,
  ): void {
    const results = new KeyRows([])
    this.results = results
    this.scan.value = {
      ...{ kind: what.kind, text: what.text, scannedCount: 0, totalCount: this.total.value },
      ...{ foundCount: 0, revision: 0, isRunning: true, isCut: false, isCancelled: false },
    }
    this.rowsChanged()
    const request: ScanRequest = {
      connectionId: this.connectionId,
      range: this.range,
      revision: this.atRevision.value,
      contains: what.needle ?? new Uint8Array(0),
      limit: isDescending === undefined ? foundRowsMax : sortedRowsMax,
      ...(isDescending === undefined
        ? {}
        : { bySize: isDescending ? ('descending' as const) : ('ascending' as const) }),
    }
    this.scanStream = streamApi.scan(request, {
      onBatch: (items) => {
        if (this.results === results) this.takeScan(items, results)
      },
      onEnd: (failure) => {
        if (this.results !== results) return
        this.scanStream = undefined
        if (failure !== undefined) this.error.value = failure
        if (this.scan.value !== undefined)
          this.scan.value = { ...this.scan.value, isRunning: false }
      },
    })
  }

  private takeScan(items: readonly ScanItem[], results: KeyRows): void {
    let state = this.scan.value
    if (state === undefined) return
    for (const item of items) {
      if (item.kind === 'rows') {
        if (item.replaces) results.clear()
        for (let row = 0; row < item.columns.rowCount; row++)
          results.add(keyRowAt(item.columns, row))
      } else {
        state = { ...state, ...item, kind: state.kind }
      }
    }
    this.scan.value = state
    this.rowsChanged()
  }

  /** The rows that follow come from elsewhere, without the values that were fetched for the others. */
  private endScan(): void {
    this.previews.clear()
    this.scanStream?.close()
    this.scanStream = undefined
    this.scan.value = undefined
    this.results = undefined
  }

  /** Adds values to rows that are there; a row that the watch has made newer meanwhile, or has taken away, stays so. */
  private takeValues(rows: readonly KeyRow[]): void {
    for (const row of rows) {
      this.pages.window?.putValue(row)
      this.results?.putValue(row)
    }
    this.rowsChanged()
  }
}
