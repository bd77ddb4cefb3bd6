import { describe, expect, test } from 'vitest'
import { namedRandom } from '../../../../src/core/base/random.ts'
import { ProgressWheel } from '../../../../src/core/rpc/progress-wheel.ts'
import { TurnClock } from '../watch/turn-clock.ts'

const intervalMs = 1_000

class Listener {
  readonly times: number[] = []
  private readonly clock: TurnClock
  constructor(clock: TurnClock) {
    this.clock = clock
  }
  progressIsDue(): void {
    this.times.push(this.clock.monotonicMs())
  }
}

function makeWheel(seed = 1): { clock: TurnClock; wheel: ProgressWheel } {
  const clock = new TurnClock()
  return { clock, wheel: new ProgressWheel(clock, namedRandom(seed, 'wheel'), intervalMs) }
}

const pass = (clock: TurnClock, durationMs: number): void => {
  for (let passedMs = 0; passedMs < durationMs; passedMs++) clock.advance(1)
}

describe('ProgressWheel', () => {
  test('a listener is told after an interval and at most a tenth more, whenever it came, and again and again', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { clock, wheel } = makeWheel(seed)
      wheel.add(new Listener(clock))
      pass(clock, 37 * seed)
      const listener = new Listener(clock)
      const startMs = clock.monotonicMs()
      wheel.add(listener)
      pass(clock, 3_500)
      expect(listener.times.length).toBe(3)
      let lastMs = startMs
      for (const timeMs of listener.times) {
        expect(timeMs - lastMs).toBeGreaterThanOrEqual(intervalMs - 11)
        expect(timeMs - lastMs).toBeLessThanOrEqual(intervalMs * 1.1 + 11)
        lastMs = timeMs
      }
    }
  })

  test('who has left is told nothing, and without listeners no timer runs', () => {
    const { clock, wheel } = makeWheel()
    const listener = new Listener(clock)
    const slot = wheel.add(listener)
    wheel.delete(listener, slot)
    wheel.delete(listener, slot)
    expect(clock.timerCount).toBe(0)
    pass(clock, 3_000)
    expect(listener.times).toEqual([])
    wheel.add(listener)
    pass(clock, 1_200)
    expect(listener.times.length).toBe(1)
  })

  test('many listeners share one timer', () => {
    const { clock, wheel } = makeWheel()
    const listeners = Array.from({ length: 1_000 }, () => new Listener(clock))
    for (const listener of listeners) {
      wheel.add(listener)
      clock.advance(1)
    }
    expect(clock.timerCount).toBe(1)
    pass(clock, 1_200)
    expect(listeners.every(({ times }) => times.length > 0)).toBe(true)
  })

  test('a listener that leaves while it is told leaves no timer behind', () => {
    const { clock, wheel } = makeWheel()
    const listener = {
      slot: 0,
      progressIsDue: () => {
        wheel.delete(listener, listener.slot)
      },
    }
    listener.slot = wheel.add(listener)
    pass(clock, 1_200)
    expect(clock.timerCount).toBe(0)
  })
})
