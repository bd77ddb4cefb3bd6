import { describe, expect, test } from 'vitest'
import { ObservedTimes } from '../../../../src/renderer/stores/observed-times.ts'

describe('ObservedTimes', () => {
  test('a revision lies between the last look at an older head and the first at a newer one', () => {
    const times = new ObservedTimes()
    times.noteHead(10, 1_000)
    times.noteHead(10, 5_000)
    times.noteHead(20, 60_000)
    expect(times.timeOf(15)).toEqual({ kind: 'between', afterMs: 5_000, beforeMs: 60_000 })
    expect(times.timeOf(20)).toEqual({ kind: 'between', afterMs: 5_000, beforeMs: 60_000 })
  })

  test('what lies before the first look or after the last is unknown', () => {
    const times = new ObservedTimes()
    expect(times.timeOf(3)).toEqual({ kind: 'unknown' })
    times.noteHead(10, 1_000)
    expect(times.timeOf(10)).toEqual({ kind: 'unknown' })
    expect(times.timeOf(11)).toEqual({ kind: 'unknown' })
  })

  test('a live change is observed, one that arrives late from the past is not', () => {
    const times = new ObservedTimes()
    times.noteHead(10, 1_000)
    times.noteLive(11, 9_000)
    times.noteLive(7, 9_500)
    expect(times.timeOf(11)).toEqual({ kind: 'observed', atMs: 9_000 })
    expect(times.timeOf(7)).toEqual({ kind: 'unknown' })
  })

  test('bounds only become wider when looks are thinned out', () => {
    const times = new ObservedTimes()
    for (let at = 1; at <= 20_000; at++) times.noteHead(at * 10, at * 10_000)
    const time = times.timeOf(10_005)
    expect(time.kind).toBe('between')
    if (time.kind !== 'between') return
    expect(time.afterMs).toBeLessThanOrEqual(10_000_000)
    expect(time.beforeMs).toBeGreaterThanOrEqual(10_010_000)
  })
})
