/**
 * How long applying takes, by kind of request, and which requests took longer than they should.
 *
 * Requests of a run are applied one after the other without a pause, so the clock is read once for each: what one took is
 * the time since the one before it.
 */
import type { AuthOperation } from '../apply/auth-operation.ts'
import type { LoggedRequest } from '../apply/request-envelope.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { doublingSeconds, TimeHistogram } from '../base/time-histogram.ts'

/** etcd's: 0.1 ms to 52 s. */
const boundsSeconds = doublingSeconds(0.0001, 20)

/** What a request asks for; of users and roles, what exactly. */
export type AppliedKind = Exclude<LoggedRequest['kind'], 'auth'> | `auth.${AuthOperation['kind']}`

/** Of one kind of request. */
export interface ApplyTimes {
  readonly kind: AppliedKind
  readonly succeeded: TimeHistogram
  readonly failed: TimeHistogram
}

export interface ApplyPaceOptions {
  /** Requests that take longer are told of in the log. */
  readonly warningMs: number
}

/** Times the requests that one node applies. */
export class ApplyPace {
  /** Requests and reads that took longer than they should. */
  slowCount = 0
  private readonly clock: Clock
  private readonly logger: Logger
  private readonly warningMs: number
  private readonly times = new Map<AppliedKind, ApplyTimes>()
  private lastMs = 0

  constructor(clock: Clock, logger: Logger, { warningMs }: ApplyPaceOptions) {
    this.clock = clock
    this.logger = logger
    this.warningMs = warningMs
  }

  /** A run of entries begins to be applied. */
  begin(): void {
    this.lastMs = this.clock.monotonicMs()
  }

  /** A request was applied. */
  noteApplied(logged: LoggedRequest, hasSucceeded: boolean): void {
    const kind = logged.kind === 'auth' ? (`auth.${logged.operation.kind}` as const) : logged.kind
    const nowMs = this.clock.monotonicMs()
    const tookMs = nowMs - this.lastMs
    this.lastMs = nowMs
    const times = this.times.get(kind) ?? this.add(kind)
    const { succeeded, failed } = times
    ;(hasSucceeded ? succeeded : failed).recordMs(tookMs)
    if (tookMs > this.warningMs) this.warn({ tookMs, prefix: '', request: kind })
  }

  /** A read that began at this time outside of the log has ended. */
  noteRead(request: 'range' | 'txn', beganMs: number): void {
    const tookMs = this.clock.monotonicMs() - beganMs
    if (tookMs > this.warningMs) this.warn({ tookMs, prefix: `read-only ${request} `, request })
  }

  all(): Iterable<ApplyTimes> {
    return this.times.values()
  }

  private warn(slow: {
    readonly tookMs: number
    readonly prefix: string
    readonly request: string
  }): void {
    this.slowCount++
    this.logger.warn('apply request took too long', {
      took: `${slow.tookMs.toFixed(3)}ms`,
      'expected-duration': `${this.warningMs}ms`,
      prefix: slow.prefix,
      request: slow.request,
    })
  }

  private add(kind: AppliedKind): ApplyTimes {
    const times: ApplyTimes = {
      kind,
      succeeded: new TimeHistogram(boundsSeconds),
      failed: new TimeHistogram(boundsSeconds),
    }
    this.times.set(kind, times)
    return times
  }
}
