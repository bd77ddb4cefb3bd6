import { describe, expect, test } from 'vitest'
import type { HistoryRevision } from '../../../../src/preload/contract/history.ts'
import {
  countReadable,
  generationsOf,
  operationOf,
} from '../../../../src/renderer/stores/key-history.ts'

const put = (revision: number, version: number): Extract<HistoryRevision, { kind: 'put' }> => ({
  kind: 'put',
  revision,
  createRevision: revision - version + 1,
  version,
  lease: 0n,
  value: new Uint8Array(),
  valueSizeBytes: 0,
})
const deletion = (revision: number): HistoryRevision => ({ kind: 'delete', revision })

describe('generationsOf', () => {
  test('a living key after a deletion has two generations', () => {
    const [newest, oldest] = generationsOf([
      put(9, 2),
      put(8, 1),
      deletion(6),
      put(5, 2),
      put(3, 1),
    ])
    expect(newest).toEqual({ number: 2, puts: [put(9, 2), put(8, 1)], hasBeginning: true })
    expect(oldest).toEqual({
      number: 1,
      puts: [put(5, 2), put(3, 1)],
      deletedAt: 6,
      hasBeginning: true,
    })
  })

  test('a generation whose beginning was compacted has none', () => {
    expect(generationsOf([deletion(6), put(5, 4)])).toEqual([
      { number: 1, puts: [put(5, 4)], deletedAt: 6, hasBeginning: false },
    ])
  })

  test('of a generation may remain nothing but its deletion', () => {
    const found = generationsOf([put(9, 1), deletion(6)])
    expect(found.map(({ number, puts, deletedAt }) => [number, puts.length, deletedAt])).toEqual([
      [2, 1, undefined],
      [1, 0, 6],
    ])
  })

  test('a key without readable history has no generations', () => {
    expect(generationsOf([])).toEqual([])
  })
})

test('a put of version 1 is a creation, and deletions cannot be read', () => {
  const revisions = [put(9, 2), put(8, 1), deletion(6)]
  expect(revisions.map(operationOf)).toEqual(['put', 'create', 'delete'])
  expect(countReadable(revisions)).toBe(2)
})
