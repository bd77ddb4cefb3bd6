import { describe, expect, test } from 'vitest'
import { readAppliedState } from '../../../../src/core/apply/applied-index.ts'
import type { Backend } from '../../../../src/core/backend/backend.ts'
import { MemoryBackendFactory } from '../../../../src/core/backend/memory-backend.ts'
import { nodeId } from '../../../../src/core/base/ids.ts'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import { StorageFault } from '../../../../src/core/errors/storage-fault.ts'
import { DatabaseFolder } from '../../../../src/core/node/database-folder.ts'
import { writeDatabaseFile } from '../../../../src/core/snapshot/database-export.ts'
import { MemoryFileSystem } from '../../../helpers/memory-file-system.ts'
import { stillClock } from '../mvcc/store-model.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const key = bytes('name')

function write(backend: Backend, value: string): void {
  const batch = backend.beginBatch()
  batch.put('auth', key, bytes(value))
  backend.commitBatch(batch)
}
const read = (backend: Backend): string => new TextDecoder().decode(backend.get('auth', key))

/** The database file that holds this value, in chunks. */
async function chunksOf(value: string): Promise<AsyncIterable<Uint8Array>> {
  const factory = new MemoryBackendFactory()
  const backend = await factory.open('/other')
  write(backend, value)
  const fileSystem = new MemoryFileSystem()
  const file = await fileSystem.open('/file', { create: true })
  await writeDatabaseFile(backend.openView(), file, {
    clock: stillClock,
    storageVersion: undefined,
    assertWanted: () => undefined,
  })
  const content = fileSystem.files.get('/file')!
  return (async function* () {
    for (let offset = 0; offset < content.length; offset += 5_000) {
      yield await Promise.resolve(content.subarray(offset, offset + 5_000))
    }
  })()
}

const confState = {
  voters: [nodeId(1n)],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
}

function machine() {
  const parts = {
    fileSystem: new MemoryFileSystem(),
    factory: new MemoryBackendFactory(),
    logger: silentLogger,
  }
  return { ...parts, open: () => DatabaseFolder.open(parts, '/db') }
}

