import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { historyColumnsOf } from '../../../../src/preload/contract/history-columns.ts'
import type { HistoryRow } from '../../../../src/preload/contract/history-columns.ts'
import { KeyPast } from '../../../../src/renderer/stores/key-past.ts'

const put = (revision: number, version: number): HistoryRow => ({
  kind: 'put',
  revision,
  createRevision: revision - version + 1,
  version,
  lease: 0n,
  head: Uint8Array.of(revision),
  valueSizeBytes: 1,
})
const deletion = (revision: number): HistoryRow => ({ kind: 'delete', revision })
const pastOf = (...rows: readonly HistoryRow[]): KeyPast => {
  const past = new KeyPast()
  past.add(historyColumnsOf(rows))
  return past
}
const rowsOf = (past: KeyPast): readonly HistoryRow[] =>
  Array.from({ length: past.count }, (_, place) => past.rowAt(place))

describe('KeyPast', () => {
  test('splits a history at deletions and creations, the newest life first', () => {
    const past = pastOf(put(5, 1), put(7, 2), deletion(9), put(12, 1))
    expect(past.generations()).toEqual([
      { number: 2, first: 3, last: 3, hasBeginning: true },
      { number: 1, first: 0, last: 1, deletedAt: 9, hasBeginning: true },
    ])
    expect(past.readableCount).toBe(3)
  })

  test('ends where it is told to, and goes on when it is told to', () => {
    const past = pastOf(put(5, 1), put(7, 2), deletion(9), put(12, 1))
    past.endAt(8)
    past.add(historyColumnsOf([put(13, 2)]))
    expect(rowsOf(past).map((row) => row.revision)).toEqual([5, 7])
    expect(past.generations()).toEqual([{ number: 1, first: 0, last: 1, hasBeginning: true }])
    expect([past.readableCount, past.placeOf(9), past.placeFrom(12)]).toEqual([2, -1, 2])
    past.endAt(0)
    expect(rowsOf(past).map((row) => row.revision)).toEqual([5, 7, 9, 12, 13])
    expect(past.readableCount).toBe(4)
  })

  test('a life whose creation is compacted has no beginning', () => {
    expect(pastOf(put(7, 4), deletion(9)).generations()).toEqual([
      { number: 1, first: 0, last: 0, deletedAt: 9, hasBeginning: false },
    ])
  })

  test('a deletion whose values are compacted is a life without values', () => {
    const [generation] = pastOf(deletion(9)).generations()
    expect(generation).toEqual({ number: 1, first: 0, last: -1, deletedAt: 9, hasBeginning: false })
  })

  test('a compaction leaves what the key was then, unless it was deleted', () => {
    const past = pastOf(put(5, 1), put(7, 2), deletion(9), put(12, 1))
    past.compact(8)
    expect(rowsOf(past).map((row) => row.revision)).toEqual([7, 9, 12])
    past.compact(10)
    expect(rowsOf(past).map((row) => row.revision)).toEqual([12])
    expect(past.readableCount).toBe(1)
    past.compact(3)
    expect(past.compactedRevision).toBe(10)
  })

  test('steps to values pass deletions over', () => {
    const past = pastOf(put(5, 1), deletion(6), put(7, 1))
    expect(past.readableFrom(2, -1)).toBe(0)
    expect(past.readableFrom(0, 1)).toBe(2)
    expect(past.readableFrom(2, 1)).toBe(-1)
    expect(past.placeOf(6)).toBe(1)
    expect(past.placeOf(8)).toBe(-1)
  })

  test('blocks in any order, with repetitions, give the same as one', () => {
    const revisions = fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { maxLength: 80 })
    const cuts = fc.array(fc.tuple(fc.nat(80), fc.nat(80)), { maxLength: 12 })
    fc.assert(
      fc.property(revisions, cuts, (chosen, pieces) => {
        const rows = [...chosen]
          .sort((left, right) => left - right)
          .map((one) => (one % 5 === 0 ? deletion(one) : put(one, one % 7 || 1)))
        const past = new KeyPast()
        for (const [from, length] of pieces) {
          past.add(historyColumnsOf(rows.slice(from, from + length)))
        }
        past.add(historyColumnsOf(rows))
        expect(rowsOf(past)).toEqual(rows)
        expect(past.readableCount).toBe(rows.filter((row) => row.kind === 'put').length)
      }),
    )
  })
})
