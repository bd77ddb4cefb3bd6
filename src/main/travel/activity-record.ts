/**
 * Which revisions changed a range, and how many writes there were by stretch: numbers alone, whatever the keys are.
 *
 * Stretches ("bars") are as wide as they were made at the start; when more revisions come than fit, two bars become one.
 * The revisions themselves are kept as sorted numbers up to a limit, so that the one before or after any place is found by
 * halving. Beyond the limit only the bars go on, and a question behind it is answered with "unknown".
 *
 * Example: oldest 1, head 1,000: bars of 5 revisions. The head moves on; at 2,401 bars of 10 stand in place of them.
 */

import { assert } from '../../core/base/assert.ts'

/** Bars at the start; enough for one in four pixels of a wide window. */
const barsAtStart = 240
const barsMax = 480
/** Eight bytes each. */
const changesMaxDefault = 4_000_000
const changesAtStart = 1_024

/** What lies before or after a revision. */
export type Neighbour =
  | { readonly kind: 'found'; readonly revision: number }
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown' }

/** The past of one range. Invariant: `revisions[0..changeCount)` rise strictly. */
export class ActivityRecord {
  readonly oldestRevision: number
  private readonly changesMax: number
  private width: number
  private counts = new Float64Array(barsMax)
  private usedBars = 0
  private revisions = new Float64Array(changesAtStart)
  private keptCount = 0
  private seenCount = 0
  private writes = 0
  private newest = 0

  /** @param changesMax  revisions that are kept for `find` */
  constructor(oldestRevision: number, headRevision: number, changesMax = changesMaxDefault) {
    this.oldestRevision = oldestRevision
    this.changesMax = changesMax
    const span = Math.max(1, headRevision - oldestRevision + 1)
    this.width = Math.ceil(span / barsAtStart)
  }

  get barRevisions(): number {
    return this.width
  }

  get changeCount(): number {
    return this.seenCount
  }

  get writeCount(): number {
    return this.writes
  }

  /** The newest revision that was added; 0: none. */
  get newestRevision(): number {
    return this.newest
  }

  /** Adds writes of one revision; revisions come in order, one perhaps in several parts. */
  add(revision: number, writeCount: number): void {
    assert(revision >= this.newest, 'changes come in the order of their revisions')
    // A change that a compaction keeps may be older than what can be read.
    const place = Math.max(0, revision - this.oldestRevision)
    let bar = Math.floor(place / this.width)
    while (bar >= barsMax) {
      this.halve()
      bar = Math.floor(place / this.width)
    }
    this.counts[bar] = (this.counts[bar] ?? 0) + writeCount
    this.usedBars = Math.max(this.usedBars, bar + 1)
    this.writes += writeCount
    if (revision === this.newest) return
    this.newest = revision
    this.seenCount++
    if (this.keptCount < this.changesMax) this.keep(revision)
  }

  /** Writes by bar, up to the last bar that has any. */
  bars(): Float64Array {
    return this.counts.slice(0, this.usedBars)
  }

  /** The nearest change before or after a revision. */
  find(revision: number, direction: 'previous' | 'next'): Neighbour {
    const at = this.lowerBound(direction === 'previous' ? revision : revision + 1)
    const isBeyond = at === this.keptCount && this.keptCount < this.seenCount
    if (direction === 'next') {
      if (isBeyond) return { kind: 'unknown' }
      const found = at < this.keptCount ? this.revisions[at] : undefined
      return found === undefined ? { kind: 'none' } : { kind: 'found', revision: found }
    }
    const last = this.revisions[this.keptCount - 1] ?? 0
    if (isBeyond && revision - 1 > last) return { kind: 'unknown' }
    const found = at > 0 ? this.revisions[at - 1] : undefined
    return found === undefined ? { kind: 'none' } : { kind: 'found', revision: found }
  }

  private keep(revision: number): void {
    if (this.keptCount === this.revisions.length) {
      const grown = new Float64Array(Math.min(this.changesMax, this.revisions.length * 2))
      grown.set(this.revisions)
      this.revisions = grown
    }
    this.revisions[this.keptCount] = revision
    this.keptCount++
  }

  private halve(): void {
    const counts = new Float64Array(barsMax)
    for (let bar = 0; bar < this.usedBars; bar++) {
      const into = bar >> 1
      counts[into] = (counts[into] ?? 0) + (this.counts[bar] ?? 0)
    }
    this.counts = counts
    this.usedBars = (this.usedBars + 1) >> 1
    this.width *= 2
  }

  /** The first place whose revision is not below the given one. */
  private lowerBound(revision: number): number {
    let low = 0
    let high = this.keptCount
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.revisions[middle] ?? 0) < revision) low = middle + 1
      else high = middle
    }
    return low
  }
}
