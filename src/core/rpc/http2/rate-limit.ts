/** Allows a burst and a rate. What exceeds both is a flood. */
import type { Clock } from '../../base/clock.ts'

/** Counts events of one kind on one connection. */
export class RateLimit {
  private readonly clock: Clock
  private readonly burst: number
  private readonly perSecond: number
  private spent = 0
  private lastMs: number | undefined

  constructor(clock: Clock, limit: { readonly burst: number; readonly perSecond: number }) {
    this.clock = clock
    this.burst = limit.burst
    this.perSecond = limit.perSecond
  }

  /** Notes one event. @returns false when it is one too many */
  accept(): boolean {
    // The clock is asked when it could matter: most connections never come near the burst.
    if (++this.spent <= this.burst) return true
    const nowMs = this.clock.monotonicMs()
    this.lastMs ??= nowMs - 1_000
    const earned = Math.floor(((nowMs - this.lastMs) / 1_000) * this.perSecond)
    if (earned > 0) {
      this.spent = Math.max(0, this.spent - earned)
      this.lastMs = nowMs
    }
    return this.spent <= this.burst
  }
}
