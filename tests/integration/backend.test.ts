import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hexOf } from '../../src/core/base/bytes.ts'
import type {
  Backend,
  BackendFactory,
  BackendReader,
  BucketName,
  ScanOptions,
} from '../../src/core/backend/backend.ts'
import { LmdbBackendFactory } from '../../src/core/backend/lmdb-backend-factory.ts'
import { MemoryBackendFactory } from '../../src/core/backend/memory-backend.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-backend-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const lmdb = (): LmdbBackendFactory => new LmdbBackendFactory({ clock: systemClock })
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const usedBuckets = ['key', 'meta'] as const satisfies BucketName[]

function contentOf(reader: BackendReader, bucket: BucketName, options: ScanOptions = {}): string[] {
  return [...reader.scan(bucket, options)].map(
    (record) => `${hexOf(record.key)}=${hexOf(record.value)}`,
  )
}

const keyArbitrary = fc.uint8Array({ minLength: 1, maxLength: 3, max: 3 })
const changeArbitrary = fc.oneof({
  weight: 3,
  arbitrary: fc.record({
    bucket: fc.constantFrom(...usedBuckets),
    key: keyArbitrary,
    value: fc.option(fc.uint8Array({ maxLength: 5 }), { nil: undefined }),
  }),
})
interface ChangeStep {
  bucket: BucketName
  key: Uint8Array
  value: Uint8Array | undefined
}
const boundArbitrary = fc.option(fc.uint8Array({ maxLength: 3, max: 4 }), { nil: undefined })
const stepArbitrary = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('batch' as const),
      changes: fc.array(changeArbitrary, { maxLength: 12 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('turn' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('view' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('scan' as const),
      start: boundArbitrary,
      end: boundArbitrary,
      isReverse: fc.boolean(),
    }),
  },
)

function scanOptionsOf(step: {
  start: Uint8Array | undefined
  end: Uint8Array | undefined
  isReverse: boolean
}): ScanOptions {
  return {
    ...(step.start && { start: step.start }),
    ...(step.end && { end: step.end }),
    isReverse: step.isReverse,
  }
}

/** The same batch into each backend; each must see its own changes, and the same ones, before and after the commit. */
function commitEverywhere(pair: readonly Backend[], changes: readonly ChangeStep[]): void {
  const batches = pair.map((backend) => backend.beginBatch())
  for (const { bucket, key, value } of changes) {
    for (const batch of batches) {
      if (value === undefined) batch.remove(bucket, key)
      else batch.put(bucket, key, value.slice())
      expect(batch.get(bucket, key)).toEqual(value)
    }
  }
  for (const bucket of usedBuckets) {
    expect(contentOf(batches[0]!, bucket)).toEqual(contentOf(batches[1]!, bucket))
  }
  batches.forEach((batch, position) => {
    pair[position]!.commitBatch(batch)
  })
  for (const { bucket, key } of changes) {
    const [left, right] = pair.map((backend) => backend.get(bucket, key))
    expect(left === undefined ? 'none' : hexOf(left)).toBe(
      right === undefined ? 'none' : hexOf(right),
    )
  }
}

describe('LmdbBackend beside MemoryBackend', () => {
  test('random batches, scans, views, flushes and reopenings give the same answers', async () => {
    let runNumber = 0
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { minLength: 1, maxLength: 30 }), async (steps) => {
        const directory = join(folder, `run${runNumber++}`)
        const factories: readonly BackendFactory[] = [lmdb(), new MemoryBackendFactory()]
        let pair: Backend[] = []
        for (const factory of factories) pair.push(await factory.open(directory))
        const views: {
          readers: readonly (BackendReader & { close(): void })[]
          content: string[][]
        }[] = []
        const agree = (read: (reader: BackendReader) => unknown): void => {
          expect(read(pair[0]!)).toEqual(read(pair[1]!))
        }
        for (const step of steps) {
          if (step.kind === 'batch') commitEverywhere(pair, step.changes)
          else if (step.kind === 'flush') for (const backend of pair) await backend.flush()
          else if (step.kind === 'turn') await new Promise((resolve) => setImmediate(resolve))
          else if (step.kind === 'view') {
            const readers = pair.map((backend) => backend.openView())
            views.push({
              readers,
              content: usedBuckets.map((bucket) => contentOf(pair[1]!, bucket)),
            })
          } else if (step.kind === 'reopen') {
            for (const view of views.splice(0)) for (const reader of view.readers) reader.close()
            for (const backend of pair) await backend.close()
            pair = []
            for (const factory of factories) pair.push(await factory.open(directory))
          } else
            for (const bucket of usedBuckets)
              agree((reader) => contentOf(reader, bucket, scanOptionsOf(step)))
          for (const bucket of usedBuckets) agree((reader) => contentOf(reader, bucket))
          for (const view of views) {
            for (const reader of view.readers) {
              expect(usedBuckets.map((bucket) => contentOf(reader, bucket))).toEqual(view.content)
            }
          }
        }
        for (const view of views) for (const reader of view.readers) reader.close()
        for (const backend of pair) await backend.close()
      }),
      { numRuns: 60 },
    )
  }, 120_000)

  test('a scan may stop early and another may begin inside it', async () => {
    const backend = await lmdb().open(join(folder, 'db'))
    const batch = backend.beginBatch()
    for (let number = 0; number < 100; number++)
      batch.put('key', Uint8Array.of(1, number), bytes(`${number}`))
    backend.commitBatch(batch)
    await backend.flush()
    const seen: number[] = []
    for (const outer of backend.scan('key', {})) {
      for (const inner of backend.scan('key', { start: outer.key })) {
        seen.push(inner.key[1]!)
        break
      }
      if (seen.length === 5) break
    }
    expect(seen).toEqual([0, 1, 2, 3, 4])
    await backend.close()
  })

  test('values of 2 MiB, empty values and keys of the longest size survive a reopening', async () => {
    const directory = join(folder, 'db')
    let backend = await lmdb().open(directory)
    const large = new Uint8Array(2 * 1024 * 1024).fill(7)
    const longKey = new Uint8Array(1_900).fill(0)
    const batch = backend.beginBatch()
    batch.put('key', bytes('large'), large)
    batch.put('key', bytes('empty'), new Uint8Array(0))
    batch.put('key', longKey, bytes('long'))
    backend.commitBatch(batch)
    await backend.close()
    backend = await lmdb().open(directory)
    expect(Buffer.compare(backend.get('key', bytes('large'))!, large)).toBe(0)
    expect(backend.get('key', bytes('empty'))?.length).toBe(0)
    expect(hexOf(backend.get('key', longKey)!)).toBe(hexOf(bytes('long')))
    await backend.close()
  })

  test('a key that LMDB could not hold is refused before anything is queued', async () => {
    const backend = await lmdb().open(join(folder, 'db'))
    const batch = backend.beginBatch()
    expect(() => {
      batch.put('key', new Uint8Array(1_901), bytes('x'))
    }).toThrow('fits the store')
    expect(() => {
      batch.put('key', new Uint8Array(0), bytes('x'))
    }).toThrow('fits the store')
    backend.commitBatch(batch)
    await backend.close()
  })

  test('sizes tell the file and the part in use, and removing makes room inside the file', async () => {
    const backend = await lmdb().open(join(folder, 'db'))
    const keys = Array.from({ length: 3_000 }, (_, number) => bytes(`key${number}`))
    const filled = backend.beginBatch()
    for (const key of keys) filled.put('key', key, new Uint8Array(500))
    backend.commitBatch(filled)
    await backend.flush()
    const before = backend.size()
    expect(before.usedSizeBytes).toBeGreaterThan(1_500_000)
    expect(before.allocatedSizeBytes).toBeGreaterThanOrEqual(before.usedSizeBytes)
    const emptied = backend.beginBatch()
    for (const key of keys) emptied.remove('key', key)
    backend.commitBatch(emptied)
    await backend.flush()
    const after = backend.size()
    expect(after.usedSizeBytes).toBeLessThan(200_000)
    expect(after.allocatedSizeBytes).toBeGreaterThanOrEqual(before.allocatedSizeBytes)
    await backend.close()
  })
})

