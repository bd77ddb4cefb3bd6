import { beforeEach, describe, expect, test } from 'vitest'
import { readRangeRequest } from '../../../../src/core/apply/range-request.ts'
import type { RangeRequest } from '../../../../src/core/proto/gen/rpc.ts'
import { ApplyFixture, bytes, range, textOf } from './apply-fixture.ts'

let fixture: ApplyFixture
beforeEach(async () => {
  fixture = await ApplyFixture.open()
  // revision:      2         3         4         5         6 (a again, version 2)
  for (const [key, value] of [
    ['c', 'z'],
    ['a', 'y'],
    ['d', 'x'],
    ['b', 'w'],
    ['a', 'v'],
  ]) {
    fixture.put(key!, value)
  }
})

const all: Partial<RangeRequest> = { rangeEnd: bytes('\0') }
const keysOf = (more: Partial<RangeRequest>): string =>
  readRangeRequest(fixture.state.store, range('a', { ...all, ...more }))
    .keyValues.map((pair) => textOf(pair.key))
    .join('')

describe('readRangeRequest', () => {
  test.each<[string, Partial<RangeRequest>, string]>([
    ['key order by default', {}, 'abcd'],
    ['descending keys', { sortOrder: 2 }, 'dcba'],
    ['version ascending, ties by key', { sortTarget: 1, sortOrder: 1 }, 'bcda'],
    ['version descending, ties by key', { sortTarget: 1, sortOrder: 2 }, 'abcd'],
    ['create revision', { sortTarget: 2, sortOrder: 1 }, 'cadb'],
    ['mod revision', { sortTarget: 3, sortOrder: 1 }, 'cdba'],
    ['mod revision descending', { sortTarget: 3, sortOrder: 2 }, 'abdc'],
    ['value', { sortTarget: 4, sortOrder: 1 }, 'abdc'],
    ['another target without an order is ascending', { sortTarget: 3 }, 'cdba'],
    [
      'an explicit order sorts everything before the limit',
      { sortTarget: 3, sortOrder: 1, limit: 2n },
      'cd',
    ],
    [
      'without an order only the first limit + 1 by key are sorted',
      { sortTarget: 3, limit: 2n },
      'cb',
    ],
    ['a limit of zero or less is none', { limit: -1n }, 'abcd'],
    ['least mod revision', { minModRevision: 5n }, 'ab'],
    ['greatest mod revision', { maxModRevision: 4n }, 'cd'],
    ['least create revision', { minCreateRevision: 3n }, 'abd'],
    ['greatest create revision', { maxCreateRevision: 2n }, 'c'],
    ['bounds that exclude each other', { minModRevision: 5n, maxModRevision: 4n }, ''],
    ['a bound beyond 2^53', { minModRevision: 2n ** 60n }, ''],
    ['a negative upper bound', { maxModRevision: -1n }, ''],
    ['an older revision', { revision: 4n }, 'acd'],
    ['an end before the start', { rangeEnd: bytes('A') }, ''],
  ])('%s', (_name, more, expected) => {
    expect(keysOf(more)).toBe(expected)
  })

  test.each<[string, Partial<RangeRequest>, boolean, number]>([
    ['fewer than there are', { limit: 3n }, true, 4],
    ['exactly as many', { limit: 4n }, false, 4],
    ['more than there are', { limit: 5n }, false, 4],
    ['exactly as many filtered pairs', { limit: 2n, minModRevision: 5n }, false, 4],
    ['fewer filtered pairs than match', { limit: 1n, minModRevision: 5n }, true, 4],
    ['none', {}, false, 4],
  ])('tells by "more" and count what a limit of %s cut off', (_name, more, hasMore, count) => {
    const result = readRangeRequest(fixture.state.store, range('a', { ...all, ...more }))
    expect([result.hasMore, result.count]).toEqual([hasMore, count])
  })

  test('counts without pairs', () => {
    const result = readRangeRequest(
      fixture.state.store,
      range('a', { ...all, countOnly: true, limit: 1n }),
    )
    expect([result.count, result.hasMore, result.keyValues.length]).toEqual([4, false, 0])
  })

  test('tells the current revision, not the one asked for', () => {
    expect(readRangeRequest(fixture.state.store, range('a', { revision: 3n })).revision).toBe(6)
  })

  test.each<[string, Partial<RangeRequest>, string]>([
    ['a future revision', { revision: 7n }, 'futureRevision'],
    ['a revision beyond 2^53', { revision: 2n ** 60n }, 'futureRevision'],
  ])('refuses %s', (_name, more, code) => {
    expect(() => keysOf(more)).toThrow(expect.objectContaining({ code }) as Error)
  })

  test('takes a negative revision for the current one', () => {
    expect(keysOf({ revision: -5n })).toBe('abcd')
  })

  test('refuses an empty key', () => {
    expect(() => readRangeRequest(fixture.state.store, range(''))).toThrow(
      expect.objectContaining({ code: 'emptyKey' }) as Error,
    )
  })
})
