/** Asks the page to keep its state before its window closes, and waits for it, but not for long. */

import type { Clock } from '../core/base/clock.ts'
import type { ClosingNotice } from '../preload/contract/app.ts'

/** A page that is stuck must not keep the user from closing it. */
export const farewellTimeoutMs = 1_000

export class WindowFarewell {
  private readonly clock: Clock
  private readonly listeners = new Set<(notice: ClosingNotice) => void>()
  private isDone = false
  private waiting: { readonly answered: Promise<void>; readonly answer: () => void } | undefined

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Hears that the window is about to close; the returned function ends it. */
  onClosing(listener: (notice: ClosingNotice) => void): () => void {
    this.isDone = false
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /** Whether there is a page that could be asked. */
  get hasPage(): boolean {
    return this.listeners.size > 0
  }

  /** The page that is there was asked, and the window may close. */
  get isOver(): boolean {
    return this.isDone
  }

  /** The page has kept everything. */
  pageIsReady(): void {
    this.waiting?.answer()
  }

  /** Resolves when the page has kept its state, when it took too long, or at once when there is no page. */
  async ask(): Promise<void> {
    if (this.waiting !== undefined) return this.waiting.answered
    if (this.isDone || this.listeners.size === 0) return
    let answer = (): void => undefined
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    const timer = this.clock.setTimer(farewellTimeoutMs, answer)
    this.waiting = { answered, answer }
    for (const listener of this.listeners) listener({ timeoutMs: farewellTimeoutMs })
    await answered
    timer.cancel()
    this.waiting = undefined
    this.isDone = true
  }
}
