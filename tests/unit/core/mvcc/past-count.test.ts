import fc from 'fast-check'
import { expect, test } from 'vitest'
import { setVerifying } from '../../../../src/core/base/assert.ts'
import type { KeyRange } from '../../../../src/core/mvcc/key-range.ts'
import { bytes, StoreModel, StoreUnderTest, type Operation } from './store-model.ts'

setVerifying(true)

const nameOf = (number: number): Uint8Array => bytes(`key/${String(number).padStart(2, '0')}`)
const numberArbitrary = fc.nat({ max: 30 })
const stretchArbitrary = fc.record({ low: numberArbitrary, size: fc.nat({ max: 30 }) })
const rangeOf = ({ low, size }: { low: number; size: number }): KeyRange => ({
  start: nameOf(low),
  end: nameOf(low + size),
})
const operationArbitrary: fc.Arbitrary<Operation> = fc.oneof(
  numberArbitrary.map((number) => ({
    kind: 'put' as const,
    key: nameOf(number),
    value: bytes('x'),
  })),
  stretchArbitrary.map((stretch) => ({ kind: 'delete' as const, range: rangeOf(stretch) })),
)
const askedArbitrary = fc.record({ stretch: stretchArbitrary, back: fc.nat({ max: 60 }) })

interface Told {
  readonly subject: StoreUnderTest
  readonly model: StoreModel
}

async function make(): Promise<Told> {
  return { subject: await StoreUnderTest.make(), model: new StoreModel() }
}

function write({ subject, model }: Told, operations: readonly Operation[]): void {
  model.write(operations)
  subject.write(operations)
}

function countBoth({ subject, model }: Told, range: KeyRange, revision: number): number[] {
  const { count } = subject.store.readRange(range, { revision, limit: 0, isCountOnly: true })
  return [count, model.alive(range, revision).length]
}

test('counts asked for in any order of revisions agree with a model, before and after a compaction', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(operationArbitrary, { minLength: 1, maxLength: 5 }), {
        minLength: 1,
        maxLength: 60,
      }),
      fc.array(askedArbitrary, { minLength: 1, maxLength: 30 }),
      fc.nat({ max: 60 }),
      async (writes, asked, keptCount) => {
        const told = await make()
        for (const operations of writes) write(told, operations)
        const { subject, model } = told
        const askAll = (oldest: number): void => {
          for (const { stretch, back } of asked) {
            const revision = Math.max(oldest, model.revision - back)
            const [count, expected] = countBoth(told, rangeOf(stretch), revision)
            expect(count).toBe(expected)
          }
        }
        askAll(1)
        // What was counted at revisions that are compacted now must not be gone on from.
        const oldest = Math.max(1, model.revision - keptCount)
        if (oldest > 1) subject.compact(oldest)
        askAll(oldest)
        write(told, [{ kind: 'put', key: nameOf(31), value: bytes('x') }])
        askAll(oldest)
      },
    ),
  )
})

test('a small range with a long history is walked, and counted from a revision near by', async () => {
  const told = await make()
  const range: KeyRange = { start: bytes('key/'), end: bytes('key0') }
  write(told, [
    { kind: 'put', key: nameOf(1), value: bytes('x') },
    { kind: 'put', key: nameOf(2), value: bytes('x') },
  ])
  for (let round = 0; round < 1_500; round++) {
    const isDeleted = round % 3 === 0
    const one = { start: nameOf(3), end: undefined }
    if (isDeleted) write(told, [{ kind: 'delete', range: one }])
    write(told, [{ kind: 'put', key: nameOf(round % 2 === 0 ? 2 : 3), value: bytes('x') }])
  }
  const { revision } = told.model
  expect(revision).toBeGreaterThan(1_700)
  for (const asked of [2, 3, 700, 699, 5, revision - 1, revision - 1_200, 4, revision]) {
    const [count, expected] = countBoth(told, range, asked)
    expect(count, `at ${asked}`).toBe(expected)
  }
})
