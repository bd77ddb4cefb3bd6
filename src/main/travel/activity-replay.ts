/**
 * Replays a range from the oldest kept revision, and goes on with what is written, as numbers.
 *
 * Values travel from the cluster with a watch whether they are wanted or not; none is kept. A replay of a million revisions
 * would hold up every other call of the app while it is decoded, so it lets go for a moment after each few thousand.
 */

import type { Clock, Timer } from '../../core/base/clock.ts'
import type { Disposable } from '../../core/base/disposable.ts'
import type { StoreError } from '../../core/errors/store-error.ts'
import type { KeyInterval } from '../../core/client/key-value.ts'
import type { RunningWatch, WatchClient, WatchEvent } from '../../core/client/watch-client.ts'
import { ActivityRecord, type Neighbour } from './activity-record.ts'

const reportEveryMs = 120
/** Events between two pauses: a few milliseconds of work. */
const eventsPerTurn = 4_000
const turnPauseMs = 2
const progressEveryMs = 200
/** Servers before 3.4.25 answer a progress request too early, so a first answer alone does not prove the end. */
const progressAnswersNeeded = 2
/** A start that waits for the next write never answers; then silence decides. */
const silenceMs = 2_000
const oldestOfAll = 1

/** The picture as it is now; see `preload/contract/activity.ts`. */
export interface ActivityPicture {
  readonly oldestRevision: number
  readonly headRevision: number
  readonly scannedRevision: number
  readonly isComplete: boolean
  readonly barRevisions: number
  readonly bars: Float64Array
  readonly changeCount: number
  readonly writeCount: number
}

export interface ActivityOptions {
  readonly interval: KeyInterval
  /** The newest revision at the start. */
  readonly headRevision: number
  readonly onPicture: (picture: ActivityPicture) => void
  readonly onRefused: (error: StoreError) => void
}

/** One replay. Disposing it ends it. */
export class ActivityReplay implements Disposable {
  private readonly clock: Clock
  private readonly options: ActivityOptions
  private readonly startHead: number
  private readonly watch: RunningWatch
  private record: ActivityRecord
  private head: number
  private isComplete = false
  private progressAnswers = 0
  private eventsInTurn = 0
  private lastSignMs: number
  private reportTimer: Timer | undefined
  private turnTimer: Timer | undefined
  private progressTimer: Timer | undefined

  constructor(clock: Clock, client: WatchClient, options: ActivityOptions) {
    this.clock = clock
    this.options = options
    this.startHead = options.headRevision
    this.head = options.headRevision
    this.record = new ActivityRecord(oldestOfAll, this.head)
    this.lastSignMs = clock.monotonicMs()
    this.watch = client.open(
      { interval: options.interval, startRevision: oldestOfAll, needsPrevious: false },
      {
        onStarted: () => {
          this.reportSoon()
        },
        onEvents: (events) => {
          this.take(events)
        },
        onProgress: ({ revision }) => {
          if (revision >= this.startHead) this.progressAnswers++
        },
        onInterrupted: () => {
          this.progressAnswers = 0
          this.lastSignMs = clock.monotonicMs()
        },
        onGap: ({ toRevision }) => {
          this.takeGap(toRevision)
        },
        onRefused: options.onRefused,
      },
    )
    this.askProgress()
  }

  /** The nearest revision that changed the range; unknown where the replay has not been yet. */
  find(revision: number, direction: 'previous' | 'next'): Neighbour {
    const found = this.record.find(revision, direction)
    const isBehindReplay = !this.isComplete && revision > this.record.newestRevision
    if (direction === 'previous') return isBehindReplay ? { kind: 'unknown' } : found
    return found.kind === 'none' && !this.isComplete ? { kind: 'unknown' } : found
  }

  dispose(): void {
    this.watch.dispose()
    this.reportTimer?.cancel()
    this.turnTimer?.cancel()
    this.progressTimer?.cancel()
  }

  private take(events: readonly WatchEvent[]): void {
    this.lastSignMs = this.clock.monotonicMs()
    this.progressAnswers = 0
    for (const { pair } of events) this.record.add(pair.modRevision, 1)
    this.head = Math.max(this.head, this.record.newestRevision)
    if (this.record.newestRevision >= this.startHead) this.isComplete = true
    this.eventsInTurn += events.length
    this.reportSoon()
    if (this.isComplete || this.eventsInTurn < eventsPerTurn || this.turnTimer !== undefined) return
    this.eventsInTurn = 0
    this.watch.pause()
    this.turnTimer = this.clock.setTimer(turnPauseMs, () => {
      this.turnTimer = undefined
      this.watch.resume()
    })
  }

  /** What was compacted is not there to be counted; after a gap in the middle the rest would be a guess. */
  private takeGap(toRevision: number): void {
    this.lastSignMs = this.clock.monotonicMs()
    this.record = new ActivityRecord(toRevision + 1, Math.max(this.head, toRevision + 1))
    this.report()
  }

  private askProgress(): void {
    this.progressTimer = this.clock.setTimer(progressEveryMs, () => {
      const isSilent = this.clock.monotonicMs() - this.lastSignMs > silenceMs
      if (this.progressAnswers >= progressAnswersNeeded || isSilent) this.isComplete = true
      if (this.isComplete) {
        this.reportSoon()
        return
      }
      this.watch.requestProgress()
      this.askProgress()
    })
  }

  private reportSoon(): void {
    this.reportTimer ??= this.clock.setTimer(reportEveryMs, () => {
      this.reportTimer = undefined
      this.report()
    })
  }

  private report(): void {
    const { record, head, isComplete } = this
    this.options.onPicture({
      oldestRevision: record.oldestRevision,
      headRevision: head,
      scannedRevision: isComplete ? head : record.newestRevision,
      isComplete,
      barRevisions: record.barRevisions,
      bars: record.bars(),
      changeCount: record.changeCount,
      writeCount: record.writeCount,
    })
  }
}
