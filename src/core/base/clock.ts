/** Time as it is handed to every part that needs it, so that a run can be replayed with a simulated one. */

/** A timer that has been set and can be cancelled. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void
}

/** Monotonic time, wall time and timers. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. May have fractions. */
  monotonicMs(): number
  /** Milliseconds since 1970 as the system believes; may jump. For display, ids and log lines only. */
  wallMs(): number
  /** Calls `callback` once, not before `delayMs` have passed. Does not keep the process alive by itself. */
  setTimer(delayMs: number, callback: () => void): Timer
  /** Calls `callback` in a later turn of the loop, after input that is already waiting was read. */
  nextTurn(callback: () => void): void
}

/** The part of an `AbortSignal` that is used here; named, because pure layers compile without ambient types. */
export interface CancelSignal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** Resolves after `delayMs`, or rejects with the signal's reason once it is aborted. */
export function delay(clock: Clock, delayMs: number, signal?: CancelSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(toError(signal.reason))
      return
    }
    const onAbort = (): void => {
      timer.cancel()
      reject(toError(signal?.reason))
    }
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
