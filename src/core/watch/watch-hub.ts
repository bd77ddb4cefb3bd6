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

import { assert } from '../base/assert.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Change, RevisionChanges } from '../mvcc/change.ts'
import type { MvccStore } from '../mvcc/mvcc-store.ts'
import type { StoredKeyValue } from '../mvcc/stored-key-value.ts'
import { catchUpSlice, type CatchUpOutcome } from './catch-up.ts'
import { changesByWatcher } from './event-batch.ts'
import type { WatchRequest, WatchSink, Watcher, WatcherState } from './watcher.ts'
import { WatcherGroup } from './watcher-group.ts'

/** A sink tells when it has room; should that get lost, its watcher is tried again after this time anyway. */
const blockedRetryMs = 1_000

/** See the head of this file. */
export class WatchHub {
  private store: MvccStore
  private readonly clock: Clock
  private readonly logger: Logger
  private readonly synced = new WatcherGroup()
  private readonly syncedWatchers = new Set<WatcherState>()
  /** In the order in which they are served; who was served and is still behind goes to the end. */
  private readonly behind = new Set<WatcherState>()
  private readonly blocked = new Set<WatcherState>()
  /** Watchers that ended by compaction and were not cancelled yet. */
  private readonly compacted = new Set<WatcherState>()
  /** Everything up to here was given to the synced watchers. */
  private notifiedRevision: number
  private isSliceScheduled = false
  private retryTimer: Timer | undefined
  private isDisposed = false

  constructor(store: MvccStore, dependencies: { readonly clock: Clock; readonly logger: Logger }) {
    this.store = store
    this.clock = dependencies.clock
    this.logger = dependencies.logger
    this.notifiedRevision = store.currentRevision
  }

  /** All that were not cancelled. */
  get watcherCount(): number {
    return this.syncedWatchers.size + this.behind.size + this.blocked.size + this.compacted.size
  }

  /**
   * Starts a watch. Nothing is offered before the next turn of the loop, so that the caller can announce it first.
   *
   * @param request a range that is not empty and a start revision that is not negative
   */
  watch(request: WatchRequest, sink: WatchSink): Watcher {
    assert(!this.isDisposed, 'nothing is watched after the end')
    assert(request.startRevision >= 0, 'a negative start revision is refused before')
    const nextRevision = this.notifiedRevision + 1
    const isSynced = request.startRevision === 0 || request.startRevision >= nextRevision
    const state: WatcherState = {
      request,
      sink,
      phase: isSynced ? 'synced' : 'behind',
      minRevision: request.startRevision === 0 ? nextRevision : request.startRevision,
    }
    if (isSynced) this.addSynced(state)
    else {
      this.behind.add(state)
      this.scheduleSlice()
    }
    return this.handleOf(state)
  }

  /** Gives new revisions to the synced watchers; called in order, in the turn that published them. */
  notify(revisions: readonly RevisionChanges[]): void {
    for (const revision of revisions) {
      assert(
        revision.revision === this.notifiedRevision + 1,
        'each revision is told once and in order',
      )
      assert(revision.revision <= this.store.currentRevision, 'a revision is published, then told')
      this.notifiedRevision = revision.revision
      if (this.synced.size > 0) this.notifyRevision(revision)
    }
  }

  /**
   * The revision up to which all these watchers have been given everything: what a progress response may promise.
   *
   * @returns undefined when one of them is behind, has ended, or starts in the future, or when there are none
   */
  progressOf(watchers: Iterable<Watcher>): number | undefined {
    let isAny = false
    for (const watcher of watchers) {
      isAny = true
      if (!watcher.isSynced || watcher.request.startRevision > this.notifiedRevision) {
        return undefined
      }
    }
    return isAny ? this.notifiedRevision : undefined
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
      fromRevision: this.notifiedRevision + 1,
      toRevision: store.currentRevision,
    })
    this.store = store
    for (const watcher of this.syncedWatchers) {
      watcher.minRevision = this.minRevisionOf(watcher)
      this.synced.delete(watcher)
      watcher.phase = 'behind'
      this.behind.add(watcher)
    }
    this.syncedWatchers.clear()
    this.notifiedRevision = store.currentRevision
    this.scheduleSlice()
  }

  /** Ends all watchers without a word; their streams end by themselves. */
  dispose(): void {
    this.isDisposed = true
    this.retryTimer?.cancel()
    const all = [this.syncedWatchers, this.behind, this.blocked, this.compacted]
    for (const watcher of all.flatMap((watchers) => [...watchers])) this.cancel(watcher)
  }

  private notifyRevision(revision: RevisionChanges): void {
    for (const [watcher, changes] of changesByWatcher(this.synced, [revision])) {
      // A sink may have cancelled it while another one was served.
      if (watcher.phase !== 'synced') continue
      if (watcher.sink.offer({ changes, revision: revision.revision })) continue
      if (hasLeft(watcher)) continue
      this.removeSynced(watcher)
      watcher.minRevision = revision.revision
      this.block(watcher)
    }
  }

  private addSynced(watcher: WatcherState): void {
    watcher.phase = 'synced'
    this.synced.add(watcher)
    this.syncedWatchers.add(watcher)
  }

  private removeSynced(watcher: WatcherState): void {
    this.synced.delete(watcher)
    this.syncedWatchers.delete(watcher)
  }

  private block(watcher: WatcherState): void {
    watcher.phase = 'blocked'
    this.blocked.add(watcher)
    this.retryTimer ??= this.clock.setTimer(blockedRetryMs, () => {
      this.retryTimer = undefined
      for (const blocked of [...this.blocked]) this.resume(blocked)
    })
  }

  private resume(watcher: WatcherState): void {
    if (watcher.phase !== 'blocked') return
    this.blocked.delete(watcher)
    watcher.phase = 'behind'
    this.behind.add(watcher)
    this.scheduleSlice()
  }

  private cancel(watcher: WatcherState): void {
    if (watcher.phase === 'synced') this.removeSynced(watcher)
    this.behind.delete(watcher)
    this.blocked.delete(watcher)
    this.compacted.delete(watcher)
    watcher.phase = 'cancelled'
  }

  private scheduleSlice(): void {
    if (this.isSliceScheduled || this.behind.size === 0 || this.isDisposed) return
    this.isSliceScheduled = true
    this.clock.nextTurn(() => {
      this.isSliceScheduled = false
      if (this.isDisposed || this.behind.size === 0) return
      catchUpSlice(this.store, this.behind, (watcher, outcome) => {
        this.settle(watcher, outcome)
      })
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

  /** For a synced watcher everything that was told is seen, whether or not it matched. */
  private minRevisionOf(watcher: WatcherState): number {
    if (watcher.phase !== 'synced') return watcher.minRevision
    return Math.max(watcher.minRevision, this.notifiedRevision + 1)
  }

  private handleOf(state: WatcherState): Watcher {
    const minRevision = (): number => this.minRevisionOf(state)
    return {
      request: state.request,
      get minRevision() {
        return minRevision()
      },
      get isSynced() {
        return state.phase === 'synced'
      },
      get isCompacted() {
        return state.phase === 'compacted'
      },
      resume: () => {
        this.resume(state)
      },
      cancel: () => {
        this.cancel(state)
      },
    }
  }
}

/** Asked again after a sink was called, which may cancel. */
function hasLeft(watcher: WatcherState): boolean {
  return watcher.phase !== 'synced'
}
