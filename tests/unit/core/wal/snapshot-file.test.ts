import { describe, expect, test } from 'vitest'
import { hexOf } from '../../../../src/core/base/bytes.ts'
import { nodeId } from '../../../../src/core/base/ids.ts'
import { StorageFault } from '../../../../src/core/errors/storage-fault.ts'
import type { Snapshot } from '../../../../src/core/raft/message.ts'
import type { WalPosition } from '../../../../src/core/wal/log-contents.ts'
import {
  decodeSnapshotFile,
  encodeSnapshotFile,
  loadNewestSnapshotFile,
  purgeSnapshotFiles,
  saveSnapshotFile,
} from '../../../../src/core/wal/snapshot-file.ts'
import { MemoryFileSystem } from '../../../helpers/memory-file-system.ts'

const directory = '/data/member/snap'

function snapshotAt(index: number, term: number): Snapshot {
  const confState = {
    voters: [nodeId(1n), nodeId(2n)],
    learners: [nodeId(3n)],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  }
  return {
    data: new TextEncoder().encode(`state at ${index}`),
    metadata: { index, term, confState },
  }
}

const fileName = (index: number, term: number): string =>
  `${directory}/${term.toString(16).padStart(16, '0')}-${index.toString(16).padStart(16, '0')}.snap`

async function directoryOf(...snapshots: readonly Snapshot[]): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem()
  for (const snapshot of snapshots) await saveSnapshotFile(fileSystem, directory, snapshot)
  return fileSystem
}

describe('a snapshot file', () => {
  test('has these bytes', () => {
    const snapshot = { ...snapshotAt(300, 2), data: new Uint8Array([0xaa]) }
    expect(hexOf(encodeSnapshotFile(snapshot))).toBe(
      '08' +
        '8ac3aeb507' +
        '1214' +
        '0a01aa' +
        '120f' +
        '0a08' +
        '08010802' +
        '1003' +
        '2800' +
        '10ac02' +
        '1802',
    )
    expect(decodeSnapshotFile(encodeSnapshotFile(snapshot))).toEqual(snapshot)
  })

  test('with any bit changed is not taken for a snapshot', () => {
    const bytes = encodeSnapshotFile(snapshotAt(300, 2))
    for (let position = 0; position < bytes.length * 8; position++) {
      const damaged = bytes.slice()
      damaged[position >> 3] = damaged[position >> 3]! ^ (1 << (position & 7))
      expect(decodeSnapshotFile(damaged)).toBeUndefined()
    }
  })

  test('cut anywhere is not taken for a snapshot', () => {
    const bytes = encodeSnapshotFile(snapshotAt(300, 2))
    for (let size = 0; size < bytes.length; size++)
      expect(decodeSnapshotFile(bytes.subarray(0, size))).toBeUndefined()
  })
})

describe('saveSnapshotFile', () => {
  test('gives the file its name only when its content is durable, and makes the name durable', async () => {
    const fileSystem = await directoryOf(snapshotAt(5, 1))
    expect(fileSystem.operations.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      `truncate ${fileName(5, 1)}.tmp`,
      `write ${fileName(5, 1)}.tmp`,
      `sync ${fileName(5, 1)}.tmp`,
      `rename ${fileName(5, 1)}`,
      `syncDirectory ${directory}`,
    ])
    expect(fileSystem.openHandleCount).toBe(0)
  })

  test('a failed sync is a fault that names the file', async () => {
    const fileSystem = new MemoryFileSystem()
    fileSystem.onOperation = ({ kind }) => {
      if (kind === 'sync') throw new Error('input/output error')
    }
    const outcome = await saveSnapshotFile(fileSystem, directory, snapshotAt(5, 1)).catch(
      (error: unknown) => error,
    )
    expect(outcome).toBeInstanceOf(StorageFault)
    expect((outcome as StorageFault).path).toBe(fileName(5, 1))
    expect(fileSystem.files.has(fileName(5, 1))).toBe(false)
  })
})

describe('loadNewestSnapshotFile', () => {
  const known = ['5/1', '9/2']
  const isUsable = (position: WalPosition): Promise<boolean> =>
    Promise.resolve(known.includes(`${position.index}/${position.term}`))

  test('takes the newest that the log knows of', async () => {
    const fileSystem = await directoryOf(snapshotAt(5, 1), snapshotAt(9, 2), snapshotAt(12, 2))
    expect(await loadNewestSnapshotFile(fileSystem, directory, { isUsable })).toEqual(
      snapshotAt(9, 2),
    )
  })

  test('passes over a damaged one and keeps it under another name', async () => {
    const fileSystem = await directoryOf(snapshotAt(5, 1), snapshotAt(9, 2))
    fileSystem.files.set(fileName(9, 2), new Uint8Array([1, 2, 3]))
    expect(await loadNewestSnapshotFile(fileSystem, directory, { isUsable })).toEqual(
      snapshotAt(5, 1),
    )
    expect(fileSystem.files.has(`${fileName(9, 2)}.broken`)).toBe(true)
    expect(fileSystem.files.has(fileName(9, 2))).toBe(false)
  })

  test('does not believe a name that the content contradicts', async () => {
    const fileSystem = await directoryOf(snapshotAt(5, 1))
    fileSystem.files.set(fileName(9, 2), fileSystem.files.get(fileName(5, 1))!)
    expect(await loadNewestSnapshotFile(fileSystem, directory, { isUsable })).toEqual(
      snapshotAt(5, 1),
    )
  })

  test('finds nothing where there is nothing', async () => {
    expect(
      await loadNewestSnapshotFile(new MemoryFileSystem(), directory, { isUsable }),
    ).toBeUndefined()
    const fileSystem = await directoryOf(snapshotAt(12, 2))
    expect(await loadNewestSnapshotFile(fileSystem, directory, { isUsable })).toBeUndefined()
  })
})

describe('purgeSnapshotFiles', () => {
  test('leaves the newest five', async () => {
    const fileSystem = await directoryOf(
      ...Array.from({ length: 8 }, (_, at) => snapshotAt(at + 1, 1)),
    )
    const purged = await purgeSnapshotFiles(fileSystem, directory)
    expect(purged.length).toBe(3)
    expect(fileSystem.files.has(fileName(3, 1))).toBe(false)
    expect(fileSystem.files.has(fileName(4, 1))).toBe(true)
  })
})
