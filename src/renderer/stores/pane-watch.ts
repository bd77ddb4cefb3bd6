/** One watch of a pane: its stream, how far it came, and how to go on from there without loss or repetition. */

import type { Subscription } from '../../preload/contract/reply.ts'
import type { WatchNotice, WatchRowsItem } from '../../preload/contract/watch.ts'
import { watchColumnFlags } from '../../preload/contract/watch-columns.ts'
import { streamApi } from '../api/stream-api.ts'
import { rangeOfDefinition } from './watch-definition.ts'
import type { WatchDefinition } from './watch-definition.ts'
import type { Seam, WatchLog } from './watch-log.ts'

/** Beginning of each value that is kept; more of it is read when a row is looked at. */
const valueBytesMax = 2_048
const rateSeconds = 5

/** What happened to the pane by one batch of one watch. */
export interface WatchProgress {
  /** New rows, sorted. */
  readonly added: readonly number[]
  readonly changeCount: number
  /** Rows of changes that are not history. */
  readonly liveIds: readonly number[]
}

export class PaneWatch {
  readonly id: number
  readonly definition: WatchDefinition
  readonly connectionId: string
  isShown = true
  isPaused = false
  /** No stream at the moment; it comes back by itself. */
  isInterrupted = false
  changeCount = 0
  /** Everything up to this revision was delivered; 0: unknown. */
  completeTo = 0
  /** Why the cluster refuses it. */
  error: unknown
  private readonly log: WatchLog
  private readonly onBatch: (items: readonly WatchRowsItem[]) => void
  private readonly onEnd: () => void
  private subscription: Subscription | undefined
  /** The head when it began: what is not newer happened before. */
  private headRevision: number
  private lastRevision = 0
  /** Changes of the last revision that were taken. */
  private lastCount = 0
  /** Changes of the last revision that will come again after a pause. */
  private repeatCount = 0
  private endpoint = ''
  private interruptedAtMs: number | undefined
  /** Changes went away before they came; the resume that follows cannot say that nothing was lost. */
  private hasGap = false
  private readonly secondCounts: number[] = []
  private countOfSecond = 0

  constructor(
    wanted: {
      readonly id: number
      readonly definition: WatchDefinition
      readonly connectionId: string
      readonly headRevision: number
    },
    parts: {
      readonly log: WatchLog
      onBatch(watch: PaneWatch, items: readonly WatchRowsItem[]): void
      onEnd(watch: PaneWatch): void
    },
  ) {
    this.id = wanted.id
    this.definition = wanted.definition
    this.connectionId = wanted.connectionId
    this.headRevision = wanted.headRevision
    this.log = parts.log
    this.onBatch = (items) => {
      parts.onBatch(this, items)
    }
    this.onEnd = () => {
      parts.onEnd(this)
    }
  }

  /** Changes a second, over the last whole seconds. */
  get perSecond(): number {
    return this.secondCounts.reduce((sum, count) => sum + count, 0) / rateSeconds
  }

  get isRunning(): boolean {
    return this.subscription !== undefined
  }

  /** Begins, or goes on behind what was delivered. */
  begin(): void {
    const { definition, connectionId } = this
    const { keyPattern, valuePattern } = definition
    this.error = undefined
    this.isPaused = false
    this.repeatCount = this.lastRevision > this.completeTo ? this.lastCount : 0
    this.subscription = streamApi.watchRows(
      {
        connectionId,
        range: rangeOfDefinition(definition),
        startRevision: this.nextRevision(),
        hasPrevious: definition.hasPrevious,
        isWithoutPuts: definition.isWithoutPuts,
        isWithoutDeletes: definition.isWithoutDeletes,
        valueBytesMax,
        ...(keyPattern === '' ? {} : { keyPattern }),
        ...(valuePattern === '' ? {} : { valuePattern }),
      },
      {
        onBatch: this.onBatch,
        onEnd: (error) => {
          this.subscription = undefined
          this.error = error
          this.onEnd()
        },
      },
    )
  }

  /** Ends the stream; `begin` goes on where it ended, for as long as nobody compacts what lies between. */
  pause(): void {
    this.stop()
    this.isPaused = true
  }

  stop(): void {
    this.subscription?.close()
    this.subscription = undefined
    this.isInterrupted = false
    this.interruptedAtMs = undefined
  }