describe('DatabaseFolder', () => {
  test('keeps its database over a restart', async () => {
    const { open } = machine()
    const first = await (await open()).openLive()
    write(first, 'mine')
    await first.close()
    expect(read(await (await open()).openLive())).toBe('mine')
  })

  test('goes on with the old database until the received one is put in force', async () => {
    const { open } = machine()
    const folder = await open()
    const old = await folder.openLive()
    write(old, 'old')
    await folder.receive({ index: 7, term: 1, confState, appliedIndex: 0 }, await chunksOf('new'))
    await old.close()
    const restarted = await open()
    expect(restarted.hasReceived(7)).toBe(true)
    expect(read(await restarted.openLive())).toBe('old')
    expect(read(await restarted.switchTo(7))).toBe('new')
  })

  test('is on the new database after a restart that follows the switch', async () => {
    const { open } = machine()
    const folder = await open()
    await folder.receive({ index: 7, term: 1, confState, appliedIndex: 0 }, await chunksOf('new'))
    await (await folder.switchTo(7)).close()
    const restarted = await open()
    expect(restarted.hasReceived(7)).toBe(false)
    expect(read(await restarted.openLive())).toBe('new')
  })

  test('keeps the newer of two received databases when the older is put in force', async () => {
    const { open } = machine()
    const folder = await open()
    await folder.receive({ index: 7, term: 1, confState, appliedIndex: 0 }, await chunksOf('seven'))
    await folder.receive({ index: 9, term: 1, confState, appliedIndex: 0 }, await chunksOf('nine'))
    const seven = await folder.switchTo(7)
    expect(read(seven)).toBe('seven')
    await seven.close()
    expect(read(await folder.switchTo(9))).toBe('nine')
  })

  test('forgets what was received and is not ahead any more', async () => {
    const { open } = machine()
    const folder = await open()
    await folder.receive({ index: 7, term: 1, confState, appliedIndex: 0 }, await chunksOf('seven'))
    await folder.receive({ index: 9, term: 1, confState, appliedIndex: 8 }, await chunksOf('nine'))
    expect([folder.hasReceived(7), folder.hasReceived(9)]).toEqual([false, true])
  })

  test('refuses a switch to what was never received', async () => {
    const { open } = machine()
    await expect((await open()).switchTo(7)).rejects.toThrow(StorageFault)
  })

  test('is not changed by a transfer that ends early', async () => {
    const { open } = machine()
    const folder = await open()
    const broken = (async function* () {
      for await (const chunk of await chunksOf('new')) yield chunk.subarray(0, chunk.length - 1)
    })()
    await expect(
      folder.receive({ index: 7, term: 1, confState, appliedIndex: 0 }, broken),
    ).rejects.toThrow(StorageFault)
    expect(folder.hasReceived(7)).toBe(false)
  })

  test('takes a received database as being at the index of its snapshot', async () => {
    const { open, fileSystem } = machine()
    const folder = await open()
    await folder.receive({ index: 7, term: 3, confState, appliedIndex: 0 }, await chunksOf('new'))
    expect([...fileSystem.files.keys()]).toEqual(['/db/CURRENT'])
    expect(readAppliedState(await folder.switchTo(7))).toEqual({ index: 7, term: 3, confState })
  })

  test('removes at a start the file of a transfer that a dead process left', async () => {
    const { open, fileSystem } = machine()
    const folder = await open()
    fileSystem.files.set('/db/data-0002.snap.db.tmp', bytes('half a file'))
    await folder.forgetReceived()
    expect([...fileSystem.files.keys()]).toEqual(['/db/CURRENT'])
  })

  test.each([
    '',
    '{',
    '[]',
    '{"live":1}',
    '{"live":"1","received":[]}',
    '{"live":1,"received":[{}]}',
  ])('refuses the pointer file %j', async (text) => {
    const { open, fileSystem } = machine()
    await open()
    fileSystem.files.set('/db/CURRENT', bytes(text))
    await expect(open()).rejects.toThrow(StorageFault)
  })

  test('has either the old or the new pointer when the machine dies at any call', async () => {
    for (let survived = 0; survived < 12; survived++) {
      const { open, fileSystem } = machine()
      const folder = await open()
      await folder.receive({ index: 7, term: 1, confState, appliedIndex: 0 }, await chunksOf('new'))
      let calls = 0
      fileSystem.onOperation = () => {
        if (calls++ >= survived) throw new Error('the power failed')
      }
      const outcome = await folder.switchTo(7).then(
        () => 'switched',
        () => 'died',
      )
      fileSystem.onOperation = undefined
      const restarted = await open()
      if (outcome === 'switched') expect(restarted.hasReceived(7)).toBe(false)
      else if (restarted.hasReceived(7)) expect(read(await restarted.switchTo(7))).toBe('new')
      else expect(read(await restarted.openLive())).toBe('new')
    }
  })

  test('moves its database to another place, and finds it there after a restart', async () => {
    const { open, factory } = machine()
    const folder = await open()
    const backend = await folder.openLive()
    write(backend, 'mine')
    expect(await folder.defragment(backend)).toBe(2)
    expect(folder.liveNumber).toBe(2)
    expect(factory.findOpen('/db/data-0001')).toBeUndefined()
    write(backend, 'mine later')
    await backend.close()
    expect(read(await (await open()).openLive())).toBe('mine later')
  })

  test('gives a move up when a received database was put in force meanwhile', async () => {
    const { open } = machine()
    const folder = await open()
    const backend = await folder.openLive()
    write(backend, 'old')
    await folder.receive(
      { index: 7, term: 1, confState, appliedIndex: 0 },
      await chunksOf('received'),
    )
    const switching = folder.switchTo(7)
    expect(await folder.defragment(backend)).toBeUndefined()
    expect(read(await switching)).toBe('received')
    expect(folder.liveNumber).toBe(2)
    await backend.close()
  })

  test('keeps the old place when the copy fails, and says why', async () => {
    const { open } = machine()
    const folder = await open()
    const backend = await folder.openLive()
    write(backend, 'old')
    backend.defragment = () => Promise.reject(new Error('no space left'))
    await expect(folder.defragment(backend)).rejects.toThrow(
      'the database was not defragmented: no space left',
    )
    expect(folder.liveNumber).toBe(1)
    expect(read(backend)).toBe('old')
  })
})
