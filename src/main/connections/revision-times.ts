/**
 * When revisions came to be, as far as this app has seen. The store keeps no wall time; what is known is which revision was
 * the newest at the moments when an answer came, so a revision lies between two such moments.
 */

import type { RevisionTime } from '../../preload/contract/revision-time.ts'

/** One look a second for more than an hour; older ones are thinned out. */
const looksMax = 8_192
/** Revisions that were seen as they came; the oldest are given up beyond, and then lie between two looks. */
const liveMax = 8_192
/** A change whose revision was told by an answer so short a time ago is not late yet. */
const lateAfterMs = 1_500

export class RevisionTimes {
  /** Rising in both. */
  private revisions: number[] = []
  private firstSeenMs: number[] = []
  private lastSeenMs: number[] = []
  /** Revisions whose change arrived as it was made. */
  private readonly live = new Map<number, number>()

  /** A change arrived on a watch that was not behind. One that was there at an earlier look is late, and tells nothing. */
  noteLive(revision: number, atMs: number): void {
    const newest = this.revisions.at(-1) ?? 0
    const seenMs = revision === newest ? (this.firstSeenMs.at(-1) ?? atMs) : atMs
    if (revision < newest || atMs - seenMs > lateAfterMs || this.live.has(revision)) return
    this.live.set(revision, seenMs)
    if (this.live.size <= liveMax) return
    for (const oldest of this.live.keys()) {
      this.live.delete(oldest)
      break
    }
  }

  /** Notes that this was the newest revision at this time. An older one than was seen already tells nothing. */
  note(revision: number, atMs: number): void {
    const newest = this.revisions.length - 1
    if (newest >= 0 && revision < (this.revisions[newest] ?? 0)) return
    if (revision === this.revisions[newest]) {
      this.lastSeenMs[newest] = atMs
      return
    }
    if (this.revisions.length >= looksMax) this.thinOut()
    this.revisions.push(revision)
    this.firstSeenMs.push(atMs)
    this.lastSeenMs.push(atMs)
  }

  /** The bounds of a revision; both are the same where it was seen as it came. */
  timeOf(revision: number): RevisionTime {
    const atMs = this.live.get(revision)
    if (atMs !== undefined) return { revision, afterMs: atMs, beforeMs: atMs }
    const at = this.firstAtOrAbove(revision)
    const afterMs = this.lastSeenMs[at - 1]
    const beforeMs = this.firstSeenMs[at]
    return {
      revision,
      ...(afterMs === undefined ? {} : { afterMs }),
      ...(beforeMs === undefined ? {} : { beforeMs }),
    }
  }

  /**
   * The newest revision that was seen to be there at a time, and since when anything was seen. Absent before the first look:
   * then nobody here knows.
   */
  newestAt(atMs: number): { readonly revision?: number; readonly sinceMs?: number } {
    const [sinceMs] = this.firstSeenMs
    if (sinceMs === undefined) return {}
    if (atMs < sinceMs) return { sinceMs }
    const later = this.firstSeenMs.findIndex((seenMs) => seenMs > atMs)
    let revision = this.revisions.at(later === -1 ? -1 : later - 1) ?? 0
    for (const [live, seenMs] of this.live) {
      if (seenMs <= atMs && live > revision) revision = live
    }
    return { revision, sinceMs }
  }

  private firstAtOrAbove(revision: number): number {
    let low = 0
    let high = this.revisions.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.revisions[middle] ?? 0) < revision) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Every second look of the older half goes; bounds become wider, never wrong. */
  private thinOut(): void {
    const half = this.revisions.length >> 1
    const isKept = (_: number, at: number): boolean => at >= half || at % 2 === 0
    this.revisions = this.revisions.filter(isKept)
    this.firstSeenMs = this.firstSeenMs.filter(isKept)
    this.lastSeenMs = this.lastSeenMs.filter(isKept)
  }
}
