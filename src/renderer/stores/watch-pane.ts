/**
 * What the watch screen shows of one connection: several watches, one list of what they delivered.
 *
 * Rows are kept in a ring; at its limits the oldest leave the screen and are counted. Pausing stops the display, not the
 * collection. Wherever information ends (a lost stream, a compaction) a seam stands in the list. Nothing here is reactive
 * but one counter, which moves at most some tens of times a second however many rows come.
 */

import { nextTick, shallowRef, unref } from 'vue'
import type { WatchRowsItem } from '../../preload/contract/watch.ts'
import { ExpiryCheck } from './expiry-check.ts'
import { PaneWatch } from './pane-watch.ts'
import { watchColours } from './watch-definition.ts'
import type { WatchDefinition } from './watch-definition.ts'
import { everyEvent, matcherOf, searchOf } from './watch-filter.ts'
import type { EventFilter } from './watch-filter.ts'
import { WatchLog } from './watch-log.ts'
import { WatchNews, type WatchNewsItem } from './watch-news.ts'
import { WatchRates } from './watch-rates.ts'
import type { WatchRecording } from './watch-recording.ts'
import { WatchView } from './watch-view.ts'

/** Keys and beginnings of values that the ring keeps. */
const ringBytesMax = 64 * 1_048_576
const rowsMaxDefault = 100_000
/** Shortest time between two showings, and the same when nobody could read along anyway. */
const showEveryMs = 33
const showEveryMsBusy = 200
const showEveryMsMax = 500
const busyPerSecond = 200
/** To show what is this busy takes at most an eighth of the page's time, also where the machine is slow. */
const busyShare = 8

/** What the user searches in the rows. */
export type EventSearch = Pick<EventFilter, 'text' | 'isPattern'>

/** Watches of one connection and what they brought. */
export class WatchPane {
  readonly connectionId: string
  readonly log = new WatchLog({ rowsMax: rowsMaxDefault, bytesMax: ringBytesMax })
  readonly rates = new WatchRates()
  /** Rises with each change but that of rows that arrive. */
  actCount = 0
  /** Moves when anything else here has changed; see `observe`. */
  private readonly version = shallowRef(0)
  private readonly figuresVersion = shallowRef(0)
  /** Rows as they are shown. */
  readonly view: WatchView
  /** Shown rows that the search finds. */
  readonly matches: WatchView
  watches: readonly PaneWatch[] = []
  isPaused = false
  isNewestFirst = true
  filter: EventFilter = everyEvent
  search: EventSearch = everyEvent
  total = 0
  /** Changes that never came here because the page was too slow. */
  missedCount = 0
  /** Rows that the user marked. */
  readonly marked = new Set<number>()
  /** Told when the watches are others than before. */
  onWatchesChanged: (() => void) | undefined
  /** Told of new rows, in order; for recording. */
  readonly listeners = new Set<(added: readonly number[]) => void>()
  /** What came with watches whose changes are to be told; the newest of it. */
  readonly told = shallowRef<WatchNewsItem>()
  private readonly news = new WatchNews((item) => {
    this.told.value = item
  })
  /** The file that events go to while they come, whatever view is shown. */
  readonly recording = shallowRef<WatchRecording>()
  /** Colours of watches that are no more, for the rows that stay. */
  private readonly retired = new Map<number, number>()
  private readonly expiry: ExpiryCheck
  private lastId = 0
  private showTimer: ReturnType<typeof setTimeout> | undefined
  private figuresTimer: ReturnType<typeof setTimeout> | undefined
  private shownAtMs = 0
  /** What the last showing of new rows took. */
  private showingMs = 0
  private readonly timer: ReturnType<typeof setInterval>

  constructor(connectionId: string) {
    this.connectionId = connectionId
    const show = (): void => {
      this.show()
    }
    this.view = new WatchView(this.log, show)
    this.matches = new WatchView(this.log, show)
    this.matches.showNothing()
    this.expiry = new ExpiryCheck(connectionId, this.log, () => {
      if (this.filter.kind === 'all') this.show()
      else this.applyFilter()
    })
    this.timer = setInterval(() => {
      this.tick()
    }, 1_000)
  }

