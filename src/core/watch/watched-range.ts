/**
 * Ranges that are watched, each once, however many watch it: a key is looked up once per change, not once per watcher.
 */
import { latin1Of } from '../base/bytes.ts'
import { IntervalTree, type Interval } from '../base/interval-tree.ts'
import type { KeyRange } from '../mvcc/key-range.ts'
import type { WatcherState } from './watcher.ts'

/** Stands for all ranges without synced watchers. Never written to. */
const noWatchers: WatcherState[] = []

/** One key or one interval, with the synced ones among its watchers. */
export class WatchedRange {
  /** The key as a string of bytes; undefined for an interval. */
  readonly name: string | undefined
  readonly interval: Interval | undefined
  /** Watchers of any phase that stand on this range. */
  watcherCount = 0
  private synced: WatcherState[] = noWatchers
  /** The synced watchers stand sorted by their owners. */
  private isSorted = true

  constructor(name: string | undefined, interval: Interval | undefined) {
    this.name = name
    this.interval = interval
  }

  get syncedCount(): number {
    return this.synced.length
  }

  addSynced(watcher: WatcherState): void {
    const { synced } = this
    watcher.position = synced.length
    const last = synced.at(-1)
    if (last === undefined) {
      // Most ranges have one watcher: an array of exactly that size.
      this.synced = [watcher]
      return
    }
    if (last.sink.owner !== watcher.sink.owner) this.isSorted = false
    synced.push(watcher)
  }

  /** @param watcher  one that was added and not removed since */
  removeSynced(watcher: WatcherState): void {
    const last = this.synced.pop()
    if (last === undefined || last === watcher) return
    this.synced[watcher.position] = last
    last.position = watcher.position
    this.isSorted = false
  }

  /** The synced watchers as they are now, those of one owner side by side. */
  listSynced(): readonly WatcherState[] {
    if (!this.isSorted) this.sort()
    return this.synced.slice()
  }

  private sort(): void {
    this.isSorted = true
    const byOwner = new Map<object, WatcherState[]>()
    for (const watcher of this.synced) {
      const owner = watcher.sink.owner ?? watcher.sink
      const siblings = byOwner.get(owner)
      if (siblings === undefined) byOwner.set(owner, [watcher])
      else siblings.push(watcher)
    }
    let position = 0
    for (const siblings of byOwner.values()) {
      for (const watcher of siblings) {
        watcher.position = position
        this.synced[position] = watcher
        position++
      }
    }
  }
}

/** Finds ranges by what they hold: single keys in a map, intervals in a tree. */
export class RangeIndex {
  private readonly byKey = new Map<string, WatchedRange>()
  private readonly byInterval = new IntervalTree<WatchedRange>()

  /** The entry of the range; made when it is not there. Of the range's bytes nothing is held on to. */
  obtain({ start, end }: KeyRange): WatchedRange {
    if (end === undefined) {
      const name = latin1Of(start)
      const known = this.byKey.get(name)
      if (known !== undefined) return known
      return this.add(new WatchedRange(name, undefined))
    }
    const asked = { start, end: end === 'unbounded' ? undefined : end }
    const known = this.byInterval.get(asked)
    if (known !== undefined) return known
    return this.add(new WatchedRange(undefined, { start: start.slice(), end: asked.end?.slice() }))
  }

  /** Adds an entry that may stand in another index too. */
  add(range: WatchedRange): WatchedRange {
    if (range.name !== undefined) this.byKey.set(range.name, range)
    else if (range.interval !== undefined) this.byInterval.set(range.interval, range)
    return range
  }

  delete(range: WatchedRange): void {
    if (range.name !== undefined) this.byKey.delete(range.name)
    else if (range.interval !== undefined) this.byInterval.delete(range.interval)
  }

  /** Visits every range that holds the key. The index must not change meanwhile. */
  visitMatching(key: Uint8Array, visit: (range: WatchedRange) => void): void {
    if (this.byKey.size > 0) {
      const range = this.byKey.get(latin1Of(key))
      if (range !== undefined) visit(range)
    }
    if (this.byInterval.size > 0) this.byInterval.visitContaining(key, visit)
  }

  /** All ranges, as they are now. */
  list(): readonly WatchedRange[] {
    const ranges = [...this.byKey.values()]
    const everything = { start: new Uint8Array(), end: undefined }
    this.byInterval.visitOverlapping(everything, (range) => ranges.push(range))
    return ranges
  }
}
