import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Backend, BackendBatch } from '../backend/backend.ts'
import type { RevisionChanges } from './change.ts'
import { readChanges, type HistoryRange } from './change-history.ts'
import { hasCompactionWork, runCompactionStep, scheduleCompaction } from './compaction.ts'
import { hashAt, type HashResult } from './hash.ts'
import { HistoryHolds, type HistoryHold } from './history-holds.ts'
import { boundsOf, isEmptyRange, type KeyBounds, type KeyRange } from './key-range.ts'
import { getKeyRecord } from './key-record.ts'
import type { CountMoment } from './known-counts.ts'
import { OperationCounts } from './operation-counts.ts'
import { packSlice, packSliceByRuns, type PackedSlice, type RunOptions } from './packed-range.ts'
import { PastCounting } from './past-count.ts'
import { resolveRevision, type ReadContext } from './read-context.ts'
import {
  findAliveAt,
  readRangeAt,
  type ReadRangeOptions,
  type ReadRangeResult,
} from './read-view.ts'
import { restoreState } from './restore.ts'
import type { StoreState } from './store-state.ts'
import type { StoredKeyValue } from './stored-key-value.ts'
import { WriteView } from './write-view.ts'

export type { HashResult } from './hash.ts'
export type { HistoryHold } from './history-holds.ts'
export type { ReadRangeOptions, ReadRangeResult } from './read-view.ts'
export type { WriteView } from './write-view.ts'

/** How a slice of a range is packed. */
interface PackSliceOptions extends RunOptions {
  readonly hold: HistoryHold | undefined
}

/** Enough for a few hundred thousand small pairs. */
const defaultRunSizeBytesMax = 67_108_864

/**
 * Keys with all their versions: every write makes a new revision of the whole store, and reads may ask for any revision
 * that was not compacted.
 *
 * A turn of the applier writes through `beginWrite` (once per request) and `scheduleCompaction` into one batch, commits
 * it, and then calls `publish`. Readers see the new revision from there on, never a part of it.
 */
export class MvccStore {
  private readonly state: StoreState
  private readonly clock: Clock
  private readonly holds = new HistoryHolds()

  private constructor(state: StoreState, clock: Clock) {
    this.state = state
    this.clock = clock
  }

  /** Opens the store in a backend; an empty one is at revision 1. The backend stays the caller's to close. */
  static open(
    backend: Backend,
    dependencies: {
      readonly clock: Clock
      readonly logger: Logger
      readonly operations?: OperationCounts
      /** What may be kept for answers to ranges that are asked for again; 0: nothing. */
      readonly runSizeBytesMax?: number
    },
  ): MvccStore {
    const { operations = new OperationCounts(), runSizeBytesMax = defaultRunSizeBytesMax } =
      dependencies
    const state = restoreState(backend, { operations, runSizeBytesMax })
    dependencies.logger.info('key space opened', {
      revision: state.publishedRevision,
      compactedRevision: state.compactedRevision,
      hasUnfinishedCompaction: hasCompactionWork(state),
    })
    return new MvccStore(state, dependencies.clock)
  }

  /** The revision that reads see. */
  get currentRevision(): number {
    return this.state.publishedRevision
  }

  /** Reads below this one are refused, at it they are not; -1 before the first compaction. */
  get compactedRevision(): number {
    return this.state.compactedRevision
  }

  /**
   * Reads the keys of a range as they were at one revision.
   *
   * @throws StoreError `compacted` or `futureRevision`, with the revision asked for and the bound
   * @see etcd v3 API, message RangeRequest
   */
  readRange(range: KeyRange, options: ReadRangeOptions): ReadRangeResult {
    const context = this.context()
    const { isCountOnly, isUncounted, limit, revision } = options
    const isCounted = isCountOnly === true || (limit > 0 && isUncounted !== true)
    if (!isCounted || range.end === undefined || isEmptyRange(range)) {
      return readRangeAt(context, range, options)
    }
    const bounds = boundsOf(range)
    if (isCountOnly === true) {
      const count = this.countAt(bounds, revision)
      return { keyValues: [], count, revision: context.currentRevision }
    }
    const read = readRangeAt(context, range, { ...options, isUncounted: true })
    if (read.keyValues.length < limit) return read
    return { ...read, count: this.countAt(bounds, revision) }
  }

  /** The revision that a read sees which asks for this one. @throws StoreError as `readRange` */
  resolveRevision(asked: number): number {
    return resolveRevision(this.context(), asked)
  }

  /**
   * Reads the first pairs of a range, as `readRange` does, into a sink.
   *
   * @param options  `hold`: what keeps the history of the revision there, should it be compacted meanwhile
   * @throws StoreError as `readRange`
   */
  packSlice(bounds: KeyBounds, options: PackSliceOptions): PackedSlice {
    const context = this.context()
    const { hold, revision } = options
    if (hold === undefined || !this.holds.has(hold)) resolveRevision(context, revision)
    const { compactedRevision, runs } = this.state
    if (!runs.isUsable || revision < compactedRevision) {
      return packSlice(context.reader, bounds, options)
    }
    return packSliceByRuns({ reader: context.reader, runs }, bounds, options)
  }

