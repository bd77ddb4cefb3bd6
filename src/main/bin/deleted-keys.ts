/**
 * The deleted keys of a range, from the oldest kept revision on, and for as long as it runs.
 *
 * Watches and a question make it. Watches without puts replay the deletions, each with what it deleted. A watch without deletes follows from the head of the start on and
 * takes keys out that come back. Whether a key that was deleted long ago exists again is asked for many keys at once.
 *
 * What was deleted last is wanted first, but a watch tells the oldest first. So the last thousand revisions are replayed
 * before fifteen thousand older ones, and so on to the beginning, see `deletion-replay.ts`. The first replay goes on live.
 *
 * Example: put a at 5, delete at 6, put at 9, delete b at 12. The replay delivers "a at 6" and "b at 12"; the question
 * finds a with mod revision 9 and leaves it out; b is in the bin.
 */

import { copyBytes, latin1Of } from '../../core/base/bytes.ts'
import type { Clock, Timer } from '../../core/base/clock.ts'
import type { Disposable } from '../../core/base/disposable.ts'
import { StoreError } from '../../core/errors/store-error.ts'
import type { KeyInterval } from '../../core/client/key-value.ts'
import type { WatchEvent, WatchListener, WatchOptions } from '../../core/client/watch-client.ts'
import { joinedWithOffsets } from '../../preload/contract/key-columns.ts'
import type { BinColumns, BinItem } from '../../preload/contract/bin.ts'
import type { PlanCluster } from '../plans/plan-reading.ts'
import { DeletionReplay, type DeletionListener } from './deletion-replay.ts'
import { ExistQuestions } from './exist-questions.ts'

/** Deleted keys that are kept; beyond, the oldest deletions are left out. */
const binKeysMax = 200_000
/** This part of them more is kept until the oldest are looked for. */
const roomParts = 16
/** Revisions of the first replay, and how many times more have been replayed after each further one. */
const firstReplayRevisions = 1_000
const replayGrowth = 16
/** The replay stops while so many deletions wait for their question, and goes on when few are left. */
const waitingHigh = 4_096
const waitingLow = 1_024
const compactionAskMs = 5_000
/** An answer about compaction comes at once. */
const compactionAnswerMs = 150

/** A watch under way, as much of it as is used. */
export interface BinWatch extends Disposable {
  pause(): void
  resume(): void
  requestProgress(): void
}

/** What a bin is made from: a client's calls, or those of a store in memory. */
export interface BinSources {
  readonly clock: Clock
  readonly kv: PlanCluster
  /**
   * The replay is called complete only after this long without a deletion: 0 for servers whose answers about progress can
   * be relied on. Others (before 3.4.25 and 3.5.8) answer while they still owe deletions; those are shown when they come.
   */
  readonly quietMs: number
  watch(options: WatchOptions, listener: WatchListener): BinWatch
}

interface BinEntry {
  readonly key: Uint8Array
  readonly deletedRevision: number
  readonly valueSizeBytes: number
  readonly lease: bigint
  readonly createRevision: number
  readonly version: number
}

export class DeletedKeys implements Disposable {
  private readonly sources: BinSources
  private readonly interval: KeyInterval
  private readonly push: (item: BinItem) => void
  private readonly onFailed: (error: unknown) => void
  private readonly entries = new Map<string, BinEntry>()
  private readonly questions: ExistQuestions<BinEntry>
  private readonly abort = new AbortController()
  private readonly keysMax: number
  /** The newest stretch, which goes on live, and the older ones. */
  private readonly replays: DeletionReplay[] = []
  private returns: BinWatch | undefined
  private compactionTimer: Timer | undefined
  private compactionProbe: BinWatch | undefined
  private isReplayed = false
  private isComplete = false
  private isBehind = false
  /** Everything from here on was replayed, or is. */
  private replayFrom = Number.POSITIVE_INFINITY
  private isSlow = false
  /** Deletions up to here are counted alone. */
  private leftOutUpTo = 0
  private keptFrom = 0
  private toldDroppedCount = 0
  private headRevision = 0
  private compactedRevision = 0
  private seenCount = 0
  private droppedCount = 0

  /** @param keysMax  how many deleted keys are kept, about */
  constructor(
    sources: BinSources,
    interval: KeyInterval,
    listener: {
      readonly push: (item: BinItem) => void
      readonly onFailed: (error: unknown) => void
    },
    keysMax = binKeysMax,
  ) {
    this.keysMax = keysMax
    this.sources = sources
    this.interval = interval
    this.push = listener.push
    this.onFailed = listener.onFailed
    this.questions = new ExistQuestions({
      ...{ clock: sources.clock, kv: sources.kv, signal: this.abort.signal },
      onAnswer: (asked, modRevisions) => {
        this.settle(asked, modRevisions)
      },
      onFailed: (error) => {
        this.fail(error)
      },
    })
    void this.begin()
  }

  dispose(): void {
    this.abort.abort()
    this.questions.dispose()
    this.compactionTimer?.cancel()
    for (const replay of this.replays) replay.dispose()
    for (const watch of [this.returns, this.compactionProbe]) watch?.dispose()
  }

