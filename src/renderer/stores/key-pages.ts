/**
 * Reads a list of keys page by page as its rows come into sight, and keeps what is in sight current by one watch.
 *
 * All pages are read at the revision of the first answer, so the list is one state of the store whatever happens meanwhile;
 * the watch begins behind that revision and covers the pages around what is in sight. When the revision was compacted, or
 * lies too far back for a watch to begin there cheaply, the list is pinned anew.
 */

import type { KeyRange, RangeReply } from '../../preload/contract/kv.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import type { WatchChange, WatchItem } from '../../preload/contract/watch.ts'
import { kvApi } from '../api/kv-api.ts'
import { streamApi } from '../api/stream-api.ts'
import { isCompacted } from './failure-text.ts'
import { boundsOf, compareKeys, rangeBetween } from './key-order.ts'
import { KeyWindow } from './key-window.ts'
import type { WindowBounds, WindowPlan } from './key-window.ts'

/** Pages in memory: sixteen thousand rows of short keys are about 2 MB, and one that was let go is read again in milliseconds. */
const segmentsMax = 16
/** Rows read ahead of what is in sight. */
const aheadRows = 400
/** A watch that begins further back than this makes the server walk through too much of its past. */
const pinnedBehindMax = 10_000
const overlaysMax = 20_000
const followRestMs = 150
/** A place that is not found after this many questions is given up until the list moves. */
const attemptsMax = 96

export interface KeyPagesOptions {
  readonly connectionId: string
  readonly range: KeyRange
  readonly pageRows: number
  /** All reads are as of this revision; 0: the newest, which is then followed. */
  readonly revision: number
  readonly valueBytesMax: number
  /** Rows, their number, or the revision changed. */
  readonly onChange: () => void
  /** A change that came after the watch had begun, just before it is shown. */
  readonly onFresh: (change: WatchChange) => void
  /** A read failed, or undefined: reads go well again. */
  readonly onError: (error: unknown) => void
}

type PagePlan = WindowPlan & { readonly kind: 'page' }

/** One list, as far as it is loaded. */
export class KeyPages {
  window: KeyWindow | undefined
  pinnedRevision = 0
  headRevision = 0
  readonly options: KeyPagesOptions
  /** A fixed revision that the list shows from the next `open` on; 0: the newest, followed by a watch. */
  fixedRevision: number
  private readonly bounds: WindowBounds
  private sight: readonly [number, number] = [0, 0]
  private generation = 0
  private pumpingGeneration = -1
  private watch: Subscription | undefined
  private watched: WindowBounds | undefined
  private freshAfter = 0
  private isLive = true
  private isResting = false
  /** A new window is being filled at a new revision; the old one must not be filled at it. */
  private isOpening = false
  private followTimer: ReturnType<typeof setTimeout> | undefined

  constructor(options: KeyPagesOptions) {
    this.options = options
    this.bounds = boundsOf(options.range)
    this.fixedRevision = options.revision
  }

  /** True while the watch covers the whole list, so that its length is exact. */
  get isWatchedWhole(): boolean {
    const { watched, bounds } = this
    return watched?.from === bounds.from && watched.to === bounds.to
  }

  /** Pins the list to the newest or to the fixed revision. Rows that are there stay until the new ones in sight are read. Throws `CallError`. */
  async open(): Promise<void> {
    this.generation++
    const { generation } = this
    this.isOpening = true
    this.endWatch()
    try {
      await this.openWindow(generation)
    } finally {
      if (generation === this.generation) this.isOpening = false
    }
    if (generation !== this.generation) return
    this.options.onChange()
    this.follow()
    void this.pump()
  }

  private async openWindow(generation: number): Promise<void> {
    const { range, pageRows } = this.options
    const first = await this.readRange(range, pageRows, this.fixedRevision)
    if (generation !== this.generation) return
    const window = new KeyWindow(this.bounds, first.count, pageRows)
    const limit = Math.max(1, Math.min(first.count, pageRows))
    const plan: PagePlan = { kind: 'page', ...this.bounds, baseRank: 0, limit }
    window.addPage(plan, first.columns, first.hasMore)
    this.pinnedRevision = first.revision
    await this.fillSight(window, generation)
    if (generation === this.generation) this.window = window
  }

  /** Says which rows are in sight, so that they, and some around them, are read and watched. */
  see(first: number, last: number): void {
    this.sight = [first, last]
    void this.pump()
    this.followSoon()
  }

  /** Tries again what failed. */
  retry(): void {
    if (this.watch === undefined) this.follow()
    void this.pump()
  }

  setLive(isLive: boolean): void {
    this.isLive = isLive
    if (!isLive) this.endWatch()
  }

  /** Nobody sees the list: nothing is followed until it is woken. */
  rest(): void {
    this.isResting = true
    clearTimeout(this.followTimer)
    this.endWatch()
  }

  /** The list is seen again, and takes in what came meanwhile. */
  wake(headRevision: number): void {
    if (!this.isResting) return
    this.isResting = false
    // What is not newer happened while nobody looked, and is told without a show.
    this.headRevision = Math.max(this.headRevision, headRevision)
    this.follow()
  }

  /** Takes a change that was handed out as fresh; the pages may have been read behind it meanwhile. */
  apply(change: WatchChange): void {
    if (change.revision > this.pinnedRevision) this.window?.apply(change)
  }

  dispose(): void {
    this.generation++
    clearTimeout(this.followTimer)
    this.endWatch()
  }

