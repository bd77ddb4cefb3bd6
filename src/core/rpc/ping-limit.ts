/** How often a client may ping. What exceeds it three times in a row is a flood. */
import type { Clock } from '../base/clock.ts'

/** Pings above the allowed rate before the connection is closed; grpc-go's figure. */
const strikesMax = 2
/** A client without a call has no reason to ping more often than this. */
const idleMinTimeMs = 7_200_000

/** Counts the pings of one connection. */
export class PingLimit {
  private readonly clock: Clock
  private readonly minTimeMs: number
  private strikes = 0
  private lastPingMs: number | undefined
  private hasSentFrame = false

  /** @param minTimeMs  shortest time between two pings while a call is open */
  constructor(clock: Clock, minTimeMs: number) {
    this.clock = clock
    this.minTimeMs = minTimeMs
  }

  /** A header or data frame was sent: the next ping may measure its way. */
  noteFrameSent(): void {
    this.hasSentFrame = true
  }

  /**
   * Notes one ping.
   * @returns false when the connection is to be closed
   * @see gRPC keepalive, server enforcement
   */
  accept(hasOpenCalls: boolean): boolean {
    const nowMs = this.clock.monotonicMs()
    const previousMs = this.lastPingMs
    this.lastPingMs = nowMs
    if (this.hasSentFrame) {
      this.hasSentFrame = false
      this.strikes = 0
      return true
    }
    const minTimeMs = hasOpenCalls ? this.minTimeMs : idleMinTimeMs
    if (previousMs !== undefined && nowMs < previousMs + minTimeMs) this.strikes++
    return this.strikes <= strikesMax
  }
}
