import { expect, test } from 'vitest'
import { RevisionTimes } from '../../../../src/main/connections/revision-times.ts'

test('a revision lies between the last look that did not see it and the first that did', () => {
  const times = new RevisionTimes()
  times.note(10, 1_000)
  times.note(10, 2_000)
  times.note(14, 3_000)
  expect(times.timeOf(12)).toEqual({ revision: 12, afterMs: 2_000, beforeMs: 3_000 })
  expect(times.timeOf(10)).toEqual({ revision: 10, beforeMs: 1_000 })
  expect(times.timeOf(3)).toEqual({ revision: 3, beforeMs: 1_000 })
  expect(times.timeOf(15)).toEqual({ revision: 15, afterMs: 3_000 })
})

test('a change that arrives as it is made has its time; one that was there before a look has not', () => {
  const times = new RevisionTimes()
  times.note(10, 1_000)
  times.noteLive(11, 9_000)
  times.noteLive(7, 9_500)
  times.note(12, 10_000)
  // Its revision came with the answer of a write, a moment before the change itself.
  times.noteLive(12, 10_020)
  times.note(20, 60_000)
  times.noteLive(20, 70_000)
  expect(times.timeOf(11)).toEqual({ revision: 11, afterMs: 9_000, beforeMs: 9_000 })
  expect(times.timeOf(12)).toEqual({ revision: 12, afterMs: 10_000, beforeMs: 10_000 })
  expect(times.timeOf(7)).toEqual({ revision: 7, beforeMs: 1_000 })
  expect(times.timeOf(20)).toEqual({ revision: 20, afterMs: 10_000, beforeMs: 60_000 })
})

test('nothing is known of a revision while nothing was seen', () => {
  expect(new RevisionTimes().timeOf(5)).toEqual({ revision: 5 })
})

test('an answer from a member that is behind tells nothing', () => {
  const times = new RevisionTimes()
  times.note(10, 1_000)
  times.note(8, 2_000)
  expect(times.timeOf(9)).toEqual({ revision: 9, beforeMs: 1_000 })
  expect(times.timeOf(11)).toEqual({ revision: 11, afterMs: 1_000 })
})

test('of very many looks some are given up: bounds become wider, never wrong', () => {
  const times = new RevisionTimes()
  const looks = 30_000
  for (let look = 1; look <= looks; look++) times.note(look * 10, look * 1_000)
  for (let look = 2; look < looks; look += 997) {
    const { afterMs = 0, beforeMs = Number.POSITIVE_INFINITY } = times.timeOf(look * 10 - 5)
    expect(afterMs).toBeLessThanOrEqual((look - 1) * 1_000)
    expect(beforeMs).toBeGreaterThanOrEqual(look * 1_000)
  }
  expect(times.timeOf(looks * 10)).toMatchObject({ beforeMs: looks * 1_000 })
})

test('the newest revision of a time is the last one that was seen by then, and none before the first look', () => {
  const times = new RevisionTimes()
  expect(times.newestAt(5_000)).toEqual({})
  times.note(10, 1_000)
  times.note(14, 3_000)
  times.noteLive(15, 4_000)
  times.note(20, 9_000)
  expect(times.newestAt(999)).toEqual({ sinceMs: 1_000 })
  const found = [1_000, 2_999, 3_000, 4_000, 8_999, 9_000, 60_000].map(
    (atMs) => times.newestAt(atMs).revision,
  )
  expect(found).toEqual([10, 10, 14, 15, 15, 20, 20])
})