  /** Whoever reads this pane in something computed calls this first, to be asked again when it has changed. */
  observe(): void {
    unref(this.version)
  }

  /** The same for whoever shows figures and no rows: where much comes, that is drawn between two showings of the rows. */
  observeFigures(): void {
    unref(this.figuresVersion)
  }

  /** More comes than anybody reads along. */
  get isBusy(): boolean {
    return this.rates.perSecond() > busyPerSecond
  }

  /** Rows that left the display, and changes that never reached it. */
  get droppedCount(): number {
    return this.log.droppedCount + this.missedCount
  }

  /** The running watch that is the least far; undefined when they are all equally far, or none runs. */
  get slowest(): PaneWatch | undefined {
    const running = this.watches.filter((watch) => watch.isRunning)
    const least = running.reduce<PaneWatch | undefined>(
      (one, other) => (one === undefined || other.completeTo < one.completeTo ? other : one),
      undefined,
    )
    return running.some((watch) => watch.completeTo !== least?.completeTo) ? least : undefined
  }

  /** Everything up to here was delivered by every watch; 0: unknown. */
  get completeTo(): number {
    const running = this.watches.filter((watch) => watch.isRunning)
    return running.length === 0 ? 0 : Math.min(...running.map((watch) => watch.completeTo))
  }

  /** Begins another watch. */
  add(definition: WatchDefinition, headRevision: number): PaneWatch {
    const watch = this.make(definition, headRevision)
    this.watches = [...this.watches, watch]
    this.watchesChanged()
    return watch
  }

  /** Colour for the next watch. */
  get nextColour(): number {
    const used = new Set(this.watches.map((watch) => watch.definition.colour))
    const free = watchColours.find((colour) => !used.has(colour))
    return free ?? watchColours[this.watches.length % watchColours.length] ?? watchColours[0]
  }

  /** Puts a changed watch in the place of another, whose rows stay. */
  replace(id: number, definition: WatchDefinition, headRevision: number): void {
    const old = this.findWatch(id)
    if (old === undefined) return
    old.stop()
    const watch = this.make(definition, headRevision)
    this.watches = this.watches.map((one) => (one === old ? watch : one))
    this.retired.set(id, definition.colour)
    this.watchesChanged()
  }

  /** Ends a watch; its rows stay. */
  remove(id: number): void {
    const old = this.findWatch(id)
    if (old === undefined) return
    old.stop()
    this.retired.set(id, old.definition.colour)
    this.watches = this.watches.filter((watch) => watch !== old)
    this.watchesChanged()
  }

  /** Colour of a watch, also of one that was removed. */
  colourOf(watchId: number): number {
    return this.findWatch(watchId)?.definition.colour ?? this.retired.get(watchId) ?? 1
  }

  /** Shows or hides the rows of a watch; it goes on collecting. */
  setShown(id: number, isShown: boolean): void {
    const watch = this.findWatch(id)
    if (watch === undefined) return
    watch.isShown = isShown
    this.applyFilter()
  }

  /** Ends the stream of one watch, or lets it go on where it ended. */
  setWatchPaused(id: number, isPaused: boolean): void {
    const watch = this.findWatch(id)
    if (watch === undefined) return
    if (isPaused) watch.pause()
    else watch.begin()
    this.show()
  }

  /** Stops or goes on with the display. What came meanwhile appears at once. */
  setPaused(isPaused: boolean): void {
    this.isPaused = isPaused
    this.view.setFrozen(isPaused)
    this.matches.setFrozen(isPaused)
    this.show()
  }

  setNewestFirst(isNewestFirst: boolean): void {
    this.isNewestFirst = isNewestFirst
    this.show()
  }

  setFilter(filter: EventFilter): void {
    this.filter = filter
    this.applyFilter()
  }

  setSearch(search: EventSearch): void {
    this.search = search
    this.applySearch()
    this.show()
  }

  setRowsMax(rowsMax: number): void {
    this.log.rowsMax = rowsMax
    this.trim()
  }

  toggleMark(id: number): void {
    if (!this.marked.delete(id)) this.marked.add(id)
    this.show()
  }

