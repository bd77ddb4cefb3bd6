import { latin1Of } from '../base/bytes.ts'
import { IntervalTree, type Interval } from '../base/interval-tree.ts'
import type { WatcherState } from './watcher.ts'

/** Watchers by what they watch: single keys in a map, ranges in an interval tree with one entry per distinct range. */
export class WatcherGroup {
  private readonly byKey = new Map<string, Set<WatcherState>>()
  private readonly byRange = new IntervalTree<Set<WatcherState>>()
  private watcherCount = 0

  get size(): number {
    return this.watcherCount
  }

  add(watcher: WatcherState): void {
    this.watcherCount++
    const interval = intervalOf(watcher)
    if (interval === undefined) {
      const name = latin1Of(watcher.request.range.start)
      const watchers = this.byKey.get(name)
      if (watchers === undefined) this.byKey.set(name, new Set([watcher]))
      else watchers.add(watcher)
      return
    }
    const watchers = this.byRange.get(interval)
    if (watchers === undefined) this.byRange.set(interval, new Set([watcher]))
    else watchers.add(watcher)
  }

  /** Does nothing when it is not in the group. */
  delete(watcher: WatcherState): void {
    const interval = intervalOf(watcher)
    if (interval === undefined) {
      const name = latin1Of(watcher.request.range.start)
      const watchers = this.byKey.get(name)
      if (watchers?.delete(watcher) !== true) return
      if (watchers.size === 0) this.byKey.delete(name)
    } else {
      const watchers = this.byRange.get(interval)
      if (watchers?.delete(watcher) !== true) return
      if (watchers.size === 0) this.byRange.delete(interval)
    }
    this.watcherCount--
  }

  /** Visits every watcher whose range holds the key. The group must not change meanwhile. */
  visitMatching(key: Uint8Array, visit: (watcher: WatcherState) => void): void {
    if (this.byKey.size > 0) {
      for (const watcher of this.byKey.get(latin1Of(key)) ?? []) visit(watcher)
    }
    if (this.byRange.size === 0) return
    this.byRange.visitContaining(key, (watchers) => {
      for (const watcher of watchers) visit(watcher)
    })
  }
}

/** Undefined: a single key. */
function intervalOf({ request }: WatcherState): Interval | undefined {
  const { start, end } = request.range
  if (end === undefined) return undefined
  return { start, end: end === 'unbounded' ? undefined : end }
}
