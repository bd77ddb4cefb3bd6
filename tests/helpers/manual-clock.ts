import type { Clock, Timer } from '../../src/core/base/clock.ts'

interface Due {
  readonly atMs: number
  readonly order: number
  readonly callback: () => void
}

/** A clock that stands until a test moves it. Timers run in order of time, then of setting. */
export class ManualClock implements Clock {
  private nowMs = 1_000
  private order = 0
  private due: Due[] = []

  /** Timers that are still waiting; a test ends with none. */
  get waitingCount(): number {
    return this.due.length
  }

  monotonicMs(): number {
    return this.nowMs
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.nowMs
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const entry = { atMs: this.nowMs + delayMs, order: this.order++, callback }
    this.due.push(entry)
    return {
      cancel: () => {
        this.due = this.due.filter((other) => other !== entry)
      },
    }
  }

  nextTurn(callback: () => void): void {
    this.setTimer(0, callback)
  }

  /** Moves on, running what becomes due, also what is set meanwhile. */
  advance(durationMs: number): void {
    const endMs = this.nowMs + durationMs
    for (;;) {
      const next = this.due
        .filter((entry) => entry.atMs <= endMs)
        .sort((left, right) => left.atMs - right.atMs || left.order - right.order)[0]
      if (next === undefined) break
      this.due = this.due.filter((entry) => entry !== next)
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.callback()
    }
    this.nowMs = endMs
  }
}
