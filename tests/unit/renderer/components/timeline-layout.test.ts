import { describe, expect, test } from 'vitest'
import {
  leftOf,
  marksOf,
  ticksOf,
} from '../../../../src/renderer/components/timeline/timeline-layout.ts'

const scale = { oldest: 100, newest: 200, start: 0, end: 100 }

describe('marksOf', () => {
  test('marks that stand apart are drawn alone', () => {
    const marks = marksOf(scale, [100, 150, 200], { widthPx: 500, alone: new Set() })
    expect(marks.map((mark) => mark.revisions)).toEqual([[100], [150], [200]])
  })

  test('marks that would touch are one mark with their number, and no two marks touch', () => {
    const revisions = Array.from({ length: 50 }, (_, at) => 100 + at * 2)
    const marks = marksOf(scale, revisions, { widthPx: 300, alone: new Set() })
    expect(marks.flatMap((mark) => mark.revisions)).toEqual(revisions)
    for (let at = 1; at < marks.length; at++) {
      const gapPx = (((marks[at]?.left ?? 0) - (marks[at - 1]?.left ?? 0)) / 100) * 300
      expect(gapPx).toBeGreaterThanOrEqual(10)
    }
  })

  test('the chosen revision keeps a mark of its own', () => {
    const marks = marksOf(scale, [100, 101, 102, 103], { widthPx: 100, alone: new Set([102]) })
    expect(marks.map((mark) => mark.revisions)).toContainEqual([102])
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
