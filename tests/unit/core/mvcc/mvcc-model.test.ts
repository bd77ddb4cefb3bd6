import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { setVerifying } from '../../../../src/core/base/assert.ts'
import { isInRange, type KeyRange } from '../../../../src/core/mvcc/key-range.ts'
import {
  bytes,
  describeChanges,
  describeModelChanges,
  describeModelPair,
  describePair,
  StoreModel,
  StoreUnderTest,
  type ModelChange,
  type Operation,
} from './store-model.ts'

setVerifying(true)

const everything: KeyRange = { start: Uint8Array.of(0), end: 'unbounded' }

/** Few keys, so that they meet; some with zero bytes, some that share 1,024 and 2,048 bytes with others. */
const keys: readonly Uint8Array[] = [
  Uint8Array.of(1),
  Uint8Array.of(1, 0),
  Uint8Array.of(1, 0, 0),
  Uint8Array.of(1, 1),
  Uint8Array.of(2),
  new Uint8Array(1_024).fill(3),
  new Uint8Array(1_025).fill(3),
  new Uint8Array(1_026).fill(3),
  new Uint8Array(2_048).fill(3),
  new Uint8Array(2_049).fill(3),
  new Uint8Array(2_060).fill(3).fill(4, 1_030),
  Uint8Array.of(4, 255),
]
const keyArbitrary = fc.constantFrom(...keys)
const rangeArbitrary: fc.Arbitrary<KeyRange> = fc.record({
  start: keyArbitrary,
  end: fc.oneof(keyArbitrary, fc.constant('unbounded' as const), fc.constant(undefined)),
})
const operationArbitrary: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key: keyArbitrary,
      value: fc.uint8Array({ maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('delete' as const), range: rangeArbitrary }),
  },
)
const stepArbitrary = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      operations: fc.array(operationArbitrary, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('schedule' as const), back: fc.nat({ max: 6 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('step' as const),
      size: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), kept: fc.nat({ max: 5 }) }),
  },
)

/** Everything the store can be asked, against the model, at every revision that is not compacted. */
function checkAll(subject: StoreUnderTest, model: StoreModel, compacted: number): void {
  const { store } = subject
  expect([store.currentRevision, store.compactedRevision]).toEqual([model.revision, compacted])
  const ranges: KeyRange[] = [
    everything,
    { start: keys[1]!, end: keys[7]! },
    { start: keys[7]!, end: keys[9]! },
    { start: keys[8]!, end: undefined },
  ]
  for (let revision = Math.max(compacted, 1); revision <= model.revision; revision++) {
    for (const range of ranges) {
      const expected = model.alive(range, revision)
      const read = store.readRange(range, { revision, limit: 0 })
      expect(read.keyValues.map(describePair)).toEqual(expected.map(describeModelPair))
      expect(read.count).toBe(expected.length)
      const limited = store.readRange(range, { revision, limit: 2 })
      expect(limited.keyValues.map(describePair)).toEqual(
        expected.slice(0, 2).map(describeModelPair),
      )
      expect(limited.count).toBe(expected.length)
      const counted = store.readRange(range, { revision, limit: 0, isCountOnly: true })
      expect(counted.count).toBe(expected.length)
    }
  }
  const history = model.changes.filter(({ main }) => main >= compacted)
  // At the compacted revision itself only what is still the newest of its key, which within one revision is the last.
  const last = new Map<string, ModelChange>()
  for (const change of history) last.set(`${change.main}/${change.key.join()}`, change)
  const expected = history.filter(
    (change) =>
      change.main > compacted || last.get(`${change.main}/${change.key.join()}`) === change,
  )
  if (!store.hasCompactionWork) {
    const from = Math.max(compacted, 0)
    const read = store.changesBetween({ from, to: model.revision + 1, revisionCountMax: 10_000 })
    expect(describeChanges(read)).toEqual(describeModelChanges(expected))
  }
}

