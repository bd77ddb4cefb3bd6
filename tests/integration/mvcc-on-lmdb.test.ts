import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hexOf } from '../../src/core/base/bytes.ts'
import type { Backend } from '../../src/core/backend/backend.ts'
import { LmdbBackendFactory } from '../../src/core/backend/lmdb-backend-factory.ts'
import { MemoryBackendFactory } from '../../src/core/backend/memory-backend.ts'
import { noLease } from '../../src/core/base/ids.ts'
import { silentLogger } from '../../src/core/base/logger.ts'
import { seededRandom } from '../../src/core/base/random.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'
import type { KeyRange } from '../../src/core/mvcc/key-range.ts'
import { MvccStore, type ReadRangeOptions } from '../../src/core/mvcc/mvcc-store.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-mvcc-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const everything: KeyRange = { start: Uint8Array.of(0), end: 'unbounded' }

interface Subject {
  readonly backend: Backend
  readonly store: MvccStore
}

async function openBoth(factories: {
  readonly lmdb: LmdbBackendFactory
  readonly memory: MemoryBackendFactory
}): Promise<Subject[]> {
  const subjects: Subject[] = []
  for (const factory of [factories.lmdb, factories.memory]) {
    const backend = await factory.open(folder)
    const store = MvccStore.open(backend, { clock: systemClock, logger: silentLogger })
    subjects.push({ backend, store })
  }
  return subjects
}

/** Some short keys, some that LMDB could not hold whole, so that walks pass from one kind to the other. */
function keyNumber(number: number): Uint8Array {
  const text = new TextEncoder().encode(`key-${String(number).padStart(4, '0')}`)
  if (number % 17 !== 0) return text
  const long = new Uint8Array(1_500).fill(0x61)
  long.set(text)
  return long
}

function write(
  { backend, store }: Subject,
  change: (view: ReturnType<MvccStore['beginWrite']>) => void,
): void {
  const batch = backend.beginBatch()
  const view = store.beginWrite(batch)
  change(view)
  view.end()
  backend.commitBatch(batch)
  store.publish()
}

function describeRange({ store }: Subject, range: KeyRange, options: ReadRangeOptions): unknown {
  const { keyValues, count, revision } = store.readRange(range, options)
  return { count, revision, pairs: keyValues.map(({ encoded }) => hexOf(encoded)) }
}

const contentOf = ({ backend }: Subject, bucket: 'key' | 'head' | 'count'): string[] =>
  [...backend.scan(bucket, {})].map(({ key, value }) => `${hexOf(key)}=${hexOf(value)}`)

function compact({ backend, store }: Subject, revision: number): void {
  const scheduled = backend.beginBatch()
  store.scheduleCompaction(scheduled, revision)
  backend.commitBatch(scheduled)
  while (store.hasCompactionWork) {
    const step = backend.beginBatch()
    store.runCompactionStep(step, 50)
    backend.commitBatch(step)
  }
}

test('the store answers the same on LMDB and in memory, through compactions, flushes and restarts', async () => {
  const random = seededRandom(7)
  const factories = {
    lmdb: new LmdbBackendFactory({ clock: systemClock }),
    memory: new MemoryBackendFactory(),
  }
  let subjects = await openBoth(factories)
  const agree = (read: (subject: Subject) => unknown): void => {
    const [onLmdb, inMemory] = subjects.map(read)
    expect(onLmdb).toEqual(inMemory)
  }
  for (let round = 0; round < 60; round++) {
    const puts = Array.from({ length: 1 + random.below(40) }, () => keyNumber(random.below(400)))
    const value = new Uint8Array(random.below(200)).fill(round)
    const low = random.below(400)
    const range: KeyRange = { start: keyNumber(low), end: keyNumber(low + random.below(60)) }
    const isDelete = random.below(4) === 0
    for (const subject of subjects) {
      for (const key of puts) write(subject, (view) => view.put(key, value, noLease))
      if (isDelete) write(subject, (view) => view.deleteRange(range))
    }
    if (random.below(3) === 0) for (const { backend } of subjects) await backend.flush()
    const { currentRevision, compactedRevision } = subjects[0]!.store
    const oldest = Math.max(compactedRevision, 1)
    const past = oldest + random.below(currentRevision - oldest + 1)
    for (const revision of [0, past]) {
      for (const limit of [0, 1, 7]) {
        agree((subject) => describeRange(subject, everything, { revision, limit }))
        agree((subject) => describeRange(subject, range, { revision, limit }))
        agree((subject) => describeRange(subject, range, { revision, limit, isKeysOnly: true }))
      }
      agree((subject) => describeRange(subject, range, { revision, limit: 0, isCountOnly: true }))
    }
    if (round % 10 === 9) {
      const target = oldest + random.below(currentRevision - oldest + 1)
      if (target > compactedRevision) {
        for (const subject of subjects) compact(subject, target)
      }
      for (const bucket of ['key', 'head', 'count'] as const) {
        agree((subject) => contentOf(subject, bucket))
      }
      const hashes = []
      for (const { store } of subjects) hashes.push(await store.hashAt(0))
      expect(hashes[0]).toEqual(hashes[1])
    }
    if (round % 20 === 19) {
      for (const { backend } of subjects) await backend.close()
      subjects = await openBoth(factories)
    }
  }
  for (const { backend } of subjects) await backend.close()
})