describe.each([
  ['LMDB', lmdb],
  ['memory', () => new MemoryBackendFactory()],
])('building (%s)', (_name, makeFactory) => {
  async function filled(factory: BackendFactory): Promise<Backend> {
    const backend = await factory.open(join(folder, 'source'))
    for (let batchNumber = 0; batchNumber < 5; batchNumber++) {
      const batch = backend.beginBatch()
      for (let number = 0; number < 300; number++) {
        batch.put('key', bytes(`key-${batchNumber}-${number}`), new Uint8Array(700).fill(number))
      }
      batch.put('meta', bytes(`meta${batchNumber}`), new Uint8Array(0))
      backend.commitBatch(batch)
    }
    const batch = backend.beginBatch()
    batch.put('auth', bytes('big'), new Uint8Array(300_000).fill(3))
    backend.commitBatch(batch)
    return backend
  }
  const digestOf = (reader: BackendReader): string[] =>
    (['key', 'meta', 'auth'] as const).flatMap((bucket) => contentOf(reader, bucket))
  const copyInto = async (source: BackendReader, target: Backend): Promise<void> => {
    for (const bucket of ['key', 'meta', 'auth'] as const) {
      const batch = target.beginBatch()
      for (const { key, value } of source.scan(bucket, {})) batch.put(bucket, key, value)
      target.commitBatch(batch)
      await target.waitForRoom()
    }
  }

  test('a backend that is built holds what it was filled with, however much that is', async () => {
    const factory = makeFactory()
    const source = await filled(factory)
    const expected = digestOf(source)
    await factory.build(join(folder, 'copy'), (backend) => copyInto(source, backend))
    const copy = await factory.open(join(folder, 'copy'))
    expect(digestOf(copy)).toEqual(expected)
    await copy.close()
    await source.close()
  })

  test('one that was built replaces the old content when it is put in place', async () => {
    const factory = makeFactory()
    const source = await filled(factory)
    const expected = digestOf(source)
    const old = await factory.open(join(folder, 'target'))
    const batch = old.beginBatch()
    batch.put('key', bytes('old'), bytes('x'))
    old.commitBatch(batch)
    await old.close()
    await factory.build(join(folder, 'incoming'), (backend) => copyInto(source, backend))
    await factory.replace({
      sourceDirectory: join(folder, 'incoming'),
      targetDirectory: join(folder, 'target'),
    })
    const replaced = await factory.open(join(folder, 'target'))
    expect(digestOf(replaced)).toEqual(expected)
    await replaced.close()
    await source.close()
    await factory.remove(join(folder, 'target'))
    const empty = await factory.open(join(folder, 'target'))
    expect(digestOf(empty)).toEqual([])
    await empty.close()
  })

  test('one that could not be filled is gone', async () => {
    const factory = makeFactory()
    const failing = factory.build(join(folder, 'bad'), (backend) => {
      const batch = backend.beginBatch()
      batch.put('key', bytes('half'), bytes('x'))
      backend.commitBatch(batch)
      return Promise.reject(new Error('the rest is missing'))
    })
    await expect(failing).rejects.toThrow('the rest is missing')
    const empty = await factory.open(join(folder, 'bad'))
    expect(digestOf(empty)).toEqual([])
    await empty.close()
  })
})
