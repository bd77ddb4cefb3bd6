/**
 * The deletions of one stretch of the past, and then word that they were all.
 *
 * One watch tells them in order. Some servers serve watches of the past in rounds, and in each round read everything from
 * there to the head for a thousand revisions of each watch, so that a long stretch takes the square of its length. Where a
 * stretch lasts, what is left of it is cut into lanes with a watch each: then a round serves them all.
 *
 * When is a lane at its end? It sees a deletion behind it; or the server says, asked again and again, that everything up to
 * the head was told.
 *
 * Example: revisions [1, 800001) that last. 8 lanes begin at 1, 100001, 200001 ...; the first one is given up when it is
 * told of a deletion at 100300, which the second one has told already, or will tell.
 */

import type { Timer } from '../../core/base/clock.ts'
import type { Disposable } from '../../core/base/disposable.ts'
import type { StoreError } from '../../core/errors/store-error.ts'
import type { KeyInterval } from '../../core/client/key-value.ts'
import type { WatchEvent, WatchListener } from '../../core/client/watch-client.ts'
import type { BinSources, BinWatch } from './deleted-keys.ts'

const progressAskMs = 150
/** An answer may have been on its way when the last deletions came, so that the first one alone proves nothing. */
const progressAnswersNeeded = 2
const lanesMax = 8
/**
 * Shortest lane: so many rounds that they cost more than a lane may. Each one can be told of every deletion in the thousand
 * revisions behind its end before it is given up, and the server reads what each of them deleted.
 */
const laneRevisionsMin = 16_000
/** A stretch that takes longer is cut. Where a watch reads alone, a million revisions are told sooner than that. */
const cutAfterMs = 4_000

/** Revisions of `[from, end)`; of an endless stretch everything from there on, also what comes later. */
export interface DeletionStretch {
  readonly interval: KeyInterval
  readonly from: number
  readonly end: number
  /** Everything up to here is to be told before the stretch is called whole. */
  readonly headRevision: number
  /** Earlier stretches lasted, so that this one is cut at once. */
  readonly isSlow: boolean
}

/** Receives what the replay finds. Must not throw. */
export interface DeletionListener {
  /** Deletions of the stretch, each once; in order within a lane. */
  onDeletions(events: readonly WatchEvent[]): void
  /** Everything was told. An endless stretch goes on. */
  onWhole(stretch: { readonly wasSlow: boolean }): void
  /** Changes below this revision are gone. May come again with a higher one. */
  onCompacted(revision: number): void
  onInterrupted(reason: string): void
  onResumed(): void
  onRefused(error: StoreError): void
}

/** A part of the stretch with its watch. */
interface Lane {
  readonly watch: BinWatch
  readonly end: number
  /** First revision that is still owed. */
  next: number
  answerCount: number
  lastSignMs: number
  isDone: boolean
}

export class DeletionReplay implements Disposable {
  private readonly sources: BinSources
  private readonly stretch: DeletionStretch
  private readonly listener: DeletionListener
  private lanes: Lane[] = []
  private timer: Timer | undefined
  private isHeld = false
  private isWhole = false
  private isCut = false
  /** Time in which the server was not held up by us. */
  private runningMs = 0
  private lookedAtMs: number

  constructor(sources: BinSources, stretch: DeletionStretch, listener: DeletionListener) {
    this.sources = sources
    this.stretch = stretch
    this.listener = listener
    this.lookedAtMs = sources.clock.monotonicMs()
    if (!stretch.isSlow || !this.cut(stretch.from)) {
      this.lanes = [this.beginLane(stretch.from, stretch.end)]
    }
    this.askProgress()
  }

  /** Deletions wait at the server, or come again. */
  setHeld(isHeld: boolean): void {
    this.isHeld = isHeld
    for (const { watch, isDone } of this.lanes) {
      if (isDone) continue
      if (isHeld) watch.pause()
      else watch.resume()
    }
  }

  dispose(): void {
    this.timer?.cancel()
    for (const { watch } of this.lanes) watch.dispose()
  }

