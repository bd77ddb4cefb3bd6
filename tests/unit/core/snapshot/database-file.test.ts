import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Backend } from '../../../../src/core/backend/backend.ts'
import { encodeUint64, metaKeys } from '../../../../src/core/backend/buckets.ts'
import { MemoryBackendFactory } from '../../../../src/core/backend/memory-backend.ts'
import { latin1Of } from '../../../../src/core/base/bytes.ts'
import { leaseId } from '../../../../src/core/base/ids.ts'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import { checkBoltFile } from '../../../../src/core/bolt/bolt-check.ts'
import { StorageFault } from '../../../../src/core/errors/storage-fault.ts'
import { LeaseStore } from '../../../../src/core/lease/lease-store.ts'
import { MvccStore } from '../../../../src/core/mvcc/mvcc-store.ts'
import { encodeRevisionKey } from '../../../../src/core/mvcc/revision.ts'
import { writeDatabaseFile } from '../../../../src/core/snapshot/database-export.ts'
import { importDatabaseFile } from '../../../../src/core/snapshot/database-import.ts'
import { readSnapshotStatus } from '../../../../src/core/snapshot/snapshot-status.ts'
import { MemoryFileSystem } from '../../../helpers/memory-file-system.ts'
import { contentOf, openedFile, writtenFile } from '../bolt/bolt-files.ts'
import {
  bytes,
  describeChanges,
  describePair,
  stillClock,
  StoreUnderTest,
  type Operation,
} from '../mvcc/store-model.ts'

const path = '/snapshot.db'
const everything = { start: Uint8Array.of(0), end: bytes('\u{10ffff}') }

async function exported(backend: Backend, storageVersion?: string): Promise<Uint8Array> {
  const fileSystem = new MemoryFileSystem()
  const file = await fileSystem.open(path, { create: true })
  const view = backend.openView()
  await writeDatabaseFile(view, file, {
    clock: stillClock,
    storageVersion,
    assertWanted: () => undefined,
  })
  view.close()
  return fileSystem.files.get(path)!
}

async function imported(file: Uint8Array): Promise<{ backend: Backend; revision: number }> {
  const backend = await new MemoryBackendFactory().open('disk')
  const { revision } = await importDatabaseFile(await openedFile(file), backend)
  return { backend, revision }
}

/** Into a store whose flushes wait until they are run. */
async function importInto(subject: StoreUnderTest, file: Uint8Array): Promise<number> {
  const importing = importDatabaseFile(await openedFile(file), subject.backend)
  const progress = { isDone: false }
  void importing.finally(() => {
    progress.isDone = true
  })
  while (!progress.isDone) {
    subject.runFlushes()
    await Promise.resolve()
  }
  return (await importing).revision
}

function openStore(backend: Backend): MvccStore {
  return MvccStore.open(backend, { clock: stillClock, logger: silentLogger })
}

/** All that can be read: each revision's pairs and count, the changes, the hash. */
async function describeStore(store: MvccStore): Promise<unknown> {
  const first = Math.max(store.compactedRevision, 1)
  const pairs: unknown[] = []
  for (let revision = first; revision <= store.currentRevision; revision++) {
    const range = store.readRange(everything, { revision, limit: 0 })
    pairs.push([revision, range.count, range.keyValues.map(describePair)])
  }
  const to = store.currentRevision + 1
  const changes = store.changesBetween({ from: first, to, revisionCountMax: to })
  return {
    revision: store.currentRevision,
    compacted: store.compactedRevision,
    pairs,
    changes: describeChanges(changes),
    hash: await store.hashAt(0),
  }
}

const keyArbitrary = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', 'd', 'e') },
  { weight: 1, arbitrary: fc.constantFrom('l'.repeat(1_500), 'l'.repeat(3_000)) },
)
const operationArbitrary: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key: keyArbitrary.map(bytes),
      value: fc.uint8Array({ maxLength: 40 }),
    }),
  },
  {
    weight: 1,
    arbitrary: keyArbitrary.map((key) => ({
      kind: 'delete' as const,
      range: { start: bytes(key), end: undefined },
    })),
  },
)
const stepArbitrary = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.uniqueArray(operationArbitrary, {
      minLength: 1,
      maxLength: 3,
      selector: (operation) =>
        latin1Of(operation.kind === 'put' ? operation.key : operation.range.start),
    }),
  },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
)

