import type { Clock } from '../../../src/core/base/clock.ts'
import type { SimProcess, SimScheduler } from './sim-scheduler.ts'

/** Where the simulated wall clock starts, in milliseconds since 1970. */
const wallStartMs = 1_700_000_000_000

/** The clock of one process: virtual time, timers that die with the process. */
export function simClock(scheduler: SimScheduler, process: SimProcess): Clock {
  return {
    monotonicMs: () => scheduler.nowUs / 1_000,
    wallMs: () => wallStartMs + Math.floor(scheduler.nowUs / 1_000),
    setTimer: (delayMs, callback) => {
      const event = scheduler.schedule(delayMs * 1_000, { kind: 'timer', process }, () => {
        process.timers.delete(event)
        callback()
      })
      process.timers.add(event)
      return {
        cancel: () => {
          // A timer that waits for its paused process is cancelled too: the flag survives the move.
          event.isCancelled = true
          process.timers.delete(event)
        },
      }
    },
    nextTurn: (callback) => {
      scheduler.schedule(0, { kind: 'turn', process }, callback)
    },
  }
}
