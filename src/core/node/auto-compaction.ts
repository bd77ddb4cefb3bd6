/**
 * Compacts by itself, so that history does not grow for ever. Runs on every member, acts on the leader.
 *
 * By revisions: every five minutes everything older than the newest so many goes. By time: the revision is written down
 * ten times a period (every six minutes for long periods), and once a whole period has passed, what was current then is
 * compacted to, every period or every hour. Source: etcd's compactor.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { StoreError } from '../errors/store-error.ts'

export type AutoCompactionOptions =
  | { readonly mode: 'off' }
  | { readonly mode: 'revision'; readonly keptRevisionCount: number }
  | { readonly mode: 'periodic'; readonly periodMs: number }

export interface AutoCompactionParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly currentRevision: () => number
  /** Members that do not lead write down revisions and wait. */
  readonly isLeader: () => boolean
  /** @throws StoreError */
  readonly compact: (revision: number) => Promise<unknown>
}

const revisionIntervalMs = 5 * 60_000
const compactIntervalMsMax = 60 * 60_000
const samplesPerInterval = 10

/** Compacts at its times between `start` and `stop`. */
export class AutoCompaction {
  private readonly parts: AutoCompactionParts
  private readonly options: AutoCompactionOptions
  private timer: Timer | undefined
  private lastRevision = 0
  private lastSuccessMs = 0
  private hasPassedPeriod = false
  /** Revisions written down, the oldest first. */
  private samples: number[] = []

  constructor(parts: AutoCompactionParts, options: AutoCompactionOptions) {
    this.parts = parts
    this.options = options
  }

  start(): void {
    this.lastSuccessMs = this.parts.clock.monotonicMs()
    if (this.options.mode !== 'off') this.schedule()
  }

  stop(): void {
    this.timer?.cancel()
    this.timer = undefined
  }

  private schedule(): void {
    const { options } = this
    if (options.mode === 'periodic') this.writeDown(options.periodMs)
    const intervalMs =
      options.mode === 'periodic' ? sampleIntervalMs(options.periodMs) : revisionIntervalMs
    this.timer = this.parts.clock.setTimer(intervalMs, () => {
      this.compactIfDue()
      this.schedule()
    })
  }

  private writeDown(periodMs: number): void {
    const countMax = Math.round(periodMs / sampleIntervalMs(periodMs)) + 1
    this.samples.push(this.parts.currentRevision())
    if (this.samples.length > countMax) this.samples.shift()
  }

  private compactIfDue(): void {
    if (!this.parts.isLeader()) return
    const revision = this.dueRevision()
    if (revision === undefined || revision <= 0 || revision === this.lastRevision) return
    this.compact(revision)
  }

  private dueRevision(): number | undefined {
    const { options } = this
    if (options.mode === 'off') return undefined
    if (options.mode === 'revision') {
      return this.parts.currentRevision() - options.keptRevisionCount
    }
    // The first time a whole period has to pass; nothing is known of what was before the start.
    const waitMs = this.hasPassedPeriod
      ? Math.min(options.periodMs, compactIntervalMsMax)
      : options.periodMs
    if (this.parts.clock.monotonicMs() - this.lastSuccessMs < waitMs) return undefined
    this.hasPassedPeriod = true
    return this.samples[0]
  }

  private compact(revision: number): void {
    const { compact, logger, clock } = this.parts
    const noteDone = (): void => {
      this.lastRevision = revision
      this.lastSuccessMs = clock.monotonicMs()
    }
    compact(revision).then(
      () => {
        noteDone()
        logger.info('completed auto compaction', { mode: this.options.mode, revision })
      },
      (error: unknown) => {
        // Somebody else was faster: that is as good.
        if (error instanceof StoreError && error.code === 'compacted') noteDone()
        else logger.warn('failed auto compaction', { revision, reason: String(error) })
      },
    )
  }
}

function sampleIntervalMs(periodMs: number): number {
  return Math.min(periodMs, compactIntervalMsMax) / samplesPerInterval
}
