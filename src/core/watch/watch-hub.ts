/**
 * Feeds committed changes to watchers, each revision once, in order.
 *
 * The problem: some watchers are up to date and want each change at once, others start in the past or cannot keep up, and
 * nobody may be given a change twice, too late for its revision, or not at all.
 *
 * The plain idea: a watcher is either *synced* (has everything up to the current revision, and is fed by the turn that
 * publishes the next one) or *behind* (history is read for it, in slices, until it is synced). Each change of state is
 * made in one synchronous step together with the look at the current revision, so no revision falls between the two. A
 * watcher whose sink has no room becomes *blocked*: it keeps nothing but the number of the first revision that it was not
 * given, and reads history from there when there is room again. So a slow client costs no memory here.
 *
 *     watch ──▶ synced ──(no room)──▶ blocked ──(resume)──▶ behind ──(history read)──▶ synced
 *                                                             └──(history gone)──▶ compacted
 *
 * What is left out: encoding, fragments, ids and progress timers belong to the stream (`rpc/watch-stream.ts`).
 */

import { failpoint } from '../base/failpoints.ts'
import { assert } from '../base/assert.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Change, RevisionChanges } from '../mvcc/change.ts'
import type { MvccStore } from '../mvcc/mvcc-store.ts'
import type { StoredKeyValue } from '../mvcc/stored-key-value.ts'
import { catchUpSlice, type CatchUpOutcome } from './catch-up.ts'
import { matchRanges, type RangeMatches } from './event-batch.ts'
import { RangeIndex, type WatchedRange } from './watched-range.ts'
import {
  WatcherState,
  type WatchRequest,
  type WatchSink,
  type Watcher,
  type WatcherHost,
} from './watcher.ts'

/** A sink tells when it has room; should that get lost, its watcher is tried again after this time anyway. */
const blockedRetryMs = 1_000

/** See the head of this file. */
export class WatchHub implements WatcherHost {
  private store: MvccStore
  private readonly clock: Clock
  private readonly logger: Logger
  /** Every range that somebody watches, with its synced watchers. */
  private readonly ranges = new RangeIndex()
  private syncedCount = 0
  /** In the order in which they are served; who was served and is still behind goes to the end. */
  private readonly behind = new Set<WatcherState>()
  private readonly blocked = new Set<WatcherState>()
  /** Watchers that ended by compaction and were not cancelled yet. */
  private readonly compacted = new Set<WatcherState>()
  private toldRevision: number
  private isSliceScheduled = false
  private retryTimer: Timer | undefined
  private isDisposed = false
  private readonly roundListeners: (() => void)[] = []

  constructor(store: MvccStore, dependencies: { readonly clock: Clock; readonly logger: Logger }) {
    this.store = store
    this.clock = dependencies.clock
    this.logger = dependencies.logger
    this.toldRevision = store.currentRevision
  }

  /** All that were not cancelled. */
  get watcherCount(): number {
    return this.syncedCount + this.laggingCount + this.compacted.size
  }

  /** Those for which history has to be read, whether or not they have room for it. */
  get laggingCount(): number {
    return this.behind.size + this.blocked.size
  }

  /** Everything up to here was given to the synced watchers. */
  get notifiedRevision(): number {
    return this.toldRevision
  }

  /** Calls `listener` after every round of offers, so that sinks may gather what they are given until then. */
  onRoundEnd(listener: () => void): void {
    this.roundListeners.push(listener)
  }

  /**
   * Starts a watch. Nothing is offered before the next turn of the loop, so that the caller can announce it first.
   *
   * @param request a range that is not empty and a start revision that is not negative
   */
  watch(request: WatchRequest, sink: WatchSink): Watcher {
    assert(request.startRevision >= 0, 'a negative start revision is refused before')
    const range = this.ranges.obtain(request.range)
    range.watcherCount++
    const watcher = new WatcherState(this, range, { request, sink })
    // A node that is ending still takes requests for a moment; their streams end with it, and nothing is offered.
    if (this.isDisposed) return watcher
    if (watcher.nextRevision > this.toldRevision) this.addSynced(watcher)
    else {
      watcher.phase = 'behind'
      this.behind.add(watcher)
      this.scheduleSlice()
    }
    return watcher
  }

  /** Gives new revisions to the synced watchers; called in order, in the turn that published them. */
  notify(revisions: readonly RevisionChanges[]): void {
    for (const revision of revisions) {
      assert(revision.revision === this.toldRevision + 1, 'each revision is told once and in order')
      assert(revision.revision <= this.store.currentRevision, 'a revision is published, then told')
      this.toldRevision = revision.revision
      if (this.syncedCount > 0) this.notifyRevision(revision)
    }
    this.endRound()
  }

  /**
   * The revision up to which all these watchers have been given everything: what a progress response may promise.
   *
   * @returns undefined when one of them is behind, has ended, or starts in the future, or when there are none
   */
  progressOf(watchers: Iterable<Watcher>): number | undefined {
    failpoint('beforeProgressIfSync')
    let isAny = false
    for (const watcher of watchers) {
      isAny = true
      if (!watcher.isSynced || watcher.startRevision > this.toldRevision) return undefined
    }
    return isAny ? this.toldRevision : undefined
  }

