import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { readRangeRequest } from '../../../../src/core/apply/range-request.ts'
import { concatBytes } from '../../../../src/core/base/bytes.ts'
import { CancelSource, type Cancellation } from '../../../../src/core/base/cancellation.ts'
import { StoreError } from '../../../../src/core/errors/store-error.ts'
import {
  isPackable,
  PackedReading,
  type PackedRange,
} from '../../../../src/core/node/packed-ranges.ts'
import { RangeResponse, type RangeRequest } from '../../../../src/core/proto/gen/rpc.ts'
import { ApplyFixture, bytes, deletion, logged, range } from '../apply/apply-fixture.ts'
import { ManualClock } from './manual-clock.ts'

const all: Partial<RangeRequest> = { rangeEnd: bytes('l') }
const keyOf = (number: number): string => `k${String(number).padStart(5, '0')}`

let fixture: ApplyFixture
let clock: ManualClock
beforeEach(async () => {
  fixture = await ApplyFixture.open()
  clock = new ManualClock()
})

type Outcome = PackedRange | string

/** A reading whose slices the test takes one by one. */
function begin(
  more: Partial<RangeRequest> = {},
  cancellation?: Cancellation,
): { readonly reading: PackedReading; readonly outcomes: Outcome[] } {
  const outcomes: Outcome[] = []
  const settler = {
    succeed: (result: PackedRange) => outcomes.push(result),
    fail: (error: unknown) => outcomes.push(error instanceof StoreError ? error.code : 'bug'),
  }
  const request = range('k', { ...all, ...more })
  expect(isPackable(request)).toBe(true)
  return { reading: new PackedReading(clock, request, { settler, cancellation }), outcomes }
}

const slice = (reading: PackedReading): number => reading.readSlice(() => fixture.state.store)

function read(more: Partial<RangeRequest> = {}): Outcome | undefined {
  const { reading, outcomes } = begin(more)
  while (!reading.isDone) slice(reading)
  return outcomes[0]
}

function packed(outcome: Outcome | undefined): PackedRange {
  if (outcome === undefined || typeof outcome === 'string') throw new Error(`not read: ${outcome}`)
  return outcome
}

/** The pairs, also those that are read later, and the rest of the answer. */
function describePacked(outcome: Outcome | undefined): string {
  if (typeof outcome === 'string') return outcome
  const { pieces, rest, sizeBytes, count, hasMore, revision } = packed(outcome)
  const parts = [...pieces]
  while (rest?.isDone === false) parts.push(...rest.read())
  const pairs = concatBytes(parts)
  expect(pairs.length).toBe(sizeBytes)
  return `${revision} ${count} ${hasMore} ${Buffer.from(pairs).toString('base64')}`
}

function whole(more: Partial<RangeRequest> = {}): string {
  const result = readRangeRequest(fixture.state.store, range('k', { ...all, ...more }))
  const pairs = concatBytes(
    result.keyValues.map(({ encoded }) => {
      const framed = RangeResponse.encode(RangeResponse.create()).bytes(encoded)
      const length = framed.finish()
      return concatBytes([Uint8Array.of(0x12), length])
    }),
  )
  const { revision, count, hasMore } = result
  return `${revision} ${count} ${hasMore} ${Buffer.from(pairs).toString('base64')}`
}

describe('a range that is packed', () => {
  test('is the one that is read pair by pair, at any revision and with any limit', () => {
    const step = fc.record({ key: fc.nat(30), size: fc.nat(200), isDelete: fc.boolean() })
    const asked = fc.record({ limit: fc.nat(40), back: fc.nat(30), from: fc.nat(30) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.array(asked), (steps, requests) => {
        for (const { key, size, isDelete } of steps) {
          if (isDelete) fixture.apply(logged.deletion(deletion(keyOf(key))))
          else fixture.put(keyOf(key), 'v'.repeat(size))
        }
        const newest = fixture.state.store.currentRevision
        for (const { limit, back, from } of requests) {
          const revision = back === 0 ? 0n : BigInt(Math.max(1, newest - back))
          const more = { limit: BigInt(limit), revision, key: bytes(keyOf(from)) }
          expect(describePacked(read(more))).toBe(whole(more))
        }
      }),
      { numRuns: 30 },
    )
  })

  test('is read in slices, all at the revision of the first', () => {
    for (let number = 0; number < 300; number++) fixture.put(keyOf(number), `v${number}`)
    const expected = whole()
    const { reading, outcomes } = begin()
    expect(slice(reading)).toBe(32)
    fixture.put(keyOf(299), 'later')
    fixture.put('k00000x', 'later')
    while (!reading.isDone) slice(reading)
    expect(describePacked(outcomes[0])).toBe(expected)
  })

  test('begins anew after a compaction, unless its revision was named', () => {
    for (let number = 0; number < 100; number++) fixture.put(keyOf(number))
    for (const isNamed of [false, true]) {
      const newest = BigInt(fixture.state.store.currentRevision)
      const { reading, outcomes } = begin({ revision: isNamed ? newest : 0n })
      slice(reading)
      fixture.put('k00000x', 'later')
      fixture.apply(logged.compact(newest + 1n))
      while (!reading.isDone) slice(reading)
      expect(describePacked(outcomes[0])).toBe(isNamed ? 'compacted' : whole())
    }
  })

  test('ends with its caller', () => {
    const caller = new CancelSource()
    const { reading, outcomes } = begin({}, caller)
    caller.cancel()
    slice(reading)
    expect(outcomes).toEqual(['contextCanceled'])
  })

  test.each<[string, Partial<RangeRequest>]>([
    ['keys only', { keysOnly: true }],
    ['counts', { countOnly: true }],
    ['a single key', { rangeEnd: new Uint8Array() }],
    ['another order', { sortOrder: 2 }],
    ['another target', { sortTarget: 3 }],
    ['a filter', { maxCreateRevision: 4n }],
  ])('is not one with %s', (_name, more) => {
    expect(isPackable(range('k', { ...all, ...more }))).toBe(false)
  })
})

describe('a large range', () => {
  const value = 'v'.repeat(60_000)

  /** 12 MB, which is more than is kept. */
  function fill(): void {
    for (let number = 0; number < 200; number++) fixture.put(keyOf(number), value)
  }

  test('is kept in part, and the rest is what it was while it is changed and compacted', () => {
    fill()
    const expected = whole()
    const result = packed(read())
    const keptSizeBytes = result.pieces.reduce((sum, { length }) => sum + length, 0)
    expect(keptSizeBytes).toBeLessThan(5_500_000)
    expect(result.rest?.isDone).toBe(false)
    const { store } = fixture.state
    fixture.put(keyOf(150), 'changed')
    fixture.apply(logged.deletion(deletion(keyOf(199))))
    fixture.apply(logged.compact(BigInt(store.currentRevision)))
    expect(store.isHistoryHeld).toBe(true)
    expect(describePacked(result)).toBe(expected)
    expect(store.isHistoryHeld).toBe(false)
  })

  test('holds up a compaction no longer than it is read, nor for ever', () => {
    fill()
    const { store } = fixture.state
    const [released, forgotten] = [packed(read()), packed(read())]
    fixture.put(keyOf(150), 'changed')
    fixture.apply(logged.compact(BigInt(store.currentRevision)))
    released.rest?.release()
    expect(store.isHistoryHeld).toBe(true)
    clock.advance(300_000)
    expect(store.isHistoryHeld).toBe(false)
    expect(() => forgotten.rest?.read()).toThrow('compacted')
  })
})
