import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesOfLatin1, latin1Of } from '../../../../src/core/base/bytes.ts'
import { noLease } from '../../../../src/core/base/ids.ts'
import { probeVersion } from '../../../../src/core/mvcc/version-probe.ts'
import { StoreUnderTest } from './store-model.ts'

const names = ['a', 'b', 'c']

test('a key that is written often is found at every revision that is left, also while a compaction runs', async () => {
  const change = fc.record({
    name: fc.constantFrom('a', 'a', 'a', ...names),
    isDelete: fc.boolean(),
  })
  const write = fc.array(change, { minLength: 1, maxLength: 3 })
  const history = fc.array(write, { minLength: 80, maxLength: 160 })
  const compaction = fc.record({ back: fc.nat(120), stepCount: fc.nat(6) })
  await fc.assert(
    fc.asyncProperty(history, compaction, async (writes, { back, stepCount }) => {
      const subject = await StoreUnderTest.make()
      /** What each key was at each revision. */
      const past = [new Map<string, string>(), new Map<string, string>()]
      for (const [number, changes] of writes.entries()) {
        const now = new Map(past.at(-1))
        const changed = subject.turn((view) => {
          for (const { name, isDelete } of changes) {
            if (isDelete && number % 5 === 0) {
              view.deleteRange({ start: bytesOfLatin1(name), end: undefined })
              now.delete(name)
            } else {
              view.put(bytesOfLatin1(name), bytesOfLatin1(`${number}`), noLease)
              now.set(name, `${number}`)
            }
          }
          return view.revision
        })
        past[changed] = now
      }
      const { store } = subject
      const compacted = store.currentRevision - back
      if (compacted > 1) {
        subject.schedule(compacted)
        for (let step = 0; step < stepCount && store.hasCompactionWork; step++) subject.step(13)
      }
      for (let revision = Math.max(1, compacted); revision <= store.currentRevision; revision++) {
        const found = names.map((name) => store.findAt(bytesOfLatin1(name), revision)?.value)
        expect(found.map((value) => value && latin1Of(value))).toEqual(
          names.map((name) => past[revision]?.get(name)),
        )
      }
    }),
    { numRuns: 25 },
  )
})

test('a version is found in one place: the last one before the revision, or nowhere near', async () => {
  const subject = await StoreUnderTest.make()
  subject.put('rare', 'v')
  for (let number = 0; number < 100; number++) subject.put('often', `v${number}`)
  subject.remove('often')
  const { backend, store } = subject
  const probe = (key: string, revision: number) =>
    probeVersion(backend, bytesOfLatin1(key), revision)
  expect(probe('often', 50)).toEqual({ main: 50, sub: 0, isTombstone: false })
  expect(probe('often', store.currentRevision)).toEqual({
    main: store.currentRevision,
    sub: 0,
    isTombstone: true,
  })
  expect(probe('rare', 3)).toEqual({ main: 2, sub: 0, isTombstone: false })
  expect(probe('rare', 90)).toBeUndefined()
  expect(probe('often', 1)).toBeUndefined()
})

test('a damaged record on the way is told of', async () => {
  const subject = await StoreUnderTest.make()
  for (let number = 0; number < 100; number++) subject.put('often', `v${number}`)
  const { backend } = subject
  const batch = backend.beginBatch()
  for (const record of backend.scan('key', {})) {
    const damaged = record.value.slice()
    // The last byte of the value: the checksum stands behind it.
    damaged[damaged.length - 5] = (damaged[damaged.length - 5] ?? 0) ^ 1
    batch.put('key', record.key, damaged)
  }
  backend.commitBatch(batch)
  expect(() => subject.store.findAt(bytesOfLatin1('often'), 50)).toThrow('checksum')
})