  /** Empties the list. Watches and counters go on. */
  clear(): void {
    this.log.clear()
    this.marked.clear()
    this.view.clear()
    this.matches.clear()
    this.show()
  }

  dispose(): void {
    clearInterval(this.timer)
    clearTimeout(this.showTimer)
    clearTimeout(this.figuresTimer)
    this.expiry.dispose()
    this.news.dispose()
    for (const watch of this.watches) watch.stop()
    this.recording.value?.stop()
    this.listeners.clear()
  }

  private findWatch(id: number): PaneWatch | undefined {
    return this.watches.find((watch) => watch.id === id)
  }

  private make(definition: WatchDefinition, headRevision: number): PaneWatch {
    const { connectionId, log } = this
    const watch = new PaneWatch(
      { id: ++this.lastId, definition, connectionId, headRevision },
      {
        log,
        onBatch: (source, items) => {
          this.take(source, items)
        },
        onEnd: () => {
          this.show()
        },
      },
    )
    watch.begin()
    return watch
  }

  private take(watch: PaneWatch, items: readonly WatchRowsItem[]): void {
    const seenAtMs = Date.now()
    for (const item of items) {
      if (item.kind === 'dropped') this.missedCount += item.changeCount
      const { added, changeCount, liveIds } = watch.take(item, seenAtMs)
      this.total += changeCount
      for (const id of liveIds) this.rates.add(this.log.opOf(id) ?? 'put', 1)
      this.expiry.take(liveIds)
      if (watch.definition.notifies && liveIds.length > 0) this.news.add(watch.id, liveIds.length)
      this.view.take(added)
      this.matches.take(added)
      for (const listener of this.listeners) listener(added)
    }
    this.trim()
    this.showSoon()
  }

  private trim(): void {
    if (this.log.trim() === 0) return
    this.view.prune()
    this.matches.prune()
    for (const id of this.marked) if (!this.log.has(id)) this.marked.delete(id)
  }

  private applyFilter(): void {
    const hidden = this.watches.filter((watch) => !watch.isShown).map((watch) => watch.id)
    this.view.setTest(matcherOf(this.log, this.filter, new Set(hidden)))
    this.applySearch()
    this.show()
  }

  private applySearch(): void {
    const found = searchOf(this.log, this.search)
    if (found === undefined) {
      this.matches.showNothing()
      return
    }
    const hidden = this.watches.filter((watch) => !watch.isShown).map((watch) => watch.id)
    const isShown = matcherOf(this.log, this.filter, new Set(hidden))
    this.matches.setTest((id) => isShown?.(id) !== false && found(id))
  }

  private watchesChanged(): void {
    this.onWatchesChanged?.()
    this.applyFilter()
  }

  private showSoon(): void {
    if (this.showTimer !== undefined) return
    const { isBusy } = this
    const busyMs = Math.min(showEveryMsMax, Math.max(showEveryMsBusy, this.showingMs * busyShare))
    const dueMs = this.shownAtMs + (isBusy ? busyMs : showEveryMs) - performance.now()
    this.showTimer = setTimeout(
      () => {
        this.showArrived()
        if (isBusy)
          this.figuresTimer ??= setTimeout(() => {
            this.showFigures()
          }, busyMs / 2)
        else this.showFigures()
      },
      Math.max(0, dueMs),
    )
  }

  private show(): void {
    this.actCount++
    this.showArrived()
    this.showFigures()
  }

  private showFigures(): void {
    clearTimeout(this.figuresTimer)
    this.figuresTimer = undefined
    this.figuresVersion.value++
  }

  private showArrived(): void {
    clearTimeout(this.showTimer)
    this.showTimer = undefined
    this.shownAtMs = performance.now()
    this.version.value++
    void nextTick(() => {
      this.showingMs = performance.now() - this.shownAtMs
    })
  }

  private tick(): void {
    const isSilent = this.watches.some((watch) => watch.isInterrupted)
    this.rates.tick(isSilent)
    for (const watch of this.watches) watch.tick()
    if (this.watches.length === 0) return
    this.showSoon()
    this.showFigures()
  }
}
