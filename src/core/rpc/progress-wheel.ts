/**
 * The times at which streams tell their progress, with one timer for all of them.
 *
 * A wheel of slots turns by one slot a step, ten steps to the interval; a stream stands in the slot that has just passed,
 * one of eleven, so its first turn comes after an interval and at most a tenth later. Streams that were opened at
 * different times stay apart, and so do nodes that were started together, because the first step is cut short by chance.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Random } from '../base/random.ts'

/** Steps of an interval, and one more: who comes between two steps must wait for the whole interval. */
const stepsPerInterval = 10
const slotCount = stepsPerInterval + 1

/** Who is told that it is time. */
export interface ProgressListener {
  progressIsDue(): void
}

/** See the head of this file. No timer runs while nobody listens. */
export class ProgressWheel {
  private readonly clock: Clock
  private readonly random: Random
  private readonly stepMs: number
  private readonly slots: Set<ProgressListener>[] = Array.from(
    { length: slotCount },
    () => new Set(),
  )
  /** The slot that passed last. */
  private position = 0
  private listenerCount = 0
  private timer: Timer | undefined

  constructor(clock: Clock, random: Random, intervalMs: number) {
    this.clock = clock
    this.random = random
    this.stepMs = intervalMs / stepsPerInterval
  }

  /** @returns the slot, with which it is taken out */
  add(listener: ProgressListener): number {
    const slot = this.position
    this.slots[slot]?.add(listener)
    this.listenerCount++
    if (this.timer === undefined) this.plan(this.stepMs * this.random.fraction())
    return slot
  }

  delete(listener: ProgressListener, slot: number): void {
    if (this.slots[slot]?.delete(listener) !== true) return
    this.listenerCount--
    if (this.listenerCount > 0) return
    this.timer?.cancel()
    this.timer = undefined
  }

  private plan(delayMs: number): void {
    if (this.listenerCount === 0) return
    this.timer ??= this.clock.setTimer(delayMs, () => {
      this.timer = undefined
      this.turn()
      this.plan(this.stepMs)
    })
  }

  private turn(): void {
    this.position = (this.position + 1) % slotCount
    for (const listener of this.slots[this.position] ?? []) listener.progressIsDue()
  }
}
