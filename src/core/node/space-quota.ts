/**
 * The limit on the size of the database.
 *
 * A write whose estimated cost does not fit is refused before it is proposed, and an alarm is raised through the log: from
 * then on every member refuses what grows, until somebody clears it. The size is looked at a few times a second, so a burst
 * may overshoot; the limit protects the disk from filling over hours, not a single byte.
 */
import type { Backend } from '../backend/backend.ts'
import type { Clock } from '../base/clock.ts'
import { defaultQuotaBytes } from './node-config.ts'

/** etcd compares with the size at its last commit, every 100 ms. */
const measureIntervalMs = 100
/** More than ever waits to be written to the database: with less than that left, the database is asked to hurry. */
const nearLimitSizeBytes = 134_217_728

/** Watches the size of one database. */
export class SpaceQuota {
  /** In bytes; undefined: no limit. */
  readonly limitBytes: number | undefined
  private readonly clock: Clock
  private measuredMs = Number.NEGATIVE_INFINITY
  private usedSizeBytes = 0

  /** @param quotaBytes  as configured: 0 for the default, negative for none */
  constructor(clock: Clock, quotaBytes: number) {
    this.clock = clock
    this.limitBytes = quotaBytes < 0 ? undefined : quotaBytes === 0 ? defaultQuotaBytes : quotaBytes
  }

  /** Whether a write of this cost fits. One that costs nothing always does. */
  hasRoomFor(backend: Backend, costBytes: number): boolean {
    if (this.limitBytes === undefined || costBytes === 0) return true
    const nowMs = this.clock.monotonicMs()
    if (nowMs - this.measuredMs >= measureIntervalMs) {
      this.measuredMs = nowMs
      this.usedSizeBytes = backend.size().usedSizeBytes
      if (this.usedSizeBytes + nearLimitSizeBytes >= this.limitBytes) backend.hurry()
    }
    return this.usedSizeBytes + costBytes < this.limitBytes
  }
}