  /** A second is over. */
  tick(): void {
    this.secondCounts.push(this.countOfSecond)
    if (this.secondCounts.length > rateSeconds) this.secondCounts.shift()
    this.countOfSecond = 0
  }

  /** Takes what was delivered into the log. */
  take(item: WatchRowsItem, seenAtMs: number): WatchProgress {
    if (item.kind !== 'rows') return this.takeNotice(item, seenAtMs)
    const { columns } = item
    const skipCount = this.repeated(columns.revisions)
    const { id, headRevision } = this
    const added = this.log.append(columns, { watchId: id, seenAtMs, headRevision, skipCount })
    const newest = columns.revisions.at(-1) ?? this.lastRevision
    let ofNewest = 0
    while (columns.revisions.at(-1 - ofNewest) === newest && ofNewest < columns.rowCount) ofNewest++
    this.lastCount = newest === this.lastRevision ? this.lastCount + added.length : ofNewest
    this.lastRevision = newest
    const isWhole = ((columns.flags.at(-1) ?? 0) & watchColumnFlags.completesRevision) !== 0
    this.completeTo = Math.max(this.completeTo, isWhole ? newest : newest - 1)
    this.changeCount += added.length
    const liveIds = added.filter((row) => this.log.placeOf(row) > headRevision)
    // What a watch reads of the past is no pace of the present.
    this.countOfSecond += liveIds.length
    return { added, changeCount: added.length, liveIds }
  }

  private nextRevision(): number {
    const { start } = this.definition
    if (this.lastRevision > this.completeTo) return this.lastRevision
    if (this.completeTo > 0) return this.completeTo + 1
    if (start.kind === 'now') return 0
    return start.kind === 'oldest' ? 1 : start.revision
  }

  /** How many rows at the beginning were taken before the pause. */
  private repeated(revisions: Float64Array): number {
    let count = 0
    while (
      this.repeatCount > 0 &&
      count < revisions.length &&
      revisions[count] === this.lastRevision
    ) {
      count++
      this.repeatCount--
    }
    this.repeatCount = count === revisions.length ? this.repeatCount : 0
    return count
  }

  private takeNotice(notice: WatchNotice, seenAtMs: number): WatchProgress {
    const nothing = { added: [], changeCount: 0, liveIds: [] }
    if (notice.kind === 'progress' || notice.kind === 'started') {
      const revision = notice.kind === 'started' ? notice.startRevision - 1 : notice.revision
      // A watch from now on learns here where its history ends.
      if (notice.kind === 'started') {
        this.endpoint = notice.endpoint
        if (this.definition.start.kind === 'now' && this.completeTo === 0)
          this.headRevision = revision
      }
      this.completeTo = Math.max(this.completeTo, revision)
      return nothing
    }
    return { ...nothing, added: [this.appendSeam(notice, seenAtMs)] }
  }

  private appendSeam(seam: Seam, seenAtMs: number): number {
    const since = this.interruptedAtMs
    const reached = Math.max(this.completeTo, this.lastRevision)
    const source = { seam, seenAtMs }
    switch (seam.kind) {
      case 'interrupted':
        this.isInterrupted = true
        this.interruptedAtMs = seenAtMs
        return this.log.appendSeam(this.id, reached + 0.5, source)
      case 'resumed': {
        this.isInterrupted = false
        this.interruptedAtMs = undefined
        const previousEndpoint = this.endpoint
        this.endpoint = seam.endpoint
        const moved = previousEndpoint === seam.endpoint ? {} : { previousEndpoint }
        const silent = since === undefined ? {} : { silentMs: seenAtMs - since }
        this.completeTo = Math.max(this.completeTo, seam.startRevision - 1)
        const isAfterGap = this.hasGap
        this.hasGap = false
        return this.log.appendSeam(this.id, seam.startRevision - 0.5, {
          ...source,
          ...silent,
          ...moved,
          ...(isAfterGap ? { isAfterGap } : {}),
        })
      }
      case 'gap': {
        const isBeforeStart =
          this.definition.start.kind === 'oldest' && seam.fromRevision === 1 && reached === 0
        this.completeTo = Math.max(this.completeTo, seam.toRevision)
        this.hasGap = true
        return this.log.appendSeam(this.id, seam.toRevision + 0.5, { ...source, isBeforeStart })
      }
      case 'dropped':
        return this.log.appendSeam(this.id, reached + 0.5, source)
    }
  }
}
