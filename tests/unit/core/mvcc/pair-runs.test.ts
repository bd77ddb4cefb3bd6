import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import { concatBytes } from '../../../../src/core/base/bytes.ts'
import { noLease } from '../../../../src/core/base/ids.ts'
import { MemoryBackendFactory } from '../../../../src/core/backend/memory-backend.ts'
import { MvccStore } from '../../../../src/core/mvcc/mvcc-store.ts'
import { OperationCounts } from '../../../../src/core/mvcc/operation-counts.ts'
import { PairMeter, PairPacker } from '../../../../src/core/mvcc/packed-pairs.ts'
import { stillClock } from './store-model.ts'

const keyCount = 90
const encoder = new TextEncoder()
/** Some are longer than what the index keeps whole. */
const keyOf = (number: number): Uint8Array =>
  encoder.encode(`k${String(number).padStart(4, '0')}${number % 40 === 7 ? 'x'.repeat(1_100) : ''}`)
const allocate = (sizeBytes: number): Uint8Array => new Uint8Array(sizeBytes).fill(0xee)

interface Asked {
  readonly from: number
  readonly to: number | undefined
  readonly limit: number
  readonly back: number
  readonly step: number
  readonly sizeBytesMax: number
  readonly isRecorded: boolean
}

class Fixture {
  readonly operations = new OperationCounts()
  readonly store: MvccStore
  private readonly backend

  private constructor(
    backend: Awaited<ReturnType<MemoryBackendFactory['open']>>,
    runSizeBytesMax: number,
  ) {
    this.backend = backend
    const { operations } = this
    const dependencies = { clock: stillClock, logger: silentLogger, operations, runSizeBytesMax }
    this.store = MvccStore.open(backend, dependencies)
  }

  static async open(runSizeBytesMax: number): Promise<Fixture> {
    return new Fixture(await new MemoryBackendFactory().open('disk'), runSizeBytesMax)
  }

  /** Writes as the applier does. `meanwhile` is called before readers see any of it. */
  write(
    changes: readonly { readonly key: number; readonly size: number | undefined }[],
    meanwhile: () => void = () => undefined,
  ): void {
    const batch = this.backend.beginBatch()
    const view = this.store.beginWrite(batch)
    for (const { key, size } of changes) {
      if (size !== undefined) view.put(keyOf(key), new Uint8Array(size).fill(key), noLease)
      else view.deleteRange({ start: keyOf(key), end: undefined })
      meanwhile()
    }
    view.end()
    meanwhile()
    this.backend.commitBatch(batch)
    this.store.publish()
  }

  compact(back: number): void {
    const revision = this.store.currentRevision - back
    if (revision <= this.store.compactedRevision) return
    const batch = this.backend.beginBatch()
    this.store.scheduleCompaction(batch, revision)
    this.backend.commitBatch(batch)
    for (;;) {
      const step = this.backend.beginBatch()
      const result = this.store.runCompactionStep(step, 7)
      this.backend.commitBatch(step)
      if (result === 'done') return
    }
  }

  /** The revision that so many before the newest one is, or the oldest that can be read. */
  revisionOf(back: number): number {
    const { currentRevision, compactedRevision } = this.store
    return Math.max(1, currentRevision - back, compactedRevision)
  }

  /** Slice by slice, as answers are packed. */
  packed({ from, to, limit, back, step, sizeBytesMax, isRecorded }: Asked): string {
    const packer = new PairPacker(allocate)
    const meter = new PairMeter()
    const end = to === undefined ? undefined : keyOf(to)
    let next: Uint8Array | undefined = keyOf(from)
    let pairCount = 0
    while (next !== undefined && pairCount < limit) {
      const room = limit - pairCount
      const options = {
        revision: this.revisionOf(back),
        pairCountMax: Math.min(room, step),
        limit: room,
        sizeBytesMax,
        hold: undefined,
      }
      const bounds: { start: Uint8Array; end: Uint8Array | undefined } = { start: next, end }
      const measured = this.store.packSlice(bounds, {
        ...options,
        sink: meter,
        recorder: undefined,
      })
      const recorder = isRecorded ? packer : undefined
      const slice = this.store.packSlice(bounds, { ...options, sink: packer, recorder })
      // What is measured may become a run in between, but never another one.
      if (measured.pairCount === slice.pairCount) expect(meter.sizeBytes).toBe(packer.sizeBytes)
      else meter.sizeBytes = packer.sizeBytes
      pairCount += slice.pairCount
      next = slice.next
    }
    return describePairs(pairCount, packer.finish())
  }