  /** Gives the stretch from a revision on to several watches; false where it is too short for that. */
  private cut(from: number): boolean {
    const { end, headRevision } = this.stretch
    const span = Math.min(end, headRevision + 1) - from
    const count = Math.min(lanesMax, Math.floor(span / laneRevisionsMin))
    if (count < 2) return false
    for (const { watch } of this.lanes) watch.dispose()
    const bound = (at: number): number =>
      at === count ? end : from + Math.floor((span * at) / count)
    this.isCut = true
    this.lanes = Array.from({ length: count }, (_, at) =>
      this.beginLane(bound(at), bound(at + 1)),
    ).reverse()
    return true
  }

  private beginLane(from: number, end: number): Lane {
    const { sources, stretch } = this
    // The watch may speak before it is known here.
    const found: { lane?: Lane } = {}
    const watch = sources.watch(
      {
        ...{ interval: stretch.interval, startRevision: from },
        ...{ needsPrevious: true, isWithoutPuts: true },
      },
      this.listenerOf(() => found.lane),
    )
    const lastSignMs = sources.clock.monotonicMs()
    found.lane = { watch, end, next: from, answerCount: 0, lastSignMs, isDone: false }
    if (this.isHeld) watch.pause()
    return found.lane
  }

  private listenerOf(laneOf: () => Lane | undefined): WatchListener {
    const { listener } = this
    const noteSign = (): void => {
      const lane = laneOf()
      if (lane === undefined) return
      lane.lastSignMs = this.sources.clock.monotonicMs()
      lane.answerCount = 0
    }
    return {
      onStarted: ({ isResumed }) => {
        noteSign()
        if (isResumed) listener.onResumed()
      },
      onEvents: (events) => {
        noteSign()
        const lane = laneOf()
        if (lane !== undefined) this.take(lane, events)
      },
      onProgress: ({ revision }) => {
        const lane = laneOf()
        if (lane !== undefined && revision >= this.stretch.headRevision) lane.answerCount++
      },
      onInterrupted: (reason) => {
        noteSign()
        listener.onInterrupted(reason)
      },
      onGap: ({ toRevision }) => {
        noteSign()
        listener.onCompacted(toRevision + 1)
      },
      onRefused: (error) => {
        listener.onRefused(error)
      },
    }
  }

  private take(lane: Lane, events: readonly WatchEvent[]): void {
    const own = events.filter(({ pair }) => pair.modRevision < lane.end)
    const last = own.at(-1)
    if (last !== undefined) {
      lane.next = last.pair.modRevision + 1
      this.listener.onDeletions(own)
    }
    if (own.length === events.length || lane.isDone) return
    lane.isDone = true
    lane.watch.dispose()
    this.endIfWhole()
  }

  private askProgress(): void {
    const { clock } = this.sources
    this.timer = clock.setTimer(progressAskMs, () => {
      const nowMs = clock.monotonicMs()
      if (!this.isHeld) this.runningMs += nowMs - this.lookedAtMs
      this.lookedAtMs = nowMs
      for (const lane of this.lanes) this.lookAt(lane, nowMs)
      this.endIfWhole()
      if (this.isWhole) return
      if (!this.isCut && this.runningMs > cutAfterMs) {
        this.isCut = true
        this.cut(this.lanes[0]?.next ?? this.stretch.from)
      }
      this.askProgress()
    })
  }

  private lookAt(lane: Lane, nowMs: number): void {
    if (lane.isDone) return
    const isQuiet = nowMs - lane.lastSignMs >= this.sources.quietMs
    if (lane.answerCount < progressAnswersNeeded || !isQuiet) {
      lane.watch.requestProgress()
      return
    }
    lane.isDone = true
    // Where the end is known only from silence, what comes late is not to be lost.
    const isOver = Number.isFinite(lane.end) && this.sources.quietMs === 0
    if (isOver) lane.watch.dispose()
  }

  private endIfWhole(): void {
    if (this.isWhole || this.lanes.some(({ isDone }) => !isDone)) return
    this.isWhole = true
    this.timer?.cancel()
    this.listener.onWhole({ wasSlow: this.isCut })
  }
}