  private async begin(): Promise<void> {
    const { kv } = this.sources
    try {
      const { header } = await kv.range(this.interval, {
        isCountOnly: true,
        signal: this.abort.signal,
      })
      this.headRevision = header.revision
    } catch (error) {
      this.fail(error)
      return
    }
    if (this.abort.signal.aborted) return
    this.replay(firstReplayRevisions)
    this.returns = this.sources.watch(
      {
        interval: this.interval,
        startRevision: this.headRevision + 1,
        needsPrevious: false,
        isWithoutDeletes: true,
      },
      this.returnsListener(),
    )
    this.askForCompactionLater()
  }

  /** Replays what is missing of the last so many revisions; all where not many more are left. */
  private replay(revisionCount: number): void {
    const { interval, headRevision, isSlow } = this
    const end = this.replayFrom
    const from = headRevision - revisionCount
    this.replayFrom = from > revisionCount ? from : 1
    const stretch = { interval, from: this.replayFrom, end, headRevision, isSlow }
    this.replays.push(new DeletionReplay(this.sources, stretch, this.deletionListener()))
    this.holdReplay()
  }

  private goOn(): void {
    if (this.replayFrom <= Math.max(1, this.compactedRevision)) {
      this.isReplayed = true
      this.tellProgress()
      return
    }
    const revisionCount = this.headRevision - this.replayFrom
    // Where the end of a replay is known only from silence there is one wait more at most.
    const isCertain = this.sources.quietMs === 0
    this.replay(isCertain ? revisionCount * replayGrowth : Number.POSITIVE_INFINITY)
  }

  /** Deletions wait at the server while too many wait here for their question. */
  private holdReplay(): void {
    const { waitingCount } = this.questions
    this.isBehind = waitingCount > (this.isBehind ? waitingLow : waitingHigh)
    for (const replay of this.replays) replay.setHeld(this.isBehind)
  }

  private deletionListener(): DeletionListener {
    return {
      onDeletions: (events) => {
        for (const event of events) this.takeDeletion(event)
        this.questions.send()
        this.holdReplay()
      },
      onWhole: ({ wasSlow }) => {
        this.isSlow = wasSlow
        this.goOn()
      },
      onCompacted: (revision) => {
        this.noteCompacted(revision)
      },
      onInterrupted: (reason) => {
        this.push({ kind: 'interrupted', reason })
      },
      onResumed: () => {
        this.push({ kind: 'resumed' })
      },
      onRefused: (error) => {
        this.fail(error)
      },
    }
  }

  private returnsListener(): WatchListener {
    const nothing = (): void => undefined
    return {
      onStarted: nothing,
      onEvents: (events) => {
        const keys: Uint8Array[] = []
        for (const { pair } of events) {
          const name = latin1Of(pair.key)
          const entry = this.entries.get(name)
          if (entry === undefined || entry.deletedRevision >= pair.modRevision) continue
          this.entries.delete(name)
          this.questions.forget(name)
          // Even before this deletion was told: an earlier one of the key may stand in the page.
          keys.push(entry.key)
        }
        if (keys.length > 0) this.push({ kind: 'returned', keys })
      },
      onProgress: nothing,
      onInterrupted: nothing,
      // What came back in a gap is found by asking again for all.
      onGap: () => {
        for (const [name, entry] of this.entries) this.questions.put(name, entry)
        this.questions.send()
      },
      onRefused: (error) => {
        this.fail(error)
      },
    }
  }

  private takeDeletion({ kind, pair, previous }: WatchEvent): void {
    const deletedRevision = pair.modRevision
    // What was before the first kept revision cannot be read, so such a deletion is nothing that could be shown.
    if (kind !== 'delete' || deletedRevision <= this.compactedRevision) return
    this.seenCount++
    this.headRevision = Math.max(this.headRevision, deletedRevision)
    const name = latin1Of(pair.key)
    if ((this.entries.get(name)?.deletedRevision ?? 0) >= deletedRevision) return
    if (deletedRevision <= this.leftOutUpTo) {
      this.droppedCount++
      return
    }
    this.makeRoom()
    const entry: BinEntry = {
      key: copyBytes(pair.key),
      deletedRevision,
      valueSizeBytes: previous?.value.length ?? -1,
      lease: previous?.lease ?? 0n,
      createRevision: previous?.createRevision ?? 0,
      version: previous?.version ?? 0,
    }
    this.entries.set(name, entry)
    this.questions.put(name, entry)
  }

