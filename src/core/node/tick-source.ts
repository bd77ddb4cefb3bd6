/**
 * Raft's ticks, on a measured clock.
 *
 * The problem: a timer of 100 ms may fire after two seconds, when the process was paused or the loop was busy. The plain
 * idea: count whole intervals since the last tick. How many of the missed ones are made up for is the driver's choice.
 */
import type { Clock, Timer } from '../base/clock.ts'

/** Reports how many intervals have passed, at each firing. */
export class TickSource {
  private readonly clock: Clock
  private readonly intervalMs: number
  private readonly onTicks: (count: number) => void
  private timer: Timer | undefined
  private lastTickMs = 0

  constructor(clock: Clock, intervalMs: number, onTicks: (count: number) => void) {
    this.clock = clock
    this.intervalMs = intervalMs
    this.onTicks = onTicks
  }

  start(): void {
    this.lastTickMs = this.clock.monotonicMs()
    this.arm()
  }

  stop(): void {
    this.timer?.cancel()
    this.timer = undefined
  }

  private arm(): void {
    const delayMs = Math.max(0, this.lastTickMs + this.intervalMs - this.clock.monotonicMs())
    this.timer = this.clock.setTimer(delayMs, () => {
      const nowMs = this.clock.monotonicMs()
      // The same sum as in `arm`: the difference may round to just below a whole interval that is due, and a timer
      // without delay would fire for ever.
      const isDue = nowMs >= this.lastTickMs + this.intervalMs
      const count = Math.max(Math.floor((nowMs - this.lastTickMs) / this.intervalMs), isDue ? 1 : 0)
      this.lastTickMs += count * this.intervalMs
      this.arm()
      if (count > 0) this.onTicks(count)
    })
  }
}
