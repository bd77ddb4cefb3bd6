import { describe, expect, test } from 'vitest'
import { TickSource } from '../../../../src/core/node/tick-source.ts'
import { ManualClock } from './manual-clock.ts'

describe('TickSource', () => {
  test('ticks once an interval', () => {
    const clock = new ManualClock()
    const counts: number[] = []
    const ticks = new TickSource(clock, 100, (count) => counts.push(count))
    ticks.start()
    clock.advance(350)
    expect(counts).toEqual([1, 1, 1])
    ticks.stop()
    clock.advance(1_000)
    expect(counts.length).toBe(3)
  })

  test('counts what a pause swallowed, and keeps the beat', () => {
    const clock = new ManualClock()
    const counts: number[] = []
    new TickSource(clock, 100, (count) => counts.push(count)).start()
    clock.suspend(1_050)
    clock.advance(0)
    expect(counts).toEqual([10])
    clock.advance(50)
    expect(counts).toEqual([10, 1])
  })

  test('counts a tick that is due although the difference rounds to below an interval', () => {
    // 205.373 - 105.373 is 99.99999999999999.
    let nowMs = 105.373
    let fire: (() => void) | undefined
    const counts: number[] = []
    const ticks = new TickSource(
      {
        monotonicMs: () => nowMs,
        wallMs: () => nowMs,
        setTimer: (_delayMs, callback) => {
          fire = callback
          return { cancel: () => undefined }
        },
        nextTurn: () => undefined,
      },
      100,
      (count) => counts.push(count),
    )
    ticks.start()
    nowMs = 205.373
    fire?.()
    expect(counts).toEqual([1])
    ticks.stop()
  })
})
