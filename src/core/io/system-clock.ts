import type { Clock } from '../base/clock.ts'

/** The machine's own clock and timers. Timers do not keep the process alive. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer: (delayMs, callback) => {
    const handle = setTimeout(callback, delayMs)
    handle.unref()
    return {
      cancel: () => {
        clearTimeout(handle)
      },
    }
  },
  nextTurn: (callback) => {
    setImmediate(callback)
  },
}