  /** The count of the whole range, by each page of somebody who goes on behind the last one. */
  counted({ from, to, limit, back }: Asked): Set<number> {
    const { store } = this
    const end = to === undefined ? undefined : keyOf(to)
    const revision = this.revisionOf(back)
    const counts = new Set<number>()
    let takenCount = 0
    let start: Uint8Array | undefined = keyOf(from)
    while (start !== undefined) {
      const count = store.countAt({ start, end }, revision)
      counts.add(takenCount + count)
      const { pairCount, next } = store.packSlice(
        { start, end },
        {
          revision,
          pairCountMax: limit,
          limit,
          sizeBytesMax: 1_000_000,
          hold: undefined,
          sink: new PairMeter(),
          recorder: undefined,
        },
      )
      if (next !== undefined) store.noteCount({ start: next, end }, revision, count - pairCount)
      takenCount += pairCount
      start = next
    }
    return counts
  }

  /** The same by reading. */
  countedByReading({ from, to, back }: Asked): Set<number> {
    const end = to === undefined ? ('unbounded' as const) : keyOf(to)
    const options = { revision: this.revisionOf(back), limit: 0, isUncounted: true }
    return new Set([this.store.readRange({ start: keyOf(from), end }, options).keyValues.length])
  }

  /** Pair by pair, which knows of no runs. */
  read({ from, to, limit, back }: Asked): string {
    const end = to === undefined ? ('unbounded' as const) : keyOf(to)
    const { keyValues } = this.store.readRange(
      { start: keyOf(from), end },
      { revision: this.revisionOf(back), limit, isUncounted: true },
    )
    const parts = keyValues.map(({ encoded }) => framed(encoded))
    return describePairs(keyValues.length, parts)
  }
}

function describePairs(pairCount: number, parts: readonly Uint8Array[]): string {
  return `${pairCount} ${Buffer.from(concatBytes(parts)).toString('base64')}`
}

function framed(encoded: Uint8Array): Uint8Array {
  const prefix = [0x12]
  let rest = encoded.length
  for (; rest >= 0x80; rest >>>= 7) prefix.push((rest & 0x7f) | 0x80)
  return concatBytes([Uint8Array.from([...prefix, rest]), encoded])
}

const key = fc.nat(keyCount - 1)
const size = fc.option(fc.constantFrom(0, 40, 300, 3_000), { nil: undefined, freq: 3 })
const changes = fc.array(fc.record({ key, size }), { minLength: 1, maxLength: 4 })
const asked: fc.Arbitrary<Asked> = fc
  .record({
    // A few places come again and again.
    from: fc.oneof(fc.constantFrom(0, 0, 30, 77), key),
    length: fc.option(fc.integer({ min: 1, max: keyCount }), { freq: 4 }),
    limit: fc.constantFrom(10, 25, 60, 1_000, 1_000),
    back: fc.constantFrom(0, 0, 0, 1, 5, 30),
    step: fc.constantFrom(20, 1_000),
    sizeBytesMax: fc.constantFrom(5_000, 1_000_000),
    isRecorded: fc.constantFrom(true, true, false),
  })
  .map(({ length, ...rest }) => ({
    ...rest,
    to: length === null ? undefined : Math.min(keyCount, rest.from + length),
  }))

