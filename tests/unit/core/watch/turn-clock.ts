import type { Clock } from '../../../../src/core/base/clock.ts'

/** Turns and timers run when the test says so. */
export class TurnClock implements Clock {
  private turns: (() => void)[] = []
  private timers: { dueMs: number; callback: () => void }[] = []
  private nowMs = 0
  monotonicMs = (): number => this.nowMs
  wallMs = (): number => this.nowMs
  setTimer = (delayMs: number, callback: () => void): { cancel: () => void } => {
    const timer = { dueMs: this.nowMs + delayMs, callback }
    this.timers.push(timer)
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer)
      },
    }
  }
  nextTurn = (callback: () => void): void => {
    this.turns.push(callback)
  }
  get timerCount(): number {
    return this.timers.length
  }
  runTurn(): boolean {
    const turn = this.turns.shift()
    turn?.()
    return turn !== undefined
  }
  settle(): void {
    while (this.runTurn());
  }
  advance(durationMs: number): void {
    this.nowMs += durationMs
    const due = this.timers.filter(({ dueMs }) => dueMs <= this.nowMs)
    this.timers = this.timers.filter(({ dueMs }) => dueMs > this.nowMs)
    for (const { callback } of due) callback()
    this.settle()
  }
}
