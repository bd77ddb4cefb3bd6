/**
 * What the watch screen shows of one connection: several watches, one list of what they delivered.
 *
 * Rows are kept in a ring: at its limit the oldest leave the screen and are counted. Pausing stops the display, not the
 * collection. Wherever information ends (a lost stream, a compaction) a seam stands in the list.
 */

import { computed, shallowRef, triggerRef } from 'vue'
import type { KeyRange } from '../../preload/contract/kv.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import type { WatchChange, WatchItem } from '../../preload/contract/watch.ts'
import { streamApi } from '../api/stream-api.ts'
import type { Operation } from '../components/marks/operation.ts'

/** One watch of the pane. */
export interface PaneWatch {
  readonly id: number
  /** As the user wrote it. */
  readonly keyText: string
  readonly range: KeyRange
  /** 0: from now. */
  readonly startRevision: number
  /** The head when it began: what is not newer happened before. */
  readonly headRevision: number
  /** Number of its colour token, 1 to 8. */
  readonly colour: number
  readonly changeCount: number
  readonly isShown: boolean
  readonly error?: unknown
}

/** One line of the list. */
export type WatchRow =
  | {
      readonly kind: 'change'
      readonly id: number
      readonly watchId: number
      readonly op: Operation
      readonly change: WatchChange
      readonly seenAtMs: number
      /** It happened before the watch began, so nobody here knows when. */
      readonly isReplayed: boolean
    }
  | {
      readonly kind: 'seam'
      readonly id: number
      readonly watchId: number
      readonly seam: Extract<WatchItem, { kind: 'interrupted' | 'resumed' | 'gap' | 'dropped' }>
      readonly seenAtMs: number
      /** For a resumed stream: how long there was none. */
      readonly silentMs?: number
    }

const valueBytesMax = 4_096
/** Colours of watches in turn; green and red say what happened, so they are left out. */
const colours = [1, 6, 3, 8, 5, 7] as const
/** The rate is the mean of this many seconds. */
const rateSeconds = 10
/** The strip shows half an hour in bars of this many seconds. */
export const stripBarSeconds = 12
const stripBars = 150

/** Watches of one connection and what they brought. */
export class WatchPane {
  readonly connectionId: string
  readonly watches = shallowRef<readonly PaneWatch[]>([])
  /** Oldest first; triggered when it changes. */
  readonly rows = shallowRef<WatchRow[]>([])
  readonly isPaused = shallowRef(false)
  readonly total = shallowRef(0)
  readonly droppedCount = shallowRef(0)
  readonly completeTo = shallowRef(0)
  readonly rowsMax = shallowRef(100_000)
  readonly selectedId = shallowRef<number>()
  /** Changes per bar of the strip by watch id; the last bar is the present one. */
  readonly bars = shallowRef<readonly ReadonlyMap<number, number>[]>([])
  private readonly seconds = shallowRef<readonly number[]>([])
  readonly perSecond = computed(() => {
    const last = this.seconds.value.slice(-rateSeconds)
    return last.reduce((sum, count) => sum + count, 0) / rateSeconds
  })
  private readonly subscriptions = new Map<number, Subscription>()
  private readonly interruptedAtMs = new Map<number, number>()
  /** Rows that came while the display was paused. */
  private held: WatchRow[] = []
  private lastId = 0
  private lastRowId = 0
  private countOfSecond = 0
  private barCounts = new Map<number, number>()
  private secondsInBar = 0
  private readonly timer: ReturnType<typeof setInterval>

  constructor(connectionId: string) {
    this.connectionId = connectionId
    this.timer = setInterval(() => {
      this.tick()
    }, 1_000)
  }

  /** Begins another watch. */
  add(wanted: Pick<PaneWatch, 'keyText' | 'range' | 'startRevision' | 'headRevision'>): void {
    const id = ++this.lastId
    const colour = colours[(id - 1) % colours.length] ?? 1
    this.watches.value = [
      ...this.watches.value,
      { ...wanted, id, colour, changeCount: 0, isShown: true },
    ]
    this.begin(id)
  }

  /** Ends a watch; its rows stay. */
  remove(id: number): void {
    this.subscriptions.get(id)?.close()
    this.subscriptions.delete(id)
    this.watches.value = this.watches.value.filter((watch) => watch.id !== id)
  }

  /** Shows or hides the rows of a watch; it goes on collecting. */
  setShown(id: number, isShown: boolean): void {
    this.update(id, { isShown })
  }

  /** Stops or goes on with the display. What came meanwhile appears at once. */
  setPaused(isPaused: boolean): void {
    this.isPaused.value = isPaused
    if (isPaused) return
    const { held } = this
    this.held = []
    this.show(held)
  }

  /** Rows that wait for the end of the pause. */
  get heldCount(): number {
    return this.held.length
  }

  /** Chooses a row, or none. */
  select(id: number | undefined): void {
    this.selectedId.value = id
  }

  /** Empties the list. Watches and counters go on. */
  clear(): void {
    this.held = []
    this.rows.value = []
    this.selectedId.value = undefined
  }

  dispose(): void {
    clearInterval(this.timer)
    for (const subscription of this.subscriptions.values()) subscription.close()
    this.subscriptions.clear()
  }

