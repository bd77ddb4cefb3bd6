import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  leftOf,
  marksOf,
  panned,
  ticksOf,
  zoomed,
} from '../../../../src/renderer/components/timeline/timeline-layout.ts'
import type { LaneChanges } from '../../../../src/renderer/components/timeline/timeline-layout.ts'

const scale = { oldest: 100, newest: 200, start: 0, end: 100 }

const changesOf = (revisions: readonly number[]): LaneChanges => ({
  first: 0,
  last: revisions.length - 1,
  revisionAt: (place) => revisions[place] ?? 0,
})

describe('marksOf', () => {
  test('marks that stand apart are drawn alone', () => {
    const marks = marksOf(scale, changesOf([100, 150, 200]), { widthPx: 500, alone: new Set() })
    expect(marks.map((mark) => [mark.firstPlace, mark.lastPlace])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ])
  })

  test('every change is in one mark, in order, and no two marks touch', () => {
    const revisions = fc.uniqueArray(fc.integer({ min: 100, max: 100_000 }), { minLength: 1 })
    fc.assert(
      fc.property(revisions, fc.integer({ min: 50, max: 2_000 }), (chosen, widthPx) => {
        const sorted = [...chosen].sort((left, right) => left - right)
        const wide = { oldest: 100, newest: 100_000, start: 3, end: 96 }
        const marks = marksOf(wide, changesOf(sorted), { widthPx, alone: new Set() })
        let next = 0
        let lastPx = Number.NEGATIVE_INFINITY
        for (const mark of marks) {
          expect(mark.firstPlace).toBe(next)
          expect(mark.count).toBe(mark.lastPlace - mark.firstPlace + 1)
          next = mark.lastPlace + 1
          const px = (mark.left / 100) * widthPx
          expect(px - lastPx).toBeGreaterThanOrEqual(9.99)
          lastPx = px
        }
        expect(next).toBe(sorted.length)
      }),
    )
  })

  test('the chosen revision keeps a mark of its own', () => {
    const marks = marksOf(scale, changesOf([100, 101, 102, 103]), {
      widthPx: 100,
      alone: new Set([102]),
    })
    expect(marks.map((mark) => [mark.firstPlace, mark.lastPlace])).toContainEqual([2, 2])
  })

  test('revisions of their own keep their marks wherever they are, and all changes are counted', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 400 })
    fc.assert(
      fc.property(gaps, fc.array(fc.nat(399), { maxLength: 4 }), (steps, chosen) => {
        let at = 0
        const revisions = steps.map((step) => (at += step))
        const alone = new Set(chosen.map((place) => revisions[place % revisions.length] ?? 0))
        const lane = { oldest: 1, newest: at, start: 3, end: 96 }
        const marks = marksOf(lane, changesOf(revisions), { widthPx: 300, alone })
        expect(marks.reduce((sum, mark) => sum + mark.count, 0)).toBe(revisions.length)
        for (const revision of alone) {
          const mark = marks.find((one) => revisions[one.firstPlace] === revision)
          expect(mark?.count).toBe(1)
          expect(mark?.left).toBeCloseTo(leftOf(lane, revision), 6)
        }
      }),
    )
  })

  test('numbers that make way for single marks do not come upon each other', () => {
    const crowded = { oldest: 0, newest: 470, start: 12, end: 96 }
    const revisions = [417, 418, 419, 420, 430, 437, 442, 470]
    const marks = marksOf(crowded, changesOf(revisions), {
      widthPx: 330,
      alone: new Set([417, 470]),
    })
    expect(marks.map((mark) => mark.count)).toEqual([1, 6, 1])
  })

  test('a number makes way for the tombstone that follows it', () => {
    const lane = { oldest: 0, newest: 400, start: 3, end: 96 }
    const marks = marksOf(lane, changesOf([10, 384, 386, 388]), {
      widthPx: 600,
      alone: new Set(),
      endLeft: leftOf(lane, 389),
    })
    const stonePx = (leftOf(lane, 389) / 100) * 600
    expect(marks.at(-1)?.count).toBe(3)
    expect(((marks.at(-1)?.left ?? 0) / 100) * 600).toBeLessThanOrEqual(stonePx - 20)
  })

  test('a hundred thousand changes become few marks', () => {
    const revisions = Array.from({ length: 100_000 }, (_, at) => 100 + at * 3)
    const wide = { oldest: 100, newest: 300_100, start: 3, end: 96 }
    const marks = marksOf(wide, changesOf(revisions), { widthPx: 1_200, alone: new Set() })
    expect(marks.length).toBeLessThan(80)
    expect(marks.reduce((sum, mark) => sum + mark.count, 0)).toBe(100_000)
  })
})

describe('the window', () => {
  const all = { oldest: 0, newest: 1_000 }
  test('a zoom keeps the revision under the pointer in its place', () => {
    expect(zoomed(all, all, { factor: 0.5, about: 250 })).toEqual({ oldest: 125, newest: 625 })
  })
  test('it never leaves what there is, and is dropped when everything fits', () => {
    expect(zoomed(all, { oldest: 0, newest: 600 }, { factor: 2, about: 0 })).toBeUndefined()
    expect(panned(all, { oldest: 900, newest: 1_000 }, 1)).toEqual({ oldest: 900, newest: 1_000 })
    expect(panned(all, { oldest: 100, newest: 200 }, -0.5)).toEqual({ oldest: 50, newest: 150 })
  })
})

test('one revision alone stands at the new end', () => {
  expect(leftOf({ oldest: 7, newest: 7, start: 3, end: 96 }, 7)).toBe(96)
})

test('ticks never stand closer than their text needs', () => {
  const ticks = ticksOf(scale, 400)
  expect(ticks[0]?.revision).toBe(100)
  expect(ticks.at(-1)?.revision).toBe(200)
  for (let at = 1; at < ticks.length; at++) {
    expect(
      (((ticks[at]?.left ?? 0) - (ticks[at - 1]?.left ?? 0)) / 100) * 400,
    ).toBeGreaterThanOrEqual(72)
  }
})