describe('writeDatabaseFile and importDatabaseFile', () => {
  test('a store that went through a file has the same history, and goes on alike', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(stepArbitrary, { maxLength: 40 }),
        fc.array(stepArbitrary, { maxLength: 15 }),
        async (before, after) => {
          const original = await StoreUnderTest.make()
          const copy = await StoreUnderTest.make()
          const run = (subject: StoreUnderTest, steps: typeof before): void => {
            for (const step of steps) {
              if (typeof step !== 'number') subject.write(step)
              else {
                const { compactedRevision, currentRevision } = subject.store
                const revision = Math.round(step * currentRevision)
                if (revision > compactedRevision && revision > 0) subject.compact(revision)
              }
            }
          }
          run(original, before)
          const file = await exported(original.backend)
          expect(await checkBoltFile(await openedFile(file))).toEqual([])
          const revision = await importInto(copy, file)
          expect(revision).toBe(original.store.currentRevision)
          copy.store = openStore(copy.backend)
          expect(await describeStore(copy.store)).toEqual(await describeStore(original.store))
          run(original, after)
          run(copy, after)
          expect(await describeStore(copy.store)).toEqual(await describeStore(original.store))
        },
      ),
      { numRuns: 60 },
    )
  })

  test('each bucket has what etcd has in it, and nothing of ours', async () => {
    const subject = await StoreUnderTest.make()
    subject.put('k', 'value')
    subject.remove('k')
    const batch = subject.backend.beginBatch()
    batch.put('meta', metaKeys.consistentIndex, encodeUint64(7))
    batch.put('meta', metaKeys.longKeyNodeNumber, encodeUint64(3))
    batch.put('authUsers', bytes('root'), bytes('a user'))
    batch.put('members', bytes('8e9e05c52164694d'), bytes('{}'))
    subject.backend.commitBatch(batch)
    const content = await contentOf(await openedFile(await exported(subject.backend, '3.6.0')))
    expect([...content.keys()]).toEqual([
      ...['alarm', 'auth', 'authRoles', 'authUsers', 'cluster', 'key', 'lease', 'members'],
      ...['members_removed', 'meta'],
    ])
    const hexOf = (name: string): string[] =>
      [...content.get(name)!].map(
        ([key, value]) =>
          `${Buffer.from(key, 'latin1').toString('hex')} ${Buffer.from(value).toString('hex')}`,
      )
    expect(hexOf('key')).toEqual([
      // Created and modified at 2, version 1.
      '00000000000000025f0000000000000000 0a016b1002180220012a0576616c7565',
      '00000000000000035f000000000000000074 0a016b',
    ])
    expect(hexOf('meta')).toEqual([
      `${Buffer.from('consistent_index').toString('hex')} 0000000000000007`,
      `${Buffer.from('storageVersion').toString('hex')} ${Buffer.from('3.6.0').toString('hex')}`,
    ])
    expect(hexOf('authUsers')).toEqual(['726f6f74 612075736572'])
    const back = await imported(await exported(subject.backend))
    expect(back.backend.get('authUsers', bytes('root'))).toEqual(bytes('a user'))
    expect(back.backend.get('meta', metaKeys.longKeyNodeNumber)).toBeUndefined()
  })

  test('keys are attached to their leases again, but not to leases that are gone', async () => {
    const subject = await StoreUnderTest.make()
    const batch = subject.backend.beginBatch()
    const lease = { id: leaseId(7n), ttlSeconds: 60, remainingTtlSeconds: 0 }
    LeaseStore.open(subject.backend).grant(batch, lease)
    subject.backend.commitBatch(batch)
    subject.turn((view) => view.put(bytes('held'), bytes('1'), leaseId(7n)))
    subject.turn((view) => view.put(bytes('freed'), bytes('1'), leaseId(7n)))
    subject.put('freed', 'without')
    subject.turn((view) => view.put(bytes('lost'), bytes('1'), leaseId(9n)))
    subject.turn((view) => view.put(bytes('deleted'), bytes('1'), leaseId(7n)))
    subject.remove('deleted')
    const { backend } = await imported(await exported(subject.backend))
    const leases = LeaseStore.open(backend)
    expect(leases.list()).toEqual([lease])
    expect(leases.keysOf(leaseId(7n))).toEqual([bytes('held')])
    expect(leases.leaseOf(bytes('lost'))).toBe(0n)
  })

  test('a record of another form is refused', async () => {
    const key = latin1Of(encodeRevisionKey(2, 0))
    const file = (name: string, value: Uint8Array): Promise<Uint8Array> =>
      writtenFile(new Map([['key', new Map([[name, value]])]]))
    const refusals: readonly (readonly [string, Uint8Array])[] = [
      ['not a revision', bytes('x')],
      // Cut short; an unknown field; a number longer than need be.
      [key, Uint8Array.of(0x0a, 5, 0x6b)],
      [key, Uint8Array.of(0x0a, 1, 0x6b, 0x3a, 0)],
      [key, Uint8Array.of(0x0a, 1, 0x6b, 0x10, 0x82, 0x00)],
    ]
    for (const [name, value] of refusals) {
      await expect(file(name, value).then(imported)).rejects.toThrow(StorageFault)
    }
    await expect(writtenFile(new Map([['meta', new Map()]])).then(imported)).rejects.toThrow(
      'the database has no bucket for keys',
    )
  })

  test('whatever is damaged, an import ends with a fault or with a store', async () => {
    const subject = await StoreUnderTest.make()
    for (let number = 0; number < 150; number++) subject.put(`k${number % 40}`, 'v'.repeat(number))
    const whole = await exported(subject.backend)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        async (changes) => {
          const damaged = whole.slice()
          for (const [at, value] of changes) damaged[at] = value
          try {
            await imported(damaged)
          } catch (error) {
            expect(error).toBeInstanceOf(StorageFault)
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('readSnapshotStatus', () => {
  test('sums up names and records, and tells the version of the storage', async () => {
    const subject = await StoreUnderTest.make()
    subject.put('k', 'value')
    const status = async (bytesOfFile: Uint8Array): Promise<unknown> => {
      const fileSystem = new MemoryFileSystem()
      fileSystem.files.set(path, bytesOfFile)
      return readSnapshotStatus(await fileSystem.openForReading(path), bytesOfFile.length)
    }
    const file = await exported(subject.backend, '3.7.0')
    const withDigest = new Uint8Array(file.length + 32)
    withDigest.set(file)
    expect(await status(withDigest)).toEqual({
      hash: expect.any(Number) as number,
      revision: 2,
      totalKeyCount: 2,
      totalSizeBytes: file.length,
      version: '3.7.0',
    })
    expect(await status(withDigest)).toEqual(await status(file))
    const damaged = file.slice()
    damaged[3 * 4_096 + 10] = 9
    await expect(status(damaged)).rejects.toThrow(
      /^snapshot file integrity check failed\. \d errors found\.\npage 3: /,
    )
  })
})
