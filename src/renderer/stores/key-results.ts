/**
 * The answer to a sort or a search of a range, kept current by one watch on the whole range.
 *
 * By revisions and version the server sorts. By size, and for keys that hold some bytes, the main process looks at every key
 * (a scan). Either way the answer is the state of one revision, and the watch begins behind it. Changes are taken in bursts
 * of a tenth of a second: a busy range must not draw the list anew sixty times a second.
 */

import { shallowRef } from 'vue'
import { keyRowAt } from '../../preload/contract/key-columns.ts'
import type { KeyRow } from '../../preload/contract/key-columns.ts'
import type { KeyColumns, KeyRange } from '../../preload/contract/kv.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import type { ScanItem } from '../../preload/contract/scan.ts'
import type { WatchChange, WatchItem } from '../../preload/contract/watch.ts'
import { kvApi } from '../api/kv-api.ts'
import { streamApi } from '../api/stream-api.ts'
import { testOfMatch, type KeySearch } from './key-search.ts'
import { SortedRows } from './sorted-rows.ts'
import type { ListOrder } from './sorted-rows.ts'

/** Rows of a list that is not in the order of its keys: the server sorts everything to answer with these. */
export const sortedRowsMax = 1_000
/** Found rows that are kept. */
export const foundRowsMax = 10_000
/** Changes are shown this often at most. */
const burstMs = 100
/** So many changes are not kept waiting: a stream that is faster waits for the page instead. */
const waitingMax = 2_000
/** A list that has to be read again, because rows left it or changes are missing, is read this often at most. */
const readAgainMs = 5_000

/** A scan of the range: for a search, or for the order by size. */
export interface ScanState {
  readonly kind: 'search' | 'size'
  /** Absent for the order by size. */
  readonly search?: KeySearch
  readonly scannedCount: number
  readonly totalCount: number
  readonly foundCount: number
  readonly revision: number
  readonly isRunning: boolean
  /** More rows exist than the list keeps. */
  readonly isCut: boolean
  /** Ended by the user before its end. */
  readonly isCancelled: boolean
  /** Ended by an error before its end. */
  readonly hasFailed: boolean
}

/** What is asked. */
export type ResultsWish =
  | {
      readonly kind: 'sort'
      readonly by: 'createRevision' | 'modRevision' | 'version'
      readonly isDescending: boolean
    }
  | { readonly kind: 'size'; readonly isDescending: boolean }
  | { readonly kind: 'search'; readonly search: KeySearch }
  /** Among rows that this window has read at a revision. */
  | {
      readonly kind: 'loaded'
      readonly search: KeySearch
      readonly rows: readonly KeyRow[]
      readonly revision: number
      readonly loadedCount: number
      readonly totalCount: number
    }

export interface KeyResultsOptions {
  readonly connectionId: string
  readonly range: KeyRange
  /** All reads are as of this revision; 0: the newest, which is then followed. */
  readonly revision: number
  readonly isLive: boolean
  readonly valueBytesMax: number
  readonly wish: ResultsWish
  /** Rows, counts or the state of the scan changed. */
  readonly onChange: () => void
  /** A change of a key of the range, before it is taken; the receiver calls `apply`. */
  readonly onFresh: (change: WatchChange) => void
  /** A read failed, or the watch was refused. */
  readonly onError: (error: unknown) => void
}

/** One answer. */
export class KeyResults {
  readonly rows: SortedRows
  readonly scan = shallowRef<ScanState>()
  /** Changes are missing since, and to look at everything again is for the user to decide. */
  readonly isStale = shallowRef(false)
  /** The newest revision that the rows are of. */
  revision = 0
  /** Keys of the range; undefined while it is not known for the revision that is shown. */
  totalCount: number | undefined
  private readonly options: KeyResultsOptions
  private stream: Subscription | undefined
  private watch: Subscription | undefined
  private waiting: WatchChange[] = []
  private burstTimer: ReturnType<typeof setTimeout> | undefined
  private againTimer: ReturnType<typeof setTimeout> | undefined
  private isEnded = false
  private baseRevision = 0

  constructor(options: KeyResultsOptions) {
    this.options = options
    const { wish } = options
    this.rows = new SortedRows({
      order: orderOf(wish),
      rowsMax: wish.kind === 'sort' || wish.kind === 'size' ? sortedRowsMax : foundRowsMax,
      accepts: acceptsOf(wish),
    })
  }

