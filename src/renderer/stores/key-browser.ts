/**
 * One list of keys under a prefix, as it is read page by page and kept current by a watch.
 *
 * The first answer's revision pins all later pages, so the list is one state of the store. From that revision on a watch
 * delivers what changes. A change behind the last loaded key waits until its page is there. Pages carry keys and figures
 * only: values are fetched for the rows in sight (`previews.ts`), so a list of large values opens as fast as one of small.
 */

import { shallowRef, triggerRef } from 'vue'
import type { KeyRow } from '../../preload/contract/key-columns.ts'
import type { KeyRange } from '../../preload/contract/kv.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import type { WatchChange, WatchItem } from '../../preload/contract/watch.ts'
import { kvApi } from '../api/kv-api.ts'
import { streamApi } from '../api/stream-api.ts'
import { keyText } from '../format/bytes-text.ts'
import { isCompacted } from './failure-text.ts'
import { KeyTable, compareKeys } from './key-table.ts'
import { PreviewCache } from './previews.ts'

/** The first page is small, so that rows are there at once; the others are as large as one answer may be. */
const firstPageRows = 1_000
const pageRows = 10_000
/** Rows that load by themselves; behind them the user asks. A million rows of short keys take about 100 MB. */
const rowsLoadedAutomaticallyMax = 300_000
const previewBytesMax = 512
const restAfterMs = 50

/** The range of keys under a prefix; an empty prefix is the whole key space. */
export function rangeUnder(prefix: Uint8Array): KeyRange {
  return prefix.length === 0 ? { kind: 'all' } : { kind: 'prefix', prefix }
}

/** Keys under one prefix of one connection. */
export class KeyBrowser {
  readonly connectionId: string
  readonly prefix: Uint8Array
  readonly status = shallowRef<'idle' | 'loading' | 'ready' | 'failed'>('idle')
  readonly error = shallowRef<unknown>()
  /** Not reactive in itself: triggered when rows changed. */
  readonly table = shallowRef(new KeyTable())
  /** Keys under the prefix, whether loaded or not. */
  readonly total = shallowRef(0)
  /** The newest revision that the list shows. */
  readonly revision = shallowRef(0)
  readonly isComplete = shallowRef(false)
  readonly isLoadingPage = shallowRef(false)
  readonly isLive = shallowRef(true)
  /** Wall time of the last answer, for a list that has gone stale. */
  readonly answeredAtMs = shallowRef(0)
  /** Keys that changed a moment ago, by their text. */
  readonly flashed = shallowRef<ReadonlySet<string>>(new Set())
  readonly previews: PreviewCache
  /** Where the list was scrolled to and which key was chosen, for when its tab is shown again. */
  scrollTop = 0
  private pinnedRevision = 0
  private lastLoadedKey: Uint8Array | undefined
  /** Changes behind the last loaded key, by key text. */
  private later = new Map<string, WatchChange>()
  private watch: Subscription | undefined
  private generation = 0
  private flashTimer: ReturnType<typeof setTimeout> | undefined

  constructor(connectionId: string, prefix: Uint8Array) {
    this.connectionId = connectionId
    this.prefix = prefix
    this.previews = new PreviewCache({
      connectionId,
      previewBytesMax,
      onRows: (rows) => {
        this.takeValues(rows)
      },
    })
  }

  /** Reads the list anew. Rows stay on the screen until the first page of the new list is there. */
  async load(): Promise<void> {
    this.generation++
    const { generation } = this
    this.endWatch()
    this.pinnedRevision = 0
    this.status.value = this.table.value.length === 0 ? 'loading' : this.status.value
    try {
      const page = await this.readPage(firstPageRows, undefined)
      if (generation !== this.generation) return
      const table = new KeyTable()
      table.append(page.columns)
      this.later = new Map()
      this.previews.clear()
      this.lastLoadedKey = table.length === 0 ? undefined : table.keyAt(table.length - 1)
      this.table.value = table
      this.total.value = page.count
      this.isComplete.value = !page.hasMore
      this.status.value = 'ready'
      this.error.value = undefined
      this.beginWatch()
      if (page.hasMore) void this.loadRest(generation)
    } catch (failure) {
      if (generation !== this.generation) return
      this.error.value = failure
      this.status.value = 'failed'
    }
  }

  /** Reads the next page behind the last loaded key. */
  async loadMore(): Promise<void> {
    if (this.isComplete.value || this.isLoadingPage.value) return
    const { generation } = this
    this.isLoadingPage.value = true
    try {
      await this.appendPage(generation)
      this.error.value = undefined
    } catch (failure) {
      if (generation === this.generation) this.error.value = failure
    } finally {
      this.isLoadingPage.value = false
    }
  }

  /** Keeps the rows current by a watch, or stops that. */
  setLive(isLive: boolean): void {
    this.isLive.value = isLive
    if (isLive) void this.load()
    else this.endWatch()
  }

  /** Remembers where the list was scrolled to. */
  keepScroll(top: number): void {
    this.scrollTop = top
  }

