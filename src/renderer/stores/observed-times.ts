/**
 * When revisions came to be, as far as this window saw. A store keeps no wall time: what is known is which revision was the
 * newest when an answer came, and when a live change arrived. What is not known is never guessed.
 */

import { defineStore } from 'pinia'
import { shallowRef, triggerRef, watch } from 'vue'
import { useConnectionStore } from './connections.ts'

/** What is known of the time of one revision. */
export type ObservedTime =
  | { readonly kind: 'observed'; readonly atMs: number }
  | { readonly kind: 'between'; readonly afterMs: number; readonly beforeMs: number }
  | { readonly kind: 'unknown' }

/** Looks kept of a connection; the older half is thinned out beyond. */
const looksMax = 8_192
/** A change that arrives this soon after the newest look was seen as it happened. */
const observedWithinMs = 1_500

/** The looks at one connection. Invariant: revisions and times rise together. */
export class ObservedTimes {
  private revisions: number[] = []
  private firstMs: number[] = []
  private lastMs: number[] = []
  /** Revisions whose change arrived live. */
  private readonly live = new Map<number, number>()

  /** This was the newest revision at this time. */
  noteHead(revision: number, atMs: number): void {
    const newest = this.revisions.length - 1
    const known = this.revisions[newest] ?? 0
    if (revision < known || revision === 0) return
    if (revision === known) {
      this.lastMs[newest] = Math.max(atMs, this.lastMs[newest] ?? 0)
      return
    }
    if (this.revisions.length >= looksMax) this.thinOut()
    this.revisions.push(revision)
    this.firstMs.push(atMs)
    this.lastMs.push(atMs)
  }

  /** A change arrived on a watch that was not behind. */
  noteLive(revision: number, atMs: number): void {
    const newest = this.revisions.at(-1)
    if (newest !== undefined && revision < newest) return
    this.noteHead(revision, atMs)
    this.live.set(revision, atMs)
    if (this.live.size <= looksMax) return
    for (const oldest of this.live.keys()) {
      this.live.delete(oldest)
      break
    }
  }

  timeOf(revision: number): ObservedTime {
    const atMs = this.live.get(revision)
    if (atMs !== undefined) return { kind: 'observed', atMs }
    const at = this.firstFrom(revision)
    const afterMs = this.lastMs[at - 1]
    const beforeMs = this.firstMs[at]
    if (afterMs === undefined || beforeMs === undefined) return { kind: 'unknown' }
    if (beforeMs - afterMs <= observedWithinMs) return { kind: 'observed', atMs: beforeMs }
    return { kind: 'between', afterMs, beforeMs }
  }

  private firstFrom(revision: number): number {
    let low = 0
    let high = this.revisions.length
    while (low < high) {
      const middle = (low + high) >>> 1
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
    this.firstMs = this.firstMs.filter(isKept)
    this.lastMs = this.lastMs.filter(isKept)
  }
}

export const useObservedTimes = defineStore('observed-times', () => {
  /** Changes in place; whoever read it is told. */
  const byConnection = shallowRef(new Map<string, ObservedTimes>())

  function timesOf(connectionId: string): ObservedTimes {
    const known = byConnection.value.get(connectionId)
    if (known !== undefined) return known
    const times = new ObservedTimes()
    byConnection.value.set(connectionId, times)
    return times
  }

  /** This was the newest revision of a connection at this time. */
  function noteHead(connectionId: string, revision: number, atMs = Date.now()): void {
    timesOf(connectionId).noteHead(revision, atMs)
    triggerRef(byConnection)
  }

  /** A change of a connection arrived on a watch that was not behind. */
  function noteLive(connectionId: string, revision: number, atMs = Date.now()): void {
    timesOf(connectionId).noteLive(revision, atMs)
    triggerRef(byConnection)
  }

  /** What is known of the time of a revision. */
  function of(connectionId: string, revision: number): ObservedTime {
    return timesOf(connectionId).timeOf(revision)
  }

  const connections = useConnectionStore()
  // Each look at a cluster tells its newest revision.
  watch(
    () => connections.connections,
    (all) => {
      for (const { id, headRevision, lastAnswerAtMs } of all) {
        if (lastAnswerAtMs !== undefined) {
          noteHead(id, headRevision, lastAnswerAtMs)
        }
      }
    },
    { immediate: true },
  )

  return { noteHead, noteLive, of }
})