  /** How many keys were alive at a revision. @throws StoreError as `readRange` */
  countAt(bounds: KeyBounds, revision: number): number {
    const context = this.context()
    const resolved = resolveRevision(context, revision)
    const found = this.state.knownCounts.find(bounds, momentOf(context, resolved))
    if (found !== undefined) return found
    const counting = new PastCounting(bounds, resolved)
    for (;;) {
      const count = this.countOn(counting)
      if (count !== undefined) return count
    }
  }

  /**
   * Begins what {@link countAt} may take long for, to be done with {@link countOn} before that is asked.
   *
   * @returns undefined when it takes no time, or there is no such revision
   */
  beginCount(bounds: KeyBounds, revision: number): PastCounting | undefined {
    const context = this.context()
    const { currentRevision, compactedRevision } = context
    if (revision <= 0 || revision < compactedRevision || revision >= currentRevision)
      return undefined
    const found = this.state.knownCounts.find(bounds, momentOf(context, revision))
    return found === undefined ? new PastCounting(bounds, revision) : undefined
  }

  /** Takes a step. @returns the count; undefined: there are more to be taken. @throws StoreError `compacted` meanwhile */
  countOn(counting: PastCounting): number | undefined {
    const context = this.context()
    const { bounds } = counting
    const revision = resolveRevision(context, counting.revision)
    const count = counting.step(context, this.state.knownCounts.findAnyRevision(bounds))
    if (count !== undefined) this.noteCount(bounds, revision, count)
    return count
  }

  /** Tells what was found out in another way, for whoever counts that range next. */
  noteCount(bounds: KeyBounds, revision: number, count: number): void {
    const { runs, knownCounts } = this.state
    const context = this.context()
    if (context.counts === undefined || runs.isWriting) return
    knownCounts.note(bounds, momentOf(context, revision), count)
  }

  /** Keeps what a read at the revision needs, which is there now, until it is released. */
  holdHistory(revision: number): HistoryHold {
    return this.holds.add(revision)
  }

  /** Whether what a compaction is about to remove is still being read. */
  get isHistoryHeld(): boolean {
    return this.holds.isHeldBelow(this.state.compactedRevision)
  }

  /** One key as it was at a revision; undefined where it did not exist. @throws StoreError as `readRange` */
  findAt(key: Uint8Array, revision: number): StoredKeyValue | undefined {
    const context = this.context()
    const version = findAliveAt(context.reader, key, resolveRevision(context, revision))
    return version === undefined ? undefined : getKeyRecord(context.reader, version)
  }

  /** Starts the changes of one request; it ends with the view's `end()` before the next one starts. */
  beginWrite(batch: BackendBatch): WriteView {
    return new WriteView(this.state, batch)
  }

  /** Lets readers see what was written; called after the batch was committed. */
  publish(): void {
    this.state.publishedRevision = this.state.newestRevision
    this.state.runs.notePublished()
  }

  /**
   * Makes history below the revision unreadable at once and schedules its removal. The marker goes into the batch.
   *
   * @throws StoreError `compacted` when that was done already, `futureRevision`
   */
  scheduleCompaction(batch: BackendBatch, revision: number): void {
    scheduleCompaction(this.state, batch, revision)
  }

  /** Whether steps are left to take, of a compaction scheduled now or before the last start. */
  get hasCompactionWork(): boolean {
    return hasCompactionWork(this.state)
  }

  /** Takes one step of the removal: at most so many changes are looked at. The batch must be committed in this turn. */
  runCompactionStep(batch: BackendBatch, revisionCountMax: number): 'done' | 'more' {
    return runCompactionStep(this.state, batch, revisionCountMax)
  }

  /**
   * The changes of the revisions in `[from, to)`, in order and never a part of a revision.
   *
   * @throws StoreError `compacted` when `from` is below the compacted revision
   */
  changesBetween(range: HistoryRange): readonly RevisionChanges[] {
    const { publishedRevision, compactedRevision, backend } = this.state
    const to = Math.min(range.to, publishedRevision + 1)
    return readChanges(backend, compactedRevision, { ...range, to })
  }

  /**
   * The hash by which members are compared, over many turns.
   *
   * @param revision 0: the current one; negative: before everything
   * @throws StoreError `compacted`, `futureRevision`
   */
  async hashAt(revision: number): Promise<HashResult> {
    assert(
      this.state.publishedRevision === this.state.newestRevision,
      'a hash starts between the turns of the applier',
    )
    return hashAt(this.state, this.context(), { asked: revision, clock: this.clock })
  }

  /**
   * The hash of what was there when history up to a revision was given up, as if the compaction before it were the last
   * one. Begins with the call; nothing may have been removed since.
   */
  hashOfCompaction(revision: number, compactedBefore: number): Promise<HashResult> {
    const context = { ...this.context(), compactedRevision: compactedBefore }
    return hashAt(this.state, context, { asked: revision, clock: this.clock })
  }

  private context(): ReadContext {
    const { backend, counts, publishedRevision, newestRevision, compactedRevision } = this.state
    return {
      reader: backend,
      counts: publishedRevision === newestRevision ? counts : undefined,
      currentRevision: publishedRevision,
      compactedRevision,
    }
  }
}

function momentOf({ counts, currentRevision }: ReadContext, revision: number): CountMoment {
  return { revision, growthNumber: revision === currentRevision ? counts?.growthNumber : undefined }
}