  /** Leaves the oldest deletions out when there are too many. */
  private makeRoom(): void {
    const { entries, keysMax } = this
    if (entries.size < keysMax + keysMax / roomParts) return
    const revisions = Float64Array.from(entries.values(), (one) => one.deletedRevision).sort()
    const oldestKept = revisions[entries.size - keysMax] ?? 0
    /** Of a revision that is not left out as a whole. */
    const cut: Uint8Array[] = []
    let surplus = entries.size - keysMax
    for (const [name, { deletedRevision }] of entries) {
      if (deletedRevision >= oldestKept) continue
      entries.delete(name)
      this.questions.forget(name)
      surplus--
    }
    for (const [name, { key, deletedRevision }] of entries) {
      if (surplus === 0) break
      if (deletedRevision !== oldestKept) continue
      entries.delete(name)
      this.questions.forget(name)
      cut.push(key)
      surplus--
    }
    this.droppedCount += revisions.length - entries.size
    this.keptFrom = oldestKept
    this.leftOutUpTo = cut.length > 0 ? oldestKept : oldestKept - 1
    if (cut.length > 0) this.push({ kind: 'returned', keys: cut })
  }

  private settle(asked: readonly BinEntry[], modRevisions: readonly number[]): void {
    const deleted: BinEntry[] = []
    const returned: Uint8Array[] = []
    asked.forEach((entry, at) => {
      const name = latin1Of(entry.key)
      // Meanwhile the key may have come back, or have been deleted anew: then this answer is about the past.
      if (this.entries.get(name) !== entry) return
      if ((modRevisions[at] ?? 0) > entry.deletedRevision) {
        this.entries.delete(name)
        returned.push(entry.key)
        return
      }
      deleted.push(entry)
    })
    if (returned.length > 0) this.push({ kind: 'returned', keys: returned })
    if (deleted.length > 0) this.push({ kind: 'deleted', columns: binColumnsOf(deleted) })
    this.holdReplay()
    this.tellProgress()
  }

  private tellProgress(): void {
    const { seenCount, headRevision, droppedCount } = this
    this.isComplete ||= this.isReplayed && this.questions.isSettled
    if (droppedCount > this.toldDroppedCount) {
      this.toldDroppedCount = droppedCount
      this.push({ kind: 'cut', beforeRevision: this.keptFrom, droppedCount })
    }
    const { isComplete } = this
    this.push({ kind: 'progress', seenCount, headRevision, isComplete })
  }

  private askForCompactionLater(): void {
    if (this.abort.signal.aborted) return
    this.compactionTimer = this.sources.clock.setTimer(compactionAskMs, () => {
      void this.lookForCompaction()
    })
  }

  /**
   * One key is counted as of the oldest revision that was kept. Only when that is gone a watch is asked how far, because
   * some servers read everything that they keep for a watch from the beginning.
   */
  private async lookForCompaction(): Promise<void> {
    const { signal } = this.abort
    const revision = Math.max(1, this.compactedRevision)
    try {
      await this.sources.kv.range(
        { start: this.interval.start },
        { isCountOnly: true, limit: 1, revision, signal },
      )
    } catch (error) {
      if (error instanceof StoreError && error.code === 'compacted') {
        this.probeCompaction()
        return
      }
      // What else is wrong is told by the watches, which go on through it or end the bin.
    }
    this.askForCompactionLater()
  }

  /** How far the compaction went is told to a watch that asks for too much; one key of no meaning is enough for that. */
  private probeCompaction(): void {
    const { clock } = this.sources
    const finish = (): void => {
      this.compactionProbe?.dispose()
      this.compactionProbe = undefined
      this.askForCompactionLater()
    }
    const nothing = (): void => undefined
    this.compactionProbe = this.sources.watch(
      {
        interval: { start: this.interval.start },
        startRevision: 1,
        needsPrevious: false,
        isWithoutPuts: true,
        isWithoutDeletes: true,
      },
      {
        // A refusal for compaction comes after the start, at once; the pause lets it arrive.
        onStarted: () => {
          this.compactionTimer?.cancel()
          this.compactionTimer = clock.setTimer(compactionAnswerMs, finish)
        },
        onGap: ({ toRevision }) => {
          this.noteCompacted(toRevision + 1)
        },
        onEvents: nothing,
        onProgress: nothing,
        onInterrupted: nothing,
        onRefused: finish,
      },
    )
  }

  private noteCompacted(revision: number): void {
    if (revision <= this.compactedRevision) return
    this.compactedRevision = revision
    this.push({ kind: 'compacted', compactedRevision: revision })
  }

  private fail(error: unknown): void {
    if (this.abort.signal.aborted) return
    const isPassing = error instanceof StoreError && error.code === 'contextCanceled'
    if (!isPassing) this.onFailed(error)
  }
}

function binColumnsOf(entries: readonly BinEntry[]): BinColumns {
  const { bytes, offsets } = joinedWithOffsets(entries.map(({ key }) => key))
  return {
    rowCount: entries.length,
    keyBytes: bytes,
    keyOffsets: offsets,
    deletedRevisions: Float64Array.from(entries, ({ deletedRevision }) => deletedRevision),
    valueSizesBytes: Int32Array.from(entries, ({ valueSizeBytes }) => valueSizeBytes),
    leases: BigInt64Array.from(entries, ({ lease }) => lease),
    createRevisions: Float64Array.from(entries, ({ createRevision }) => createRevision),
    versions: Float64Array.from(entries, ({ version }) => version),
  }
}