  /** The pair as it was before the change; undefined for creations, and where that revision was compacted. */
  previousKeyValue(change: Change): StoredKeyValue | undefined {
    const { keyValue } = change
    if (change.kind === 'put' && keyValue.createRevision === keyValue.modRevision) return undefined
    const revision = keyValue.modRevision - 1
    // 0 would ask for the current pair.
    if (revision < 1 || revision < this.store.compactedRevision) return undefined
    return this.store.findAt(keyValue.key, revision)
  }

  /**
   * The store was replaced by one restored from a snapshot. What the snapshot skipped is read from its history, or ends
   * in the notice that it was compacted.
   */
  reset(store: MvccStore): void {
    this.logger.info('watchers read history after a snapshot', {
      watcherCount: this.watcherCount,
      fromRevision: this.toldRevision + 1,
      toRevision: store.currentRevision,
    })
    this.store = store
    for (const range of this.ranges.list()) {
      for (const watcher of range.listSynced()) {
        watcher.nextRevision = watcher.minRevision
        this.removeSynced(watcher)
        watcher.phase = 'behind'
        this.behind.add(watcher)
      }
    }
    this.toldRevision = store.currentRevision
    this.scheduleSlice()
  }

  /** Ends all watchers without a word; their streams end by themselves. */
  dispose(): void {
    this.isDisposed = true
    this.retryTimer?.cancel()
    const synced = this.ranges.list().flatMap((range) => range.listSynced())
    for (const watcher of [...synced, ...this.behind, ...this.blocked, ...this.compacted]) {
      this.cancel(watcher)
    }
  }

  /** For {@link Watcher.resume}. */
  resume(watcher: WatcherState): void {
    if (watcher.phase !== 'blocked') return
    this.blocked.delete(watcher)
    watcher.phase = 'behind'
    this.behind.add(watcher)
    this.scheduleSlice()
  }

  /** For {@link Watcher.cancel}. */
  cancel(watcher: WatcherState): void {
    if (watcher.phase === 'cancelled') return
    if (watcher.phase === 'synced') this.removeSynced(watcher)
    this.behind.delete(watcher)
    this.blocked.delete(watcher)
    this.compacted.delete(watcher)
    watcher.phase = 'cancelled'
    const { range } = watcher
    range.watcherCount--
    if (range.watcherCount === 0) this.ranges.delete(range)
  }

  private notifyRevision(revision: RevisionChanges): void {
    for (const [range, matches] of matchRanges(this.ranges, [revision], revision.revision)) {
      if (range.syncedCount > 0) this.notifyRange(range, matches, revision.revision)
    }
  }

  private notifyRange(range: WatchedRange, matches: RangeMatches, revision: number): void {
    for (const watcher of range.listSynced()) {
      // A sink may have cancelled it while another one was served.
      if (watcher.phase !== 'synced') continue
      const batch = matches.batchFor(watcher.filterCode, watcher.nextRevision)
      if (batch === undefined || watcher.sink.offer(batch)) continue
      if (hasLeft(watcher)) continue
      this.removeSynced(watcher)
      watcher.nextRevision = revision
      this.block(watcher)
    }
  }

  private endRound(): void {
    for (const listener of this.roundListeners) listener()
  }

  private addSynced(watcher: WatcherState): void {
    watcher.phase = 'synced'
    watcher.range.addSynced(watcher)
    this.syncedCount++
  }

  private removeSynced(watcher: WatcherState): void {
    watcher.range.removeSynced(watcher)
    this.syncedCount--
  }

  private block(watcher: WatcherState): void {
    watcher.phase = 'blocked'
    this.blocked.add(watcher)
    this.retryTimer ??= this.clock.setTimer(blockedRetryMs, () => {
      this.retryTimer = undefined
      failpoint('beforeMoveVictims')
      for (const blocked of [...this.blocked]) this.resume(blocked)
    })
  }

  private scheduleSlice(): void {
    if (this.isSliceScheduled || this.behind.size === 0 || this.isDisposed) return
    this.isSliceScheduled = true
    this.clock.nextTurn(() => {
      this.isSliceScheduled = false
      if (this.isDisposed || this.behind.size === 0) return
      failpoint('beforeSyncWatchers')
      const { store, clock, laggingCount } = this
      const settle = (watcher: WatcherState, outcome: CatchUpOutcome): void => {
        this.settle(watcher, outcome)
      }
      catchUpSlice({ store, clock, laggingCount, settle }, this.behind)
      this.endRound()
      // One slice a turn: between two of them input is read, entries are applied, heartbeats are sent.
      this.scheduleSlice()
    })
  }

  private settle(watcher: WatcherState, outcome: CatchUpOutcome): void {
    this.behind.delete(watcher)
    switch (outcome) {
      case 'synced':
        this.addSynced(watcher)
        return
      case 'behind':
        this.behind.add(watcher)
        return
      case 'blocked':
        this.block(watcher)
        return
      case 'compacted':
        watcher.phase = 'compacted'
        this.compacted.add(watcher)
    }
  }
}

/** Asked again after a sink was called, which may cancel. */
function hasLeft(watcher: WatcherState): boolean {
  return watcher.phase !== 'synced'
}
