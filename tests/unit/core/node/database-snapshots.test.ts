import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import { DatabaseSnapshots } from '../../../../src/core/node/database-snapshots.ts'
import type { StateMachine } from '../../../../src/core/node/state-machine.ts'
import { MemoryFileSystem } from '../../../helpers/memory-file-system.ts'
import { contentOf, openedFile } from '../bolt/bolt-files.ts'
import { stillClock, StoreUnderTest } from '../mvcc/store-model.ts'

const directory = '/member/snap'

interface Fixture {
  readonly subject: StoreUnderTest
  readonly fileSystem: MemoryFileSystem
  readonly snapshots: DatabaseSnapshots
  /** How often the database was read. */
  readonly reads: () => number
}

async function makeFixture(): Promise<Fixture> {
  const subject = await StoreUnderTest.make()
  const fileSystem = new MemoryFileSystem()
  await fileSystem.makeDirectory(directory)
  let readCount = 0
  const machine = {
    withDatabase: async (read: (state: { backend: unknown }) => Promise<unknown>) => {
      readCount++
      return read({ backend: subject.backend })
    },
  } as unknown as Pick<StateMachine, 'withDatabase'>
  const snapshots = new DatabaseSnapshots(
    { clock: stillClock, logger: silentLogger, fileSystem, machine },
    { directory, storageVersion: () => '3.6.0' },
  )
  return { subject, fileSystem, snapshots, reads: () => readCount }
}

/** Lets everything run that waits for nothing from outside. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve()
}

describe('DatabaseSnapshots', () => {
  test('a file holds what was there when it was asked for, and is gone after its release', async () => {
    const { subject, fileSystem, snapshots } = await makeFixture()
    subject.put('k', 'value')
    const snapshot = await snapshots.take()
    expect(snapshot.storageVersion).toBe('3.6.0')
    const bytes = await snapshot.read(0, snapshot.sizeBytes)
    const content = await contentOf(await openedFile(bytes))
    expect(content.get('key')!.size).toBe(1)
    expect([...fileSystem.files.keys()]).toEqual([`${directory}/snapshot-1.db.tmp`])
    snapshot.release()
    snapshot.release()
    await settle()
    expect(fileSystem.files.size).toBe(0)
    expect(fileSystem.openHandleCount).toBe(0)
  })

  test('who asks while one is written shares the next with all the others', async () => {
    const { fileSystem, snapshots, reads } = await makeFixture()
    const first = snapshots.take()
    for (let turn = 0; reads() === 0 && turn < 100; turn++) await Promise.resolve()
    const others = Array.from({ length: 100 }, () => snapshots.take())
    const all = await Promise.all([first, ...others])
    expect(reads()).toBe(2)
    expect(fileSystem.files.size).toBe(2)
    for (const snapshot of all) snapshot.release()
    await settle()
    expect(fileSystem.files.size).toBe(0)
  })

  test('a file that cannot be written fails its callers only, and leaves nothing behind', async () => {
    const { fileSystem, snapshots } = await makeFixture()
    fileSystem.onOperation = (operation) => {
      if (operation.kind === 'write') throw new Error('no space left on device')
    }
    await expect(snapshots.take()).rejects.toThrow('no space left on device')
    fileSystem.onOperation = undefined
    await settle()
    expect(fileSystem.files.size).toBe(0)
    expect(fileSystem.openHandleCount).toBe(0)
    const next = await snapshots.take()
    expect(next.sizeBytes).toBeGreaterThan(0)
    next.release()
  })

  test('files of a process that died are removed at the start, and nothing else', async () => {
    const { fileSystem, snapshots } = await makeFixture()
    fileSystem.files.set(`${directory}/snapshot-12.db.tmp`, new Uint8Array(1))
    fileSystem.files.set(`${directory}/0000000000000001-0000000000000001.snap`, new Uint8Array(1))
    await snapshots.removeLeftovers()
    expect([...fileSystem.files.keys()]).toEqual([
      `${directory}/0000000000000001-0000000000000001.snap`,
    ])
  })

  test('nothing is written any more once it is halted', async () => {
    const { snapshots, reads } = await makeFixture()
    snapshots.halt()
    await expect(snapshots.take()).rejects.toMatchObject({ code: 'stopped' })
    expect(reads()).toBe(0)
  })
})
