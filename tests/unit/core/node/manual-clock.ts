/** A clock that a test moves by hand. */
import type { Clock, Timer } from '../../../../src/core/base/clock.ts'

export class ManualClock implements Clock {
  private nowMs = 1_000
  private timers: { readonly atMs: number; readonly callback: () => void }[] = []
  private turns: (() => void)[] = []

  monotonicMs(): number {
    return this.nowMs
  }
  wallMs(): number {
    return 1_700_000_000_000 + this.nowMs
  }
  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, callback }
    this.timers.push(timer)
    return {
      cancel: () => {
        this.timers = this.timers.filter((candidate) => candidate !== timer)
      },
    }
  }
  nextTurn(callback: () => void): void {
    this.turns.push(callback)
  }

  /** Runs the turns that wait. */
  runTurns(): void {
    for (const turn of this.turns.splice(0)) turn()
  }

  /** Lets time pass; timers that fall due fire in order, at their time. */
  advance(durationMs: number): void {
    const endMs = this.nowMs + durationMs
    for (;;) {
      const [next] = this.timers
        .filter((timer) => timer.atMs <= endMs)
        .sort((left, right) => left.atMs - right.atMs)
      if (next === undefined) break
      this.timers = this.timers.filter((timer) => timer !== next)
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.callback()
    }
    this.nowMs = endMs
  }

  /** Lets time pass without anybody running, as when the process is suspended. */
  suspend(durationMs: number): void {
    this.nowMs += durationMs
  }
}
