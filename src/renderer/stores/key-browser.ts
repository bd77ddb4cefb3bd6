/**
 * What a key tab lists: the keys of a range page by page as they come into sight, or the answer to a sort or a search.
 *
 * Values are fetched for the rows in sight only (`previews.ts`), so a list of large values opens as fast as one of small.
 */

import { computed, shallowRef } from 'vue'
import type { ComputedRef } from 'vue'
import type { KeyRow } from '../../preload/contract/key-columns.ts'
import type { KeyRange } from '../../preload/contract/kv.ts'
import type { WatchChange } from '../../preload/contract/watch.ts'
import { kvApi } from '../api/kv-api.ts'
import { boundsOf } from './key-order.ts'
import { KeyPages } from './key-pages.ts'
import { testOfMatch, type KeySearch } from './key-search.ts'
import { readSpan } from './key-span.ts'
import { foundRowsMax, KeyResults } from './key-results.ts'
import type { ResultsWish, ScanState } from './key-results.ts'
import { PreviewCache } from './previews.ts'
import { RowEffects } from './row-effects.ts'
import type { ListOrder } from './sorted-rows.ts'

const previewBytesMax = 512
const countEveryMs = 3_000

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
    apply: (change) => this.applyChange(change),
    onLate: () => {
      this.showChanges()
    },
  })
  readonly order = shallowRef<ListOrder>({ by: 'key', isDescending: false })
  /** The search, or the look at every size, that the list shows. */
  readonly scan: ComputedRef<ScanState | undefined>
  /** Changes are missing in what a search or a look at every size found. */
  readonly isStale: ComputedRef<boolean>
  readonly previews: PreviewCache
  /** The row that the list shall begin with, once. */
  readonly scrollRequest = shallowRef<number>()
  /** Where the list was scrolled to, for when its tab is shown again. */
  scrollTop = 0
  private readonly pages: KeyPages
  /** Rows of a sort or a search, instead of the pages. */
  private readonly answer = shallowRef<KeyResults>()
  private searched: KeySearch | undefined
  /** What was asked for last; shown as soon as it has rows. */
  private askedAnswer: KeyResults | undefined
  /** The pages are shown from their end. */
  private isMirrored = false
  private isTravelling = false
  private reading: Promise<void> = Promise.resolve()
  private generation = 0
  private countedRevision = 0
  private countTimer: ReturnType<typeof setTimeout> | undefined

  constructor({ connectionId, range, pageRows, revision }: KeyBrowserOptions) {
    this.connectionId = connectionId
    this.range = range
    this.atRevision.value = revision
    this.prefix = range.kind === 'prefix' ? range.prefix : new Uint8Array(0)
    this.scan = computed(() => this.answer.value?.scan.value)
    this.isStale = computed(() => this.answer.value?.isStale.value === true)
    this.pages = new KeyPages({
      connectionId,
      range,
      pageRows,
      revision,
      valueBytesMax: previewBytesMax,
      onChange: () => {
        this.showChanges()
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

  /** Whether rows follow one another as their keys do, with no other key between. */
  get isInKeyOrder(): boolean {
    return this.answer.value === undefined
  }

  private get results(): KeyResults['rows'] | undefined {
    return this.answer.value?.rows
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
  load(): Promise<void> {
    const reading = this.readAnew()
    this.reading = reading
    return reading
  }

  /** Settles when the reading of the list that goes on now has ended, well or not. */
  whenRead(): Promise<void> {
    return this.reading
  }

  private async readAnew(): Promise<void> {
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
      if (this.searched !== undefined) this.search(this.searched)
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

  /**
   * The rows from a loaded one on to a position, whether those between are loaded or not. Throws `CallError`.
   *
   * @param from     where they begin: a row, and where it stands
   * @param to       where they end, before or behind it
   * @param rowsMax  no more are read, beginning at `from`
   */
  rowsBetween(
    from: { readonly row: KeyRow; readonly position: number },
    to: number,
    rowsMax: number,
  ): Promise<readonly KeyRow[]> {
    const count = Math.min(rowsMax, Math.abs(to - from.position) + 1)
    return readSpan({
      ...{ connectionId: this.connectionId, range: this.range, revision: this.atRevision.value },
      ...{ start: from.row.key, end: this.rowAt(to)?.key, count },
      isForward: to > from.position !== this.isMirrored,
    })
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
    this.pages.setLive(isLive && this.answer.value === undefined)
    if (isLive) void this.load()
    else this.answer.value?.rest()
  }

  /** Nobody sees the list: its rows are not kept current until it is woken. */
  rest(): void {
    this.pages.rest()
  }

  /** The list is seen again; the newest revision of the cluster that is known tells how much came meanwhile. */
  wake(headRevision: number): void {
    this.pages.wake(headRevision)
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
    const isExact = this.pages.isWatchedWhole || this.answer.value?.totalCount !== undefined
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
    this.scrollTop = 0
    const { by, isDescending } = order
    if (by === 'key') {
      this.show(undefined)
      this.rowsChanged()
    } else if (by === 'size') {
      await this.ask({ kind: 'size', isDescending })
    } else {
      await this.ask({ kind: 'sort', by, isDescending })
    }
  }

  /** Searches the whole range; without a search the list is shown again. */
  search(search: KeySearch | undefined): void {
    this.searched = search
    if (search === undefined) void this.sort(this.order.value)
    else void this.ask({ kind: 'search', search })
  }

  /** Shows those of the loaded rows whose keys match. */
  searchLoaded(search: KeySearch): void {
    this.searched = undefined
    const accepts = testOfMatch(search.match)
    const rows: KeyRow[] = []
    this.eachLoaded((row) => {
      if (accepts(row.key)) rows.push(row)
      return rows.length < foundRowsMax
    })
    const loadedCount = this.pages.window?.loadedCount ?? 0
    const totalCount = this.total.value
    const revision = this.pages.pinnedRevision
    void this.ask({ kind: 'loaded', search, rows, revision, loadedCount, totalCount })
  }

  /** Stops a running scan; what it found stays. */
  cancelScan(): void {
    this.answer.value?.cancel()
  }

  /** Ends everything that goes on for this list. */
  dispose(): void {
    this.generation++
    this.forgetAsked()
    this.answer.value?.dispose()
    this.pages.dispose()
    this.previews.dispose()
    clearTimeout(this.countTimer)
    this.effects.dispose()
  }

  private mirrored(position: number): number {
    return this.isMirrored ? this.length - 1 - position : position
  }

  private rowsChanged(): void {
    const { pages } = this
    const answer = this.answer.value
    pages.headRevision = Math.max(pages.headRevision, answer?.revision ?? 0)
    const { headRevision, pinnedRevision } = pages
    this.headRevision.value = headRevision
    this.revision.value =
      this.atRevision.value === 0 ? Math.max(this.revision.value, headRevision) : pinnedRevision
    const isExact = pages.isWatchedWhole || this.status.value !== 'ready'
    if (answer?.totalCount !== undefined) this.total.value = answer.totalCount
    else if (isExact && pages.window !== undefined) this.total.value = pages.window.length
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

  /** Asks for another order or a search. Rows stay until there is an answer, or a scan has begun. */
  private async ask(wish: ResultsWish): Promise<void> {
    this.forgetAsked()
    const asked = (this.askedAnswer = new KeyResults({
      ...{ connectionId: this.connectionId, range: this.range, wish },
      ...{ revision: this.atRevision.value, isLive: this.isLive.value },
      valueBytesMax: previewBytesMax,
      onChange: () => {
        if (this.askedAnswer === asked && this.answer.value !== asked) this.show(asked)
        if (this.answer.value === asked) this.showChanges()
      },
      onFresh: (change) => {
        const isUnseen = change.kind === 'delete' && asked.rows.find(change.key) === undefined
        if (this.answer.value !== asked) return
        if (isUnseen) asked.apply(change)
        else this.effects.take(change)
      },
      onError: (failure) => {
        if (this.answer.value === asked) this.error.value = failure
      },
    }))
    try {
      await asked.open()
      if (this.askedAnswer === asked) this.error.value = undefined
    } catch (failure) {
      if (this.askedAnswer === asked) this.error.value = failure
    }
  }

  /** Shows an answer, or without one the pages. What follows comes without the values that were fetched for the others. */
  private show(answer: KeyResults | undefined): void {
    const before = this.answer.value
    if (answer === undefined) {
      this.forgetAsked()
      this.isMirrored = this.order.value.by === 'key' && this.order.value.isDescending
    }
    this.previews.clear()
    this.answer.value = answer
    before?.dispose()
    // One watch a list: the pages rest while something else is shown.
    this.pages.setLive(this.isLive.value && answer === undefined)
    if (answer === undefined && before !== undefined) this.pages.retry()
  }

  /** What was asked for before, and has no rows yet, is not waited for. */
  private forgetAsked(): void {
    if (this.askedAnswer !== this.answer.value) this.askedAnswer?.dispose()
    this.askedAnswer = undefined
  }

  private applyChange(change: WatchChange): boolean {
    // A row may fade while the past is asked for already: there it is still alive.
    const { value: pastRevision } = this.atRevision
    if (pastRevision !== 0 && change.revision > pastRevision) return false
    if (this.answer.value !== undefined) return this.answer.value.apply(change)
    this.pages.apply(change)
    return true
  }

  private showChanges(): void {
    this.effects.show()
    this.rowsChanged()
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