  /** Begins to read. Resolves when the first rows are there, or a scan has begun. Throws `CallError`. */
  async open(): Promise<void> {
    const { wish } = this.options
    if (wish.kind === 'sort') await this.readSorted(wish)
    else if (wish.kind === 'loaded') this.takeLoaded(wish)
    else this.beginScan(wish)
  }

  /** Makes a change part of the rows. Answers whether it is seen. */
  apply(change: WatchChange): boolean {
    if (this.totalCount !== undefined && change.revision > this.baseRevision) {
      if (change.current === undefined) this.totalCount--
      else if (change.current.version === 1) this.totalCount++
    }
    const isSeen = this.rows.apply(change)
    const scan = this.scan.value
    if (scan !== undefined && scan.foundCount !== this.rows.count)
      this.scan.value = { ...scan, foundCount: this.rows.count, isCut: this.rows.isCut }
    return isSeen
  }

  /** Stops a running scan; what it found stays, and is followed. */
  cancel(): void {
    const { value } = this.scan
    if (value?.isRunning !== true) return
    this.stream?.close()
    this.stream = undefined
    this.scan.value = { ...value, isRunning: false, isCancelled: true }
    // Of what was not looked at nothing is known, so what was found is the whole list.
    this.rows.close(this.rows.length, value.revision)
    this.totalCount = value.totalCount
    this.follow(value.revision)
  }

  /** Follows no further. */
  rest(): void {
    this.takeWaiting()
    this.endWatch()
    this.totalCount = undefined
  }

  /** Ends everything that goes on for this answer. */
  dispose(): void {
    this.isEnded = true
    this.stream?.close()
    this.endWatch()
    clearTimeout(this.againTimer)
  }

  private async readSorted(wish: ResultsWish & { readonly kind: 'sort' }): Promise<void> {
    const { connectionId, range, revision } = this.options
    const { by, isDescending } = wish
    const page = await kvApi.range({
      ...{ connectionId, range, revision, limit: sortedRowsMax, valueBytesMax: 0 },
      sort: { by, isDescending },
    })
    if (this.isEnded) return
    this.endWatch()
    this.rows.replace(rowsOf(page.columns))
    this.rows.close(page.count, page.revision)
    this.totalCount = page.count
    this.follow(page.revision)
    this.options.onChange()
  }

  private takeLoaded(wish: ResultsWish & { readonly kind: 'loaded' }): void {
    const { search, rows, revision, loadedCount, totalCount } = wish
    this.rows.replace(rows)
    this.rows.close(rows.length, revision)
    this.scan.value = {
      ...{ kind: 'search', search, scannedCount: loadedCount, totalCount, revision },
      ...{ foundCount: rows.length, isRunning: false, isCancelled: false, hasFailed: false },
      isCut: rows.length >= foundRowsMax,
    }
    this.follow(revision)
    this.options.onChange()
  }

  private beginScan(wish: ResultsWish & { readonly kind: 'search' | 'size' }): void {
    const { connectionId, range, revision } = this.options
    const bySize = wish.kind === 'search' ? undefined : wish.isDescending
    const search = wish.kind === 'search' ? wish.search : undefined
    this.scan.value = {
      ...{ kind: wish.kind, scannedCount: 0, totalCount: 0, foundCount: 0, revision },
      ...(search === undefined ? {} : { search }),
      ...{ isRunning: true, isCut: false, isCancelled: false, hasFailed: false },
    }
    this.stream = streamApi.scan(
      {
        ...{ connectionId, range, revision },
        ...(search === undefined ? {} : { match: search.match, isInValues: search.isInValues }),
        limit: wish.kind === 'search' ? foundRowsMax : sortedRowsMax,
        ...(bySize === undefined ? {} : { bySize: bySize ? 'descending' : 'ascending' }),
      },
      {
        onBatch: (items) => {
          this.takeScan(items)
        },
        onEnd: (failure) => {
          this.scanEnded(failure)
        },
      },
    )
    this.options.onChange()
  }

  private takeScan(items: readonly ScanItem[]): void {
    let state = this.scan.value
    if (state?.isRunning !== true) return
    for (const item of items) {
      if (item.kind === 'progress') state = { ...state, ...item, kind: state.kind }
      else if (item.replaces) this.rows.replace(rowsOf(item.columns))
      else this.rows.append(rowsOf(item.columns))
    }
    this.rows.count = state.foundCount
    this.scan.value = state
    this.options.onChange()
  }