  /** Before a list is shown anew, what will be in sight of it is read; where that fails the rows come later. */
  private async fillSight(window: KeyWindow, generation: number): Promise<void> {
    if (this.window === undefined) return
    const [first, last] = this.sight
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const missing = window.findMissing(first, last)
      if (missing === undefined || generation !== this.generation) return
      await this.step(window, missing, attempt)
    }
  }

  private async pump(): Promise<void> {
    const { generation } = this
    if (this.isOpening || this.pumpingGeneration === generation) return
    this.pumpingGeneration = generation
    try {
      await this.readWanted(generation)
    } catch (failure) {
      if (generation !== this.generation) return
      this.options.onError(failure)
      if (isCompacted(failure) && this.fixedRevision === 0) void this.reopen()
    } finally {
      if (this.pumpingGeneration === generation) this.pumpingGeneration = -1
    }
  }

  private async readWanted(generation: number): Promise<void> {
    let attempt = 0
    let last: number | undefined
    while (generation === this.generation) {
      const window = this.window
      const wanted = this.findWanted()
      if (window === undefined || wanted === undefined) return
      attempt = wanted === last ? attempt + 1 : 0
      last = wanted
      if (attempt > attemptsMax) return
      const isPage = await this.step(window, wanted, attempt)
      if (generation !== this.generation) return
      this.options.onError(undefined)
      if (!isPage) continue
      window.keepNear(this.sight[0], segmentsMax)
      this.options.onChange()
      this.followSoon()
    }
  }

  /** One question to the cluster on the way to a row. Answers whether it brought rows. */
  private async step(window: KeyWindow, position: number, attempt: number): Promise<boolean> {
    const plan = window.plan(position, attempt)
    const ahead = attempt === 0 ? window.planAhead(plan) : undefined
    const probe = plan.kind === 'probe' ? plan : ahead
    if (probe?.kind === 'probe') {
      const reply = await this.readRange(rangeBetween(probe.from, probe.to), 1, this.pinnedRevision)
      const { columns } = reply
      window.noteProbe(probe, reply.count, columns.rowCount > 0 ? columns.keyBytes : undefined)
    }
    if (plan.kind === 'probe') return false
    const again = ahead === undefined ? plan : window.plan(position, attempt)
    if (again.kind === 'probe') return false
    const range = rangeBetween(again.from, again.to)
    const page = await this.readRange(range, again.limit, this.pinnedRevision)
    window.addPage(again, page.columns, page.hasMore)
    return true
  }

  private findWanted(): number | undefined {
    const [first, last] = this.sight
    const { window } = this
    return (
      window?.findMissing(first, last) ??
      window?.findMissing(last + 1, last + aheadRows) ??
      window?.findMissing(first - aheadRows, first - 1)
    )
  }

  private async readRange(range: KeyRange, limit: number, revision: number): Promise<RangeReply> {
    const { connectionId } = this.options
    const reply = await kvApi.range({ connectionId, range, limit, revision, valueBytesMax: 0 })
    this.headRevision = Math.max(this.headRevision, reply.headRevision)
    return reply
  }

  /** Pins anew because the old revision no longer serves. */
  private async reopen(): Promise<void> {
    try {
      await this.open()
      this.options.onError(undefined)
    } catch (failure) {
      this.options.onError(failure)
    }
  }

  /** While the list is scrolled the watch stays where it is. */
  private followSoon(): void {
    clearTimeout(this.followTimer)
    this.followTimer = setTimeout(() => {
      this.follow()
    }, followRestMs)
  }

  /** Watches what is in sight, unless that is watched already. */
  private follow(): void {
    const { window } = this
    if (!this.isLive || this.isResting) return
    if (this.fixedRevision !== 0 || window === undefined) return
    const sight = window.intervalAround(this.sight[0], this.sight[1])
    if (sight === undefined) return
    if (this.watch !== undefined && this.watched !== undefined && covers(this.watched, sight))
      return
    const isFarBehind = this.headRevision - this.pinnedRevision > pinnedBehindMax
    if (isFarBehind || window.overlayCount > overlaysMax) {
      void this.reopen()
      return
    }
    const wide = window.intervalAround(this.sight[0] - aheadRows, this.sight[1] + aheadRows)
    this.beginWatch(wide ?? sight)
  }

  private beginWatch(interval: WindowBounds): void {
    this.endWatch()
    const { generation } = this
    this.watched = interval
    this.freshAfter = this.headRevision
    this.watch = streamApi.watch(
      {
        connectionId: this.options.connectionId,
        range: rangeBetween(interval.from, interval.to),
        startRevision: this.pinnedRevision + 1,
        hasPrevious: false,
        isWithoutPuts: false,
        isWithoutDeletes: false,
        valueBytesMax: this.options.valueBytesMax,
      },
      {
        onBatch: (items) => {
          if (generation === this.generation) this.takeItems(items)
        },
        onEnd: () => {
          if (this.watched === interval) this.watch = undefined
        },
      },
    )
  }

  private endWatch(): void {
    this.watch?.close()
    this.watch = undefined
    this.watched = undefined
  }

  private takeItems(items: readonly WatchItem[]): void {
    let hasChanged = false
    for (const item of items) {
      if (item.kind === 'gap' || item.kind === 'dropped') {
        // Changes are missing, so the list is pinned anew.
        void this.reopen()
        return
      }
      if (item.kind === 'progress') this.headRevision = Math.max(this.headRevision, item.revision)
      if (item.kind !== 'change') continue
      const { change } = item
      this.headRevision = Math.max(this.headRevision, change.revision)
      if (change.revision > this.freshAfter) this.options.onFresh(change)
      else this.window?.apply(change)
      hasChanged = true
    }
    if (hasChanged) this.options.onChange()
  }
}

function covers(outer: WindowBounds, inner: WindowBounds): boolean {
  if (compareKeys(outer.from, inner.from) > 0) return false
  if (outer.to === undefined) return true
  return inner.to !== undefined && compareKeys(inner.to, outer.to) <= 0
}
