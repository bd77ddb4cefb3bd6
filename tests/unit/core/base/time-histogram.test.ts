import { expect, test } from 'vitest'
import { doublingSeconds, TimeHistogram } from '../../../../src/core/base/time-histogram.ts'

test('a time falls into the first bucket that is not below it, or into none', () => {
  const times = new TimeHistogram(doublingSeconds(0.001, 3))
  for (const tookMs of [0, 1, 1.5, 4, 4.1]) times.recordMs(tookMs)
  expect(times.boundsSeconds).toEqual([0.001, 0.002, 0.004])
  expect(times.counts).toEqual([2, 1, 1])
  expect(times.count).toBe(5)
  expect(times.sumSeconds).toBeCloseTo(0.0106)
})
