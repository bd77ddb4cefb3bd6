import { describe, expect, test } from 'vitest'
import { MemoryBackendFactory } from '../../../../src/core/backend/memory-backend.ts'
import type { Backend, BackendReader } from '../../../../src/core/backend/backend.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value)
const contentOf = (reader: BackendReader): string[] =>
  [...reader.scan('key', {})].map((record) => `${textOf(record.key)}=${textOf(record.value)}`)

function put(backend: Backend, key: string, value: string): void {
  const batch = backend.beginBatch()
  batch.put('key', bytes(key), bytes(value))
  backend.commitBatch(batch)
}

/** A factory whose flushes wait until the test runs them. */
function heldFactory(): { factory: MemoryBackendFactory; runFlushes: () => void } {
  const held: (() => void)[] = []
  const factory = new MemoryBackendFactory({ scheduleFlush: (flush) => held.push(flush) })
  return {
    factory,
    runFlushes: () => {
      for (const flush of held.splice(0)) flush()
    },
  }
}

describe('MemoryBackend', () => {
  test('a batch sees its own changes and nobody else does before it is committed', async () => {
    const backend = await new MemoryBackendFactory().open('disk')
    put(backend, 'a', '1')
    const batch = backend.beginBatch()
    batch.put('key', bytes('b'), bytes('2'))
    batch.remove('key', bytes('a'))
    expect(contentOf(batch)).toEqual(['b=2'])
    expect(batch.get('key', bytes('a'))).toBeUndefined()
    expect(contentOf(backend)).toEqual(['a=1'])
    backend.commitBatch(batch)
    expect(contentOf(backend)).toEqual(['b=2'])
  })

  test('a crash keeps what was flushed and the chosen prefix of later batches', async () => {
    const { factory, runFlushes } = heldFactory()
    const first = await factory.open('disk')
    put(first, 'a', '1')
    runFlushes()
    put(first, 'b', '2')
    put(first, 'c', '3')
    put(first, 'd', '4')
    expect(first.unflushedBatchCount).toBe(3)
    first.crash({ keptBatchCount: 2 })
    expect(contentOf(await factory.open('disk'))).toEqual(['a=1', 'b=2', 'c=3'])
  })

  test('a flush covers the batches committed before it began, and waits for those committed before the call', async () => {
    const { factory, runFlushes } = heldFactory()
    const backend = await factory.open('disk')
    put(backend, 'a', '1')
    put(backend, 'b', '2')
    let isFlushed = false
    const flushed = backend.flush().then(() => (isFlushed = true))
    runFlushes()
    await Promise.resolve()
    expect(isFlushed).toBe(false)
    expect(backend.unflushedBatchCount).toBe(1)
    runFlushes()
    await flushed
    expect(backend.unflushedBatchCount).toBe(0)
  })

  test('a view stays as it was while the store goes on', async () => {
    const backend = await new MemoryBackendFactory().open('disk')
    put(backend, 'a', '1')
    const view = backend.openView()
    put(backend, 'a', '2')
    put(backend, 'b', '3')
    expect(contentOf(view)).toEqual(['a=1'])
    view.close()
    expect(() => view.get('key', bytes('a'))).toThrow('closed view')
    expect(contentOf(backend)).toEqual(['a=2', 'b=3'])
  })

  test('a failed write reaches the listener and everyone who waits', async () => {
    const { factory } = heldFactory()
    const backend = await factory.open('disk')
    const faults: Error[] = []
    backend.onFault((fault) => faults.push(fault))
    put(backend, 'a', '1')
    const flushed = backend.flush()
    backend.failWrites(new Error('disk gone'))
    await expect(flushed).rejects.toThrow('could not be written')
    await expect(backend.flush()).rejects.toThrow('could not be written')
    expect(faults).toHaveLength(1)
  })

  test('room returns when enough is flushed', async () => {
    const held: (() => void)[] = []
    const factory = new MemoryBackendFactory({
      scheduleFlush: (flush) => held.push(flush),
      unflushedChangeCountMax: 1,
    })
    const backend = await factory.open('disk')
    await backend.waitForRoom()
    put(backend, 'a', '1')
    let hasRoom = false
    const room = backend.waitForRoom().then(() => (hasRoom = true))
    await Promise.resolve()
    expect(hasRoom).toBe(false)
    held.shift()?.()
    await room
  })

  test('a second opening of an open directory is a bug', async () => {
    const factory = new MemoryBackendFactory()
    await factory.open('disk')
    expect(() => factory.open('disk')).toThrow('once at a time')
  })
})
