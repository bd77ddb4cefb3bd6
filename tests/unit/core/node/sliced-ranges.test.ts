import { beforeEach, describe, expect, test } from 'vitest'
import { readRangeRequest } from '../../../../src/core/apply/range-request.ts'
import { CancelSource, type Cancellation } from '../../../../src/core/base/cancellation.ts'
import { StoreError } from '../../../../src/core/errors/store-error.ts'
import { CountReading, SlicedRanges } from '../../../../src/core/node/sliced-ranges.ts'
import type { RangeRequest } from '../../../../src/core/proto/gen/rpc.ts'
import { ApplyFixture, bytes, logged, range, textOf } from '../apply/apply-fixture.ts'
import { ManualClock } from './manual-clock.ts'

/** Every look at it takes a millisecond, so that a turn ends after four slices. */
class HastyClock extends ManualClock {
  override monotonicMs(): number {
    this.advance(1)
    return super.monotonicMs()
  }
}

const keyCount = 1_500
const keyOf = (number: number): string => `k${String(number).padStart(5, '0')}`
const all: Partial<RangeRequest> = { rangeEnd: bytes('l') }

let fixture: ApplyFixture
let clock: HastyClock
let ranges: SlicedRanges
let outcomes: string[]

beforeEach(async () => {
  fixture = await ApplyFixture.open()
  for (let number = 0; number < keyCount; number++) fixture.put(keyOf(number), `v${number}`)
  clock = new HastyClock()
  ranges = new SlicedRanges(clock, () => fixture.state.store)
  outcomes = []
})

function describeRange(read: ReturnType<typeof readRangeRequest>): string {
  const pairs = read.keyValues.map(({ key, value }) => `${textOf(key)}=${textOf(value)}`)
  return `${read.revision} ${read.count} ${read.hasMore} ${pairs.join()}`
}

function begin(more: Partial<RangeRequest> = {}, cancellation?: Cancellation): void {
  ranges.begin(
    range('k', { ...all, ...more }),
    {
      succeed: (result) => outcomes.push(describeRange(result)),
      fail: (error) => outcomes.push(error instanceof StoreError ? error.code : 'bug'),
    },
    cancellation,
  )
}

const whole = (more: Partial<RangeRequest> = {}): string =>
  describeRange(readRangeRequest(fixture.state.store, range('k', { ...all, ...more })))

function finish(): number {
  let turnCount = 0
  for (; outcomes.length === 0 && turnCount < 100; turnCount++) clock.runTurns()
  return turnCount
}

describe('SlicedRanges', () => {
  test.each<[string, Partial<RangeRequest>]>([
    ['everything', {}],
    ['a limit', { limit: 1_200n }],
    ['a limit that is not reached', { limit: 2_000n }],
    ['descending order', { sortOrder: 2, limit: 700n }],
    ['an older revision', { revision: 1_000n }],
    ['keys only', { keysOnly: true }],
    ['a filter', { minModRevision: 800n }],
  ])('%s is read over several turns as it was in the first', (_name, more) => {
    const expected = whole(more)
    begin(more)
    expect(outcomes).toEqual([])
    fixture.put(keyOf(1_499), 'later')
    fixture.put('k00000x', 'later')
    expect(finish()).toBeGreaterThan(0)
    expect(outcomes).toEqual([expected])
  })

  test('a range that turns out to be small is read at once', () => {
    const expected = whole({ key: bytes(keyOf(1_490)) })
    begin({ key: bytes(keyOf(1_490)) })
    expect(outcomes).toEqual([expected])
  })

  test('ranges are read one after the other', () => {
    begin()
    begin({ limit: 1n })
    expect(outcomes).toEqual([])
    finish()
    finish()
    for (let turn = 0; turn < 20; turn++) clock.runTurns()
    expect(outcomes).toEqual([whole(), whole({ limit: 1n })])
  })

  test('a compaction makes it begin anew, unless its revision was named', () => {
    begin()
    fixture.put('k00000x', 'later')
    fixture.apply(logged.compact(BigInt(fixture.state.store.currentRevision)))
    finish()
    expect(outcomes).toEqual([whole()])
    outcomes = []
    const revision = BigInt(fixture.state.store.currentRevision)
    begin({ revision })
    fixture.put('k00000y', 'later')
    fixture.apply(logged.compact(BigInt(fixture.state.store.currentRevision)))
    finish()
    expect(outcomes).toEqual(['compacted'])
  })

  test('a reader that goes away ends it', () => {
    const caller = new CancelSource()
    begin({}, caller)
    caller.cancel()
    expect(finish()).toBe(1)
    expect(outcomes).toEqual(['contextCanceled'])
  })
})

describe('CountReading', () => {
  const bounds = { start: bytes('k'), end: bytes('l') }
  const asked = range('k', { ...all, countOnly: true, revision: 3n })
  /** Far enough from the newest revision for many steps, near enough for the range not to be walked. */
  const versionCount = 4_400

  function beginCount(cancellation?: Cancellation): void {
    const counting = fixture.state.store.beginCount(bounds, 3)
    if (counting === undefined) throw new Error('a count of the past takes steps')
    const read = (): void => {
      const { count } = fixture.state.store.readRange(
        { start: bounds.start, end: bounds.end },
        { revision: 3, limit: 0, isCountOnly: true },
      )
      outcomes.push(String(count))
    }
    ranges.beginReading(
      new CountReading({ request: asked, cancellation }, counting, () => {
        try {
          read()
        } catch (error) {
          outcomes.push(error instanceof StoreError ? error.code : 'bug')
        }
      }),
    )
  }

  beforeEach(() => {
    for (let number = 0; number < versionCount; number++) fixture.put(keyOf(0), 'again')
    // A clock that a turn has run out for after each step.
    clock.advance(1_000)
  })

  test('a count of the past is made over several turns, whatever is written meanwhile, and is known then', () => {
    const turnsOf = (): number => {
      beginCount()
      fixture.put('k00000x', 'later')
      return finish()
    }
    expect(turnsOf()).toBeGreaterThan(0)
    // The first write made revision 2.
    expect(outcomes).toEqual(['2'])
    expect(fixture.state.store.beginCount(bounds, 3)).toBeUndefined()
  })

  test('there is nothing to count beforehand now, in the future and where history is gone', () => {
    const { store } = fixture.state
    fixture.apply(logged.compact(10n))
    for (const revision of [0, store.currentRevision, store.currentRevision + 1, 9]) {
      expect(store.beginCount(bounds, revision)).toBeUndefined()
    }
    expect(store.beginCount(bounds, 10)).toBeDefined()
  })

  test('the range tells it when history is gone meanwhile, and is read when nobody counts for it any more', () => {
    beginCount()
    expect(outcomes).toEqual([])
    fixture.apply(logged.compact(100n))
    finish()
    expect(outcomes).toEqual(['compacted'])
  })
})