describe('MvccStore beside a naive model', () => {
  test('random writes, compactions, flushes and crashes give the same answers at every revision', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { minLength: 1, maxLength: 40 }), async (steps) => {
        const subject = await StoreUnderTest.make()
        // One entry per committed batch: what the model was after it.
        let states = [{ model: new StoreModel(), compacted: -1 }]
        const current = (): { model: StoreModel; compacted: number } => states.at(-1)!
        const remember = (model: StoreModel, compacted: number): void => {
          states.push({ model, compacted })
        }
        for (const step of steps) {
          const { model, compacted } = current()
          if (step.kind === 'write') {
            const next = new StoreModel()
            next.changes.push(...model.changes)
            next.revision = model.revision
            next.write(step.operations)
            const changes = subject.write(step.operations)
            const made = next.changes.slice(model.changes.length)
            expect(changes === undefined ? [] : describeChanges([changes])).toEqual(
              describeModelChanges(made),
            )
            remember(next, compacted)
          } else if (step.kind === 'schedule') {
            const revision = model.revision - step.back
            if (revision <= compacted) {
              expect(() => {
                subject.schedule(revision)
              }).toThrow('has been compacted')
              remember(model, compacted)
            } else {
              subject.schedule(revision)
              remember(model, revision)
            }
          } else if (step.kind === 'step') {
            if (!subject.store.hasCompactionWork) continue
            subject.step(step.size)
            remember(model, compacted)
          } else if (step.kind === 'flush') subject.runFlushes()
          else {
            const flushedCount = states.length - 1 - subject.backend.unflushedBatchCount
            const kept = Math.min(step.kept, subject.backend.unflushedBatchCount)
            states = states.slice(0, flushedCount + kept + 1)
            await subject.crash(step.kept)
          }
        }
        checkAll(subject, current().model, current().compacted)
        await subject.crash(subject.backend.unflushedBatchCount)
        checkAll(subject, current().model, current().compacted)
        while (subject.store.hasCompactionWork) subject.step(3)
        checkAll(subject, current().model, current().compacted)
        checkNothingLeftOver(subject, current().model, current().compacted)
      }),
      { numRuns: 150 },
    )
  })

  test('counts of a large key space agree with a walk while it grows and shrinks, also for pages of old revisions', async () => {
    const subject = await StoreUnderTest.make()
    const nameOf = (number: number): Uint8Array => bytes(`key/${String(number).padStart(6, '0')}`)
    const alive = new Set<number>()
    let state = 12345
    const draw = (bound: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return Math.floor((state / 2 ** 32) * bound)
    }
    const countOf = (range: KeyRange, numbers: Iterable<number>): number =>
      [...numbers].filter((number) => isInRange(range, nameOf(number))).length
    const pinned: { revision: number; alive: Set<number> }[] = []
    for (let round = 0; round < 60; round++) {
      const operations: Operation[] = []
      for (let count = 0; count < 100; count++) {
        const number = draw(5_000)
        if (round % 3 === 2)
          operations.push({
            kind: 'delete',
            range: { start: nameOf(number), end: nameOf(number + 20) },
          })
        else operations.push({ kind: 'put', key: nameOf(number), value: bytes('x') })
        if (round % 3 === 2) for (let gone = number; gone < number + 20; gone++) alive.delete(gone)
        else alive.add(number)
      }
      subject.write(operations)
      if (round % 10 === 0)
        pinned.push({ revision: subject.store.currentRevision, alive: new Set(alive) })
      const low = draw(5_000)
      const range: KeyRange = { start: nameOf(low), end: nameOf(low + draw(3_000)) }
      const counted = subject.store.readRange(range, { revision: 0, limit: 1 })
      expect(counted.count).toBe(countOf(range, alive))
      for (const { revision, alive: then } of pinned) {
        expect(subject.store.readRange(range, { revision, limit: 3 }).count).toBe(
          countOf(range, then),
        )
      }
    }
    expect(subject.sizeOf('count')).toBeGreaterThan(8)
    subject.turn((view) => view.deleteRange(everything))
    subject.write([{ kind: 'put', key: nameOf(1), value: bytes('x') }])
    subject.compact(subject.store.currentRevision)
    expect([subject.sizeOf('head'), subject.sizeOf('key'), subject.sizeOf('count')]).toEqual([
      1, 1, 1,
    ])
    expect(
      subject.store.readRange(everything, { revision: 0, limit: 0, isCountOnly: true }).count,
    ).toBe(1)
  })
})

/** After a finished compaction the buckets hold exactly what a reader may still ask for. */
function checkNothingLeftOver(subject: StoreUnderTest, model: StoreModel, compacted: number): void {
  const kept = model.changes.filter((change) => {
    if (change.main > compacted) return true
    if (model.newest(change.key, compacted) !== change) return false
    return change.value !== undefined || change.main === compacted
  })
  const names = kept.map(
    ({ main, sub, value }) =>
      `${main}${sub === 0 ? '' : `.${sub}`}${value === undefined ? 't' : ''}`,
  )
  expect(subject.recordNames()).toEqual(names)
  const keyCount = new Set(kept.map(({ key }) => key.join())).size
  const headCount = [...subject.backend.scan('head', {})].filter(
    ({ key }) => key.length <= 1_024,
  ).length
  const longCount = [...subject.backend.scan('longkey', {})].filter(
    ({ key }) => key.length <= 1_032,
  ).length
  expect(headCount + longCount).toBe(keyCount)
}