  private begin(id: number): void {
    const watch = this.watches.value.find((one) => one.id === id)
    if (watch === undefined) return
    const { range, startRevision } = watch
    const { connectionId } = this
    const plain = {
      hasPrevious: true,
      isWithoutPuts: false,
      isWithoutDeletes: false,
      valueBytesMax,
    }
    this.subscriptions.set(
      id,
      streamApi.watch(
        { connectionId, range, startRevision, ...plain },
        {
          onBatch: (items) => {
            this.take(id, items)
          },
          onEnd: (error) => {
            if (error !== undefined) this.update(id, { error })
          },
        },
      ),
    )
  }

  private update(id: number, change: Partial<PaneWatch>): void {
    this.watches.value = this.watches.value.map((one) =>
      one.id === id ? { ...one, ...change } : one,
    )
  }

  private take(watchId: number, items: readonly WatchItem[]): void {
    const seenAtMs = Date.now()
    const rows: WatchRow[] = []
    const headRevision = this.watches.value.find((one) => one.id === watchId)?.headRevision ?? 0
    let changeCount = 0
    let liveCount = 0
    for (const item of items) {
      if (item.kind === 'change') {
        const isReplayed = item.change.revision <= headRevision
        changeCount++
        if (!isReplayed) liveCount++
        rows.push({
          kind: 'change',
          id: ++this.lastRowId,
          watchId,
          op: opOf(item.change),
          change: item.change,
          seenAtMs,
          isReplayed,
        })
        this.completeTo.value = Math.max(this.completeTo.value, item.change.revision)
      } else if (item.kind === 'progress') {
        this.completeTo.value = Math.max(this.completeTo.value, item.revision)
      } else if (item.kind !== 'started') {
        rows.push(this.seamRow(watchId, item, seenAtMs))
      }
    }
    this.count(watchId, { changeCount, liveCount })
    if (this.isPaused.value) this.hold(rows)
    else this.show(rows)
  }

  private seamRow(
    watchId: number,
    seam: Extract<WatchRow, { kind: 'seam' }>['seam'],
    seenAtMs: number,
  ): WatchRow {
    const since = this.interruptedAtMs.get(watchId)
    if (seam.kind === 'interrupted') this.interruptedAtMs.set(watchId, seenAtMs)
    if (seam.kind === 'resumed') this.interruptedAtMs.delete(watchId)
    if (seam.kind === 'dropped') this.droppedCount.value += seam.changeCount
    const silent =
      seam.kind === 'resumed' && since !== undefined ? { silentMs: seenAtMs - since } : {}
    return { kind: 'seam', id: ++this.lastRowId, watchId, seam, seenAtMs, ...silent }
  }

  private count(
    watchId: number,
    { changeCount, liveCount }: { readonly changeCount: number; readonly liveCount: number },
  ): void {
    if (changeCount === 0) return
    this.total.value += changeCount
    this.countOfSecond += liveCount
    if (liveCount > 0) this.barCounts.set(watchId, (this.barCounts.get(watchId) ?? 0) + liveCount)
    const watch = this.watches.value.find((one) => one.id === watchId)
    if (watch !== undefined) this.update(watchId, { changeCount: watch.changeCount + changeCount })
  }

  private hold(rows: readonly WatchRow[]): void {
    this.held.push(...rows)
    this.dropOver(this.held)
  }

  private show(added: readonly WatchRow[]): void {
    if (added.length === 0) return
    const rows = this.rows.value
    for (const row of added) {
      // Two watches may deliver out of step; a row belongs to its revision, which the last rows are near to.
      let at = rows.length
      while (at > 0 && isLater(rows[at - 1], row)) at--
      if (at === rows.length) rows.push(row)
      else rows.splice(at, 0, row)
    }
    this.dropOver(rows)
    triggerRef(this.rows)
  }

  /** Cuts the oldest rows beyond the ring's size, and some more, so that a full ring is not cut at every row. */
  private dropOver(rows: WatchRow[]): void {
    const over = rows.length - this.rowsMax.value
    if (over <= 0) return
    const cut = Math.min(rows.length, over + Math.ceil(this.rowsMax.value / 100))
    rows.splice(0, cut)
    this.droppedCount.value += cut
  }

  private tick(): void {
    this.seconds.value = [...this.seconds.value, this.countOfSecond].slice(-rateSeconds)
    this.countOfSecond = 0
    this.secondsInBar++
    const bars = this.secondsInBar === 1 ? this.bars.value : this.bars.value.slice(0, -1)
    this.bars.value = [...bars, new Map(this.barCounts)].slice(-stripBars)
    if (this.secondsInBar >= stripBarSeconds) {
      this.secondsInBar = 0
      this.barCounts = new Map()
    }
  }
}

function opOf(change: WatchChange): Operation {
  if (change.kind === 'put') return change.current?.version === 1 ? 'create' : 'put'
  return 'delete'
}

function isLater(left: WatchRow | undefined, right: WatchRow): boolean {
  if (left?.kind !== 'change' || right.kind !== 'change') return false
  return left.change.revision > right.change.revision
}