describe('an answer out of runs', () => {
  test('is the one without them, whatever is written, compacted and asked for', async () => {
    let hitPairCount = 0
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ changes }) },
      { weight: 6, arbitrary: fc.record({ asked, times: fc.integer({ min: 1, max: 3 }) }) },
      { weight: 1, arbitrary: fc.record({ changes, asked }) },
      { weight: 1, arbitrary: fc.record({ back: fc.nat(10) }) },
    )
    const history = fc.array(step, { minLength: 10, maxLength: 40 })
    const sizeBytesMax = fc.constantFrom(0, 30_000, 10_000_000)
    await fc.assert(
      fc.asyncProperty(sizeBytesMax, history, async (runSizeBytesMax, steps) => {
        const fixture = await Fixture.open(runSizeBytesMax)
        fixture.write(Array.from({ length: keyCount }, (_, each) => ({ key: each, size: 200 })))
        for (const each of steps) {
          if ('changes' in each) {
            const check = () => {
              if (!('asked' in each)) return
              expect(fixture.packed(each.asked)).toBe(fixture.read(each.asked))
              // Whoever counts in the middle of a write leaves nothing behind for others.
              fixture.counted(each.asked)
            }
            fixture.write(each.changes, check)
          } else if ('asked' in each) {
            for (let time = 0; time < each.times; time++) {
              expect(fixture.packed(each.asked)).toBe(fixture.read(each.asked))
              expect(fixture.counted(each.asked)).toEqual(fixture.countedByReading(each.asked))
            }
          } else fixture.compact(each.back)
        }
        const { runs } = fixture.operations
        expect(runs.sizeBytes).toBeLessThanOrEqual(runSizeBytesMax)
        hitPairCount += runs.hitPairCount
      }),
      { numRuns: 25 },
    )
    expect(hitPairCount).toBeGreaterThan(100)
  })
})

const everything: Asked = {
  from: 0,
  to: undefined,
  limit: 1_000,
  back: 0,
  step: 1_000,
  sizeBytesMax: 1_000_000,
  isRecorded: true,
}

describe('runs', () => {
  const filled = async (runSizeBytesMax: number): Promise<Fixture> => {
    const fixture = await Fixture.open(runSizeBytesMax)
    fixture.write(Array.from({ length: keyCount }, (_, each) => ({ key: each, size: 200 })))
    return fixture
  }

  test('serve the second of two equal reads while there is room, and else the third', async () => {
    const roomy = await filled(1_000_000)
    expect(roomy.packed(everything)).toBe(roomy.packed(everything))
    expect(roomy.operations.runs.hitPairCount).toBeGreaterThanOrEqual(keyCount)
    const fixture = await filled(100_000)
    const { runs } = fixture.operations
    fixture.packed(everything)
    expect(runs.sizeBytes).toBe(0)
    fixture.packed(everything)
    const missedPairCount = runs.missedPairCount
    expect(fixture.packed(everything)).toBe(fixture.read(everything))
    expect(runs.missedPairCount).toBe(missedPairCount)
    expect(runs.hitPairCount).toBeGreaterThanOrEqual(keyCount)
  })

  test('are forgotten one by one as keys of theirs are written', async () => {
    const fixture = await filled(1_000_000)
    const { runs } = fixture.operations
    for (let time = 0; time < 3; time++) fixture.packed(everything)
    const whole = runs.sizeBytes
    fixture.write([{ key: 3, size: 10 }])
    expect(runs.sizeBytes).toBeLessThan(whole)
    expect(runs.sizeBytes).toBeGreaterThan(0)
    expect(fixture.packed(everything)).toBe(fixture.read(everything))
    // What was known before it was written is kept when it is asked for again.
    expect(fixture.packed({ ...everything, back: 1 })).toBe(
      fixture.read({ ...everything, back: 1 }),
    )
    const hits = runs.hitPairCount
    fixture.packed(everything)
    expect(runs.hitPairCount - hits).toBeGreaterThan(keyCount / 2)
  })

  test('take no more memory than they may, and none when they may not', async () => {
    for (const runSizeBytesMax of [0, 20_000]) {
      const fixture = await filled(runSizeBytesMax)
      for (let from = 0; from < keyCount; from++) {
        for (let time = 0; time < 3; time++) fixture.packed({ ...everything, from, limit: 30 })
        expect(fixture.operations.runs.sizeBytes).toBeLessThanOrEqual(runSizeBytesMax)
      }
    }
  })
})
