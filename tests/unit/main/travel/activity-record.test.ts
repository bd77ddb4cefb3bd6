import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ActivityRecord } from '../../../../src/main/travel/activity-record.ts'

describe('ActivityRecord', () => {
  test('bars count the writes of their stretch', () => {
    const record = new ActivityRecord(1, 480)
    for (const [revision, writeCount] of [
      [2, 1],
      [3, 5],
      [480, 2],
    ] as const)
      record.add(revision, writeCount)
    expect(record.barRevisions).toBe(2)
    expect([...record.bars()].slice(0, 3)).toEqual([1, 5, 0])
    expect(record.bars()[239]).toBe(2)
    expect([record.changeCount, record.writeCount]).toEqual([3, 8])
  })

  test('two bars become one when the head outgrows them, and no write is lost', () => {
    const record = new ActivityRecord(1, 240)
    for (let revision = 1; revision <= 2_000; revision++) record.add(revision, 1)
    expect(record.barRevisions).toBe(8)
    expect(record.bars().reduce((sum, one) => sum + one, 0)).toBe(2_000)
  })

  test('what lies beside a revision is found as a look at all changes finds it', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 200 })
    fc.assert(
      fc.property(gaps, fc.integer({ min: 0, max: 600 }), (steps, revision) => {
        const record = new ActivityRecord(1, 50)
        const changes: number[] = []
        let at = 1
        for (const step of steps) {
          at += step
          record.add(at, 1)
          if (changes.at(-1) !== at) changes.push(at)
        }
        const previous = changes.findLast((one) => one < revision)
        const next = changes.find((one) => one > revision)
        const expected = (found: number | undefined): object =>
          found === undefined ? { kind: 'none' } : { kind: 'found', revision: found }
        expect(record.find(revision, 'previous')).toEqual(expected(previous))
        expect(record.find(revision, 'next')).toEqual(expected(next))
        expect(record.changeCount).toBe(changes.length)
        expect(record.bars().reduce((sum, one) => sum + one, 0)).toBe(steps.length)
      }),
    )
  })

  test('behind the last change that is kept nothing is claimed', () => {
    const record = new ActivityRecord(1, 100, 4)
    for (let revision = 10; revision <= 60; revision += 10) record.add(revision, 1)
    expect(record.changeCount).toBe(6)
    expect(record.find(20, 'next')).toEqual({ kind: 'found', revision: 30 })
    expect(record.find(40, 'next')).toEqual({ kind: 'unknown' })
    expect(record.find(41, 'previous')).toEqual({ kind: 'found', revision: 40 })
    expect(record.find(70, 'previous')).toEqual({ kind: 'unknown' })
  })
})