  private scanEnded(failure: unknown): void {
    const state = this.scan.value
    this.stream = undefined
    if (state?.isRunning !== true) return
    this.scan.value = { ...state, isRunning: false, hasFailed: failure !== undefined }
    this.rows.close(state.foundCount, state.revision)
    if (failure !== undefined) {
      this.options.onError(failure)
      this.options.onChange()
      return
    }
    this.totalCount = state.totalCount
    this.follow(state.revision)
    this.options.onChange()
  }

  /** Watches the range from behind a revision on. */
  private follow(revision: number): void {
    this.revision = revision
    this.baseRevision = revision
    if (!this.options.isLive || this.options.revision !== 0 || revision === 0) return
    const { connectionId, range, valueBytesMax } = this.options
    const watch: Subscription = streamApi.watch(
      {
        ...{ connectionId, range, startRevision: revision + 1, hasPrevious: false, valueBytesMax },
        ...{ isWithoutPuts: false, isWithoutDeletes: false },
      },
      {
        onBatch: (items) => {
          if (this.watch === watch) this.takeItems(items)
        },
        onEnd: (failure) => {
          if (this.watch !== watch) return
          this.endWatch()
          if (failure !== undefined) this.options.onError(failure)
          this.lose()
        },
      },
    )
    this.watch = watch
  }

  private get isOfValues(): boolean {
    const { wish } = this.options
    return wish.kind === 'search' && wish.search.isInValues
  }

  private endWatch(): void {
    this.watch?.close()
    this.watch = undefined
    clearTimeout(this.burstTimer)
    this.burstTimer = undefined
    this.waiting = []
  }

  private takeItems(items: readonly WatchItem[]): void {
    for (const item of items) {
      if (item.kind === 'gap' || item.kind === 'dropped') {
        this.endWatch()
        this.lose()
        return
      }
      if (item.kind === 'progress') this.revision = Math.max(this.revision, item.revision)
      // What a changed value holds is not known here, at least not of a long one.
      if (item.kind === 'change' && this.isOfValues) {
        this.endWatch()
        this.lose()
        return
      }
      if (item.kind === 'change') this.waiting.push(item.change)
    }
    if (this.waiting.length >= waitingMax) this.takeWaiting()
    else if (this.waiting.length > 0)
      this.burstTimer ??= setTimeout(() => {
        this.takeWaiting()
      }, burstMs)
  }

  private takeWaiting(): void {
    clearTimeout(this.burstTimer)
    this.burstTimer = undefined
    const changes = this.waiting
    this.waiting = []
    for (const change of changes) this.options.onFresh(change)
    this.revision = Math.max(this.revision, changes.at(-1)?.revision ?? 0)
    this.options.onChange()
    if (this.rows.isWanting) this.readAgain()
  }

  /** Changes are missing. What one call answers is asked again; a scan of everything is not begun unasked. */
  private lose(): void {
    this.totalCount = undefined
    if (this.options.wish.kind === 'sort') this.readAgain()
    else this.isStale.value = true
    this.options.onChange()
  }

  private readAgain(): void {
    const { wish } = this.options
    if (wish.kind !== 'sort') return
    this.againTimer ??= setTimeout(() => {
      this.againTimer = undefined
      this.readSorted(wish).catch((failure: unknown) => {
        if (!this.isEnded) this.options.onError(failure)
      })
    }, readAgainMs)
  }
}

function orderOf(wish: ResultsWish): ListOrder {
  switch (wish.kind) {
    case 'sort':
      return { by: wish.by, isDescending: wish.isDescending }
    case 'size':
      return { by: 'size', isDescending: wish.isDescending }
    case 'search':
    case 'loaded':
      return { by: 'key', isDescending: false }
  }
}

function acceptsOf(wish: ResultsWish): (key: Uint8Array) => boolean {
  const search = wish.kind === 'search' || wish.kind === 'loaded' ? wish.search : undefined
  return search === undefined || search.isInValues ? () => true : testOfMatch(search.match)
}

function rowsOf(columns: KeyColumns): readonly KeyRow[] {
  return Array.from({ length: columns.rowCount }, (_, row) => keyRowAt(columns, row))
}
