import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Backend, BackendFactory, BackendReader } from '../../src/core/backend/backend.ts'
import { encodeUint64 } from '../../src/core/backend/buckets.ts'
import { LmdbBackendFactory } from '../../src/core/backend/lmdb-backend-factory.ts'
import { MemoryBackendFactory } from '../../src/core/backend/memory-backend.ts'
import { hexOf } from '../../src/core/base/bytes.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-defragment-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const place = (name: string): string => join(folder, name)

function put(backend: Backend, from: number, to: number): void {
  const batch = backend.beginBatch()
  for (let number = from; number < to; number++) {
    batch.put('key', encodeUint64(number), new Uint8Array(500).fill(number))
  }
  backend.commitBatch(batch)
}

function remove(backend: Backend, from: number, to: number): void {
  const batch = backend.beginBatch()
  for (let number = from; number < to; number++) batch.remove('key', encodeUint64(number))
  backend.commitBatch(batch)
}

function contentOf(reader: BackendReader): string[] {
  return [...reader.scan('key', {})].map(({ key, value }) => `${hexOf(key)}=${hexOf(value)}`)
}

/** 20,000 records of which every tenth is kept. */
async function fillWithGaps(backend: Backend): Promise<void> {
  for (let from = 0; from < 20_000; from += 2_000) put(backend, from, from + 2_000)
  await backend.flush()
  for (let from = 0; from < 20_000; from += 2_000) remove(backend, from, from + 1_800)
  await backend.flush()
}

const alwaysWanted = (): Promise<boolean> => Promise.resolve(true)

describe.each<[string, () => BackendFactory]>([
  ['LMDB', () => new LmdbBackendFactory({ clock: systemClock })],
  ['memory', () => new MemoryBackendFactory()],
])('a %s backend that is defragmented', (_name, factoryOf) => {
  test('holds the same records in less room, here and when it is opened again', async () => {
    const factory = factoryOf()
    const backend = await factory.open(place('old'))
    await fillWithGaps(backend)
    const before = backend.size()
    const content = contentOf(backend)
    const moved = await backend.defragment({ directory: place('new'), publish: alwaysWanted })
    await moved?.oldClosed
    expect(moved).toBeDefined()
    expect(backend.size().allocatedSizeBytes).toBeLessThan(before.allocatedSizeBytes / 4)
    expect(contentOf(backend)).toEqual(content)
    put(backend, 30_000, 30_001)
    await backend.close()
    const reopened = await factory.open(place('new'))
    expect(contentOf(reopened)).toHaveLength(content.length + 1)
    await reopened.close()
  })

  test('loses nothing that is written meanwhile', async () => {
    const factory = factoryOf()
    const backend = await factory.open(place('old'))
    await fillWithGaps(backend)
    let isDone = false
    const isOver = (): boolean => isDone
    const done = backend
      .defragment({ directory: place('new'), publish: alwaysWanted })
      .finally(() => {
        isDone = true
      })
    let number = 40_000
    const expected = new Set(contentOf(backend).map((line) => line.slice(0, 16)))
    while (number < 40_200 || !isOver()) {
      put(backend, number, number + 3)
      // The first of three is removed once it has surely been written.
      if (number >= 40_100) remove(backend, number - 60, number - 59)
      number += 3
      await backend.waitForRoom()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await done
    const live = contentOf(backend)
    for (const key of expected) expect(live.some((line) => line.startsWith(key))).toBe(true)
    await backend.close()
    const reopened = await factory.open(place('new'))
    expect(contentOf(reopened)).toEqual(live)
    await reopened.close()
  })

  test('leaves an open view what it saw', async () => {
    const factory = factoryOf()
    const backend = await factory.open(place('old'))
    await fillWithGaps(backend)
    const content = contentOf(backend)
    const view = backend.openView()
    const moved = await backend.defragment({ directory: place('new'), publish: alwaysWanted })
    remove(backend, 0, 20_000)
    await backend.flush()
    expect(contentOf(view)).toEqual(content)
    expect(contentOf(backend)).toEqual([])
    view.close()
    await moved?.oldClosed
    await backend.close()
  })

  test('stays where it is when the new place is not wanted any more', async () => {
    const factory = factoryOf()
    const backend = await factory.open(place('old'))
    put(backend, 0, 100)
    const moved = await backend.defragment({
      directory: place('new'),
      publish: () => Promise.resolve(false),
    })
    expect(moved).toBeUndefined()
    put(backend, 100, 200)
    await backend.close()
    const reopened = await factory.open(place('old'))
    expect(contentOf(reopened)).toHaveLength(200)
    await reopened.close()
  })
})

describe('an LMDB backend', () => {
  test('gives nothing to the old place once the new one is being put in force', async () => {
    const factory = new LmdbBackendFactory({ clock: systemClock })
    const backend = await factory.open(place('old'))
    put(backend, 0, 100)
    let durableMeanwhile = false
    await backend.defragment({
      directory: place('new'),
      publish: async () => {
        put(backend, 100, 200)
        void backend.flush().then(() => {
          durableMeanwhile = true
        })
        await new Promise((resolve) => setTimeout(resolve, 100))
        expect(durableMeanwhile).toBe(false)
        return true
      },
    })
    await backend.close()
    const reopened = await factory.open(place('new'))
    expect(contentOf(reopened)).toHaveLength(200)
    await reopened.close()
  })

  test('ends with a fault when it is unknown which place is in force', async () => {
    const backend = await new LmdbBackendFactory({ clock: systemClock }).open(place('old'))
    put(backend, 0, 100)
    const faults: string[] = []
    backend.onFault((fault) => faults.push(fault.message))
    const move = backend.defragment({
      directory: place('new'),
      publish: () => Promise.reject(new Error('the pointer was not written')),
    })
    await expect(move).rejects.toThrow('the pointer was not written')
    expect(faults).toEqual(['the database could not be written: the pointer was not written'])
    put(backend, 100, 101)
    await expect(backend.flush()).rejects.toThrow('could not be written')
  })

  test('goes on where it is when the copy cannot be made', async () => {
    const backend = await new LmdbBackendFactory({ clock: systemClock }).open(place('old'))
    put(backend, 0, 100)
    // The place is taken.
    await backend.flush()
    const move = backend.defragment({ directory: place('old'), publish: alwaysWanted })
    await expect(move).rejects.toThrow()
    put(backend, 100, 200)
    await backend.flush()
    expect(contentOf(backend)).toHaveLength(200)
    await backend.close()
  })

  test('that is closed while it is copied closes where it is', async () => {
    const factory = new LmdbBackendFactory({ clock: systemClock })
    const backend = await factory.open(place('old'))
    await fillWithGaps(backend)
    const content = contentOf(backend)
    const move = backend.defragment({ directory: place('new'), publish: alwaysWanted })
    await backend.close()
    expect(await move).toBeUndefined()
    expect(statSync(join(place('old'), 'data.mdb')).size).toBeGreaterThan(0)
    const reopened = await factory.open(place('old'))
    expect(contentOf(reopened)).toEqual(content)
    await reopened.close()
  })
})