  /** Ends everything that goes on for this list. */
  dispose(): void {
    this.generation++
    this.endWatch()
    this.previews.dispose()
    clearTimeout(this.flashTimer)
  }

  private async loadRest(generation: number): Promise<void> {
    // The first rows are drawn before the large pages arrive and take their time.
    await new Promise((done) => setTimeout(done, restAfterMs))
    while (
      generation === this.generation &&
      !this.isComplete.value &&
      this.error.value === undefined &&
      this.table.value.length < rowsLoadedAutomaticallyMax
    ) {
      await this.loadMore()
    }
  }

  private async appendPage(generation: number): Promise<void> {
    const page = await this.readPage(pageRows, this.lastLoadedKey)
    if (generation !== this.generation) return
    const { columns } = page
    const table = this.table.value
    table.append(columns)
    if (columns.rowCount > 0) {
      this.lastLoadedKey = columns.keyBytes.subarray(columns.keyOffsets[columns.rowCount - 1])
    }
    this.isComplete.value = !page.hasMore
    this.takeLater()
    triggerRef(this.table)
  }

  private async readPage(
    limit: number,
    after: Uint8Array | undefined,
  ): Promise<Awaited<ReturnType<typeof kvApi.range>>> {
    const request = {
      connectionId: this.connectionId,
      range: rangeUnder(this.prefix),
      limit,
      valueBytesMax: 0,
      ...(after === undefined ? {} : { after }),
    }
    let page
    try {
      page = await kvApi.range({ ...request, revision: this.pinnedRevision })
    } catch (failure) {
      // The pinned revision was compacted while pages were read: the rest is read from the head, and the watch has
      // kept the rows that are already there current up to it.
      if (!isCompacted(failure)) throw failure
      page = await kvApi.range({ ...request, revision: 0 })
    }
    this.pinnedRevision = page.revision
    this.revision.value = Math.max(this.revision.value, page.headRevision)
    this.answeredAtMs.value = Date.now()
    return page
  }

  private beginWatch(): void {
    if (!this.isLive.value) return
    this.watch = streamApi.watch(
      {
        connectionId: this.connectionId,
        range: rangeUnder(this.prefix),
        startRevision: this.pinnedRevision + 1,
        hasPrevious: false,
        isWithoutPuts: false,
        isWithoutDeletes: false,
        valueBytesMax: previewBytesMax,
      },
      {
        onBatch: (items) => {
          this.takeItems(items)
        },
        onEnd: () => {
          this.watch = undefined
        },
      },
    )
  }

  /** Adds values to rows that are there; a row that the watch has made newer meanwhile, or has taken away, stays so. */
  private takeValues(rows: readonly KeyRow[]): void {
    const table = this.table.value
    for (const row of rows) {
      const { position, isFound } = table.find(row.key)
      if (isFound && table.rowAt(position).modRevision <= row.modRevision) table.put(row)
    }
    triggerRef(this.table)
  }

  private endWatch(): void {
    this.watch?.close()
    this.watch = undefined
  }

  private takeItems(items: readonly WatchItem[]): void {
    const touched = new Set<string>()
    for (const item of items) {
      if (item.kind === 'gap' || item.kind === 'dropped') {
        // Changes are missing, so the list is read anew.
        void this.load()
        return
      }
      if (item.kind === 'change') {
        this.takeChange(item.change)
        touched.add(keyText(item.change.key))
      }
    }
    if (touched.size === 0) return
    this.answeredAtMs.value = Date.now()
    this.flash(touched)
    triggerRef(this.table)
  }

  private takeChange(change: WatchChange): void {
    this.revision.value = Math.max(this.revision.value, change.revision)
    if (change.kind === 'put' && change.current?.version === 1) this.total.value++
    if (change.kind === 'delete') this.total.value = Math.max(0, this.total.value - 1)
    const isBehind =
      this.lastLoadedKey === undefined || compareKeys(change.key, this.lastLoadedKey) > 0
    if (isBehind && !this.isComplete.value) this.later.set(keyText(change.key), change)
    else this.apply(change)
  }

  private apply(change: WatchChange): void {
    if (change.current === undefined) this.table.value.delete(change.key)
    else this.table.value.put(rowOf(change.key, change.current))
  }

  private takeLater(): void {
    for (const [text, change] of this.later) {
      const last = this.lastLoadedKey
      if (!this.isComplete.value && last !== undefined && compareKeys(change.key, last) > 0)
        continue
      this.apply(change)
      this.later.delete(text)
    }
  }

  private flash(keys: ReadonlySet<string>): void {
    this.flashed.value = keys
    clearTimeout(this.flashTimer)
    this.flashTimer = setTimeout(() => {
      this.flashed.value = new Set()
    }, 900)
  }
}

function rowOf(key: Uint8Array, value: NonNullable<WatchChange['current']>): KeyRow {
  return {
    key,
    value: value.bytes,
    valueSizeBytes: value.sizeBytes,
    createRevision: value.createRevision,
    modRevision: value.modRevision,
    version: value.version,
    lease: value.lease,
  }
}
