import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hexOf } from '../../../../src/core/base/bytes.ts'
import { clusterId, nodeId } from '../../../../src/core/base/ids.ts'
import type { LogFields, Logger } from '../../../../src/core/base/logger.ts'
import { StorageFault } from '../../../../src/core/errors/storage-fault.ts'
import type { Entry, HardState } from '../../../../src/core/raft/message.ts'
import { hasWriteAheadLog, WriteAheadLog } from '../../../../src/core/wal/write-ahead-log.ts'
import { MemoryFileSystem } from '../../../helpers/memory-file-system.ts'

const directory = '/data/member/wal'
const firstSegment = `${directory}/0000000000000000-0000000000000000.wal`
const metadata = { nodeId: nodeId(0x667880157b8812c8n), clusterId: clusterId(0xdc50b8daae93b3e0n) }
const durably = { mustSync: true } as const

function entry(index: number, term: number, text = `entry ${index} of term ${term}`): Entry {
  return { index, term, kind: 'normal', data: new TextEncoder().encode(text) }
}

function entries(first: number, last: number, term: number): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, position) => entry(first + position, term))
}

/** Entries as text: comparing byte arrays element by element would take most of the time of these tests. */
function textOf(list: readonly Entry[]): string {
  return list
    .map(({ index, term, kind, data }) => `${index} ${term} ${kind} ${hexOf(data)}`)
    .join('\n')
}

function state(term: number, commit: number): HardState {
  return { term, vote: metadata.nodeId, commit }
}

const noConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
}
const oneVoter = { ...noConfState, voters: [metadata.nodeId] }

async function faultOf(work: Promise<unknown>): Promise<StorageFault> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(outcome).toBeInstanceOf(StorageFault)
  return outcome as StorageFault
}

/** Saves the batches one after the other and closes. */
async function logOf(
  fileSystem: MemoryFileSystem,
  batches: readonly { state?: HardState; entries: readonly Entry[] }[],
  segmentSizeBytes = 8_000,
): Promise<void> {
  const log = await WriteAheadLog.create(fileSystem, directory, metadata, { segmentSizeBytes })
  for (const batch of batches) await log.save(batch.state, batch.entries, durably)
  await log.close()
}

async function reopen(fileSystem: MemoryFileSystem, options: { segmentSizeBytes?: number } = {}) {
  const contents = await WriteAheadLog.open(fileSystem, directory, {
    segmentSizeBytes: 8_000,
    ...options,
  })
  await contents.log.close()
  return contents
}

describe('WriteAheadLog.create', () => {
  test('begins a log with the bytes that etcd begins with', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, [])
    // Taken from the first segment of etcd 3.4.23 with these ids.
    expect(hexOf(fileSystem.files.get(firstSegment)!.subarray(0, 0x50))).toBe(
      '04000000000000840804100000000000' +
        '1f00000000000081080110eac9d2fc091a1508c8a5a0dcd782a0bc6610e0e7cef4aa9baea8dc0100' +
        '0e00000000000082080510ceb2b2a3051a04080010000000',
    )
  })

  test('writes entries and hard states with the bytes that etcd writes', async () => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata)
    const change = Buffer.from(
      '0800100018c8a5a0dcd782a0bc66224b7b226964223a373338333739323431383832393131323030382c227065657255524c73223a' +
        '5b22687474703a2f2f3132372e302e302e313a3432333830225d2c226e616d65223a2261227d',
      'hex',
    )
    await log.save(
      { term: 1, vote: nodeId(0n), commit: 1 },
      [{ index: 1, term: 1, kind: 'confChange', data: change }],
      durably,
    )
    await log.save(
      { term: 2, vote: metadata.nodeId, commit: 2 },
      [{ index: 2, term: 2, kind: 'normal', data: new Uint8Array(0) }],
      durably,
    )
    await log.close()
    expect(hexOf(fileSystem.files.get(firstSegment)!.subarray(0x50, 0x118))).toBe(
      '6c00000000000084080210f9baa26f1a6308011001180122' +
        '5b' +
        hexOf(change) +
        '00000000' +
        '1000000000000000080310f684cea9051a06080110001801' +
        '1000000000000000080210bb84cff7031a06080010021802' +
        '1800000000000000080310dba6f1d8041a0e080210c8a5a0dcd782a0bc661802',
    )
  })

  test('refuses a directory that has a log already', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, [])
    const fault = await faultOf(WriteAheadLog.create(fileSystem, directory, metadata))
    expect(fault.message).toBe(`there is a write-ahead log in ${directory} already`)
  })

  test('makes names durable: the segment is renamed after its sync, and directories are synced after', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, [])
    const kinds = fileSystem.operations.map((operation) => `${operation.kind} ${operation.path}`)
    const renamedAt = kinds.indexOf(`rename ${firstSegment}`)
    expect(kinds.slice(renamedAt - 1, renamedAt + 4)).toEqual([
      `sync ${directory}/0.tmp`,
      `rename ${firstSegment}`,
      `syncDirectory ${directory}`,
      'syncDirectory /data/member',
      'syncDirectory /data',
    ])
  })

  test('a directory without a segment holds no log', async () => {
    const fileSystem = new MemoryFileSystem()
    expect(await hasWriteAheadLog(fileSystem, directory)).toBe(false)
    await fileSystem.makeDirectory(directory)
    await fileSystem.open(`${directory}/0.tmp`, { create: true })
    expect(await hasWriteAheadLog(fileSystem, directory)).toBe(false)
    await logOf(fileSystem, [])
    expect(await hasWriteAheadLog(fileSystem, directory)).toBe(true)
  })
})

describe('WriteAheadLog.open', () => {
  test('gives back what was saved', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, [
      { state: state(1, 0), entries: entries(1, 3, 1) },
      { state: state(1, 3), entries: entries(4, 5, 1) },
      { state: state(2, 4), entries: [] },
    ])
    const contents = await reopen(fileSystem)
    expect(contents.metadata).toEqual(metadata)
    expect(contents.hardState).toEqual(state(2, 4))
    expect(contents.entries).toEqual(entries(1, 5, 1))
    expect(contents.snapshotMarkers).toEqual([{ index: 0, term: 0, confState: undefined }])
    expect(fileSystem.openHandleCount).toBe(0)
  })

  test('later entries replace earlier ones and all that followed those', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, [
      { state: state(1, 2), entries: entries(1, 6, 1) },
      { state: state(2, 2), entries: entries(4, 5, 2) },
    ])
    const contents = await reopen(fileSystem)
    expect(contents.entries).toEqual([...entries(1, 3, 1), ...entries(4, 5, 2)])
  })

  test('goes on writing where the log ended, over several openings and segments', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, [], 4_096)
    for (let round = 0; round < 10; round++) {
      const { log } = await WriteAheadLog.open(fileSystem, directory, { segmentSizeBytes: 4_096 })
      for (let batch = 0; batch < 5; batch++) {
        const first = round * 50 + batch * 10 + 1
        await log.save(state(1, first - 1), entries(first, first + 9, 1), durably)
      }
      await log.close()
    }
    const contents = await reopen(fileSystem)
    expect(contents.entries).toEqual(entries(1, 500, 1))
    expect(contents.hardState).toEqual(state(1, 490))
    expect(
      (await fileSystem.list(directory)).filter((name) => name.endsWith('.wal')).length,
    ).toBeGreaterThan(5)
    expect(fileSystem.openHandleCount).toBe(0)
  })

  test('starts at a snapshot, skipping what it covers', async () => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata, {
      segmentSizeBytes: 2_048,
    })
    for (let first = 1; first < 100; first += 10) {
      await log.save(state(1, first), entries(first, first + 9, 1), durably)
    }
    await log.saveSnapshotMarker({ index: 60, term: 1, confState: oneVoter })
    await log.save(state(1, 99), entries(101, 101, 1), durably)
    await log.close()
    const contents = await WriteAheadLog.open(fileSystem, directory, {
      snapshot: { index: 60, term: 1 },
    })
    await contents.log.close()
    expect(contents.entries).toEqual(entries(61, 101, 1))
    expect(contents.snapshotMarkers.at(-1)).toEqual({ index: 60, term: 1, confState: oneVoter })
  })

  test('refuses a snapshot that the log has no record of', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, [{ state: state(1, 3), entries: entries(1, 3, 1) }])
    const open = WriteAheadLog.open(fileSystem, directory, { snapshot: { index: 2, term: 1 } })
    const fault = await faultOf(open)
    expect(fault.message).toContain('has no usable record of the snapshot at index 2, term 1')
    expect(fault.path).toBe(directory)
  })

  test('refuses a snapshot of another term', async () => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata)
    await log.save(state(1, 3), entries(1, 3, 1), durably)
    await log.saveSnapshotMarker({ index: 3, term: 1, confState: oneVoter })
    await log.close()
    const fault = await faultOf(
      WriteAheadLog.open(fileSystem, directory, { snapshot: { index: 3, term: 2 } }),
    )
    expect(fault.message).toContain('has no usable record of the snapshot at index 3, term 2')
  })

  test('refuses a segment of another member', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, [{ state: state(1, 1), entries: entries(1, 40, 1) }], 1_024)
    const second = (await fileSystem.list(directory)).find((name) =>
      name.startsWith('0000000000000001'),
    )!
    const bytes = fileSystem.files.get(`${directory}/${second}`)!
    const other = new MemoryFileSystem()
    await WriteAheadLog.create(
      other,
      directory,
      { ...metadata, nodeId: nodeId(1n) },
      { segmentSizeBytes: 1_024 },
    )
    // A segment whose metadata is another's, though its checksums are right.
    const foreign = other.files.get(firstSegment)!
    expect(bytes.length).toBeGreaterThan(0)
    fileSystem.files.set(`${directory}/${second}`, foreign)
    const fault = await faultOf(WriteAheadLog.open(fileSystem, directory))
    expect(fault.path).toBe(`${directory}/${second}`)
  })

  test('refuses a gap between segments', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(
      fileSystem,
      Array.from({ length: 10 }, (_, at) => ({ entries: entries(at * 10 + 1, at * 10 + 10, 1) })),
      1_024,
    )
    const names = (await fileSystem.list(directory)).filter((name) => name.endsWith('.wal'))
    fileSystem.files.delete(`${directory}/${names[2]!}`)
    const fault = await faultOf(WriteAheadLog.open(fileSystem, directory))
    expect(fault.message).toContain(`segments are missing between ${names[1]!} and ${names[3]!}`)
  })

  test('refuses a log whose beginning was purged when no snapshot is given', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(
      fileSystem,
      Array.from({ length: 10 }, (_, at) => ({ entries: entries(at * 10 + 1, at * 10 + 10, 1) })),
      1_024,
    )
    fileSystem.files.delete(firstSegment)
    const fault = await faultOf(WriteAheadLog.open(fileSystem, directory))
    expect(fault.message).toBe(`the log in ${directory} does not reach back to index 0`)
  })

  test('refuses a commit index beyond the last entry', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, [{ state: state(1, 7), entries: entries(1, 3, 1) }])
    const fault = await faultOf(WriteAheadLog.open(fileSystem, directory))
    expect(fault.message).toContain('ends at index 3, before its commit index 7')
  })

  test('removes files prepared for segments that never came to be', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, [])
    await fileSystem.open(`${directory}/1.tmp`, { create: true })
    await reopen(fileSystem)
    expect(fileSystem.files.has(`${directory}/1.tmp`)).toBe(false)
  })
})

describe('a torn tail', () => {
  const saved = [
    { state: state(1, 0), entries: entries(1, 20, 1) },
    {
      state: state(1, 20),
      entries: [entry(21, 1, 'x'.repeat(300)), entry(22, 1, 'y'.repeat(900)), entry(23, 1)],
    },
    { state: state(1, 23), entries: [entry(24, 1, 'z'.repeat(40))] },
  ]
  const all = saved.flatMap((batch) => batch.entries)

  async function sizeAfter(batchCount: number): Promise<number> {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, saved.slice(0, batchCount))
    const bytes = fileSystem.files.get(firstSegment)!
    return bytes.findLastIndex((byte) => byte !== 0) + 1
  }

  async function checkCut(
    damage: (bytes: Uint8Array, offset: number) => Uint8Array,
  ): Promise<void> {
    const whole = new MemoryFileSystem()
    await logOf(whole, saved)
    const secondBatchEnd = Math.ceil((await sizeAfter(2)) / 8) * 8
    const bytes = whole.files.get(firstSegment)!
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1
    const firstBatchEnd = Math.ceil((await sizeAfter(1)) / 8) * 8
    for (let offset = firstBatchEnd; offset <= end; offset++) {
      const fileSystem = whole.clone()
      fileSystem.files.set(firstSegment, damage(bytes, offset))
      const options = { segmentSizeBytes: 8_000 }
      const {
        log,
        entries: found,
        hardState,
      } = await WriteAheadLog.open(fileSystem, directory, options)
      const acknowledged = offset >= end ? 24 : offset >= secondBatchEnd ? 23 : 20
      expect(found.length, `cut at ${offset}`).toBeGreaterThanOrEqual(acknowledged)
      expect(textOf(found)).toBe(textOf(all.slice(0, found.length)))
      expect(hardState?.commit).toBeLessThanOrEqual(found.length)
      // What is written afterwards is read back behind what was kept, and nothing of the torn write shows again.
      await log.save(state(2, found.length), [entry(found.length + 1, 2, 'after')], durably)
      await log.close()
      const again = await reopen(fileSystem)
      expect(textOf(again.entries)).toBe(textOf([...found, entry(found.length + 1, 2, 'after')]))
      expect(again.hardState).toEqual(state(2, found.length))
    }
  }

  test('is cut off wherever the file ends within its last records', async () => {
    await checkCut((bytes, offset) => bytes.slice(0, offset))
  })

  test('is cut off wherever only zeros follow within its last records', async () => {
    await checkCut((bytes, offset) => {
      const cut = bytes.slice()
      cut.fill(0, offset)
      return cut
    })
  })

  /** The log of these batches with each sector of the second batch zeroed in turn. */
  async function openWithHoles(
    batches: typeof saved,
    check: (fileSystem: MemoryFileSystem) => Promise<void>,
  ): Promise<void> {
    const whole = new MemoryFileSystem()
    await logOf(whole, batches)
    const bytes = whole.files.get(firstSegment)!
    const start = Math.ceil((await sizeAfter(1)) / 512) * 512
    const end = await sizeAfter(2)
    expect(end - start).toBeGreaterThan(512)
    for (let sector = start; sector < end; sector += 512) {
      const fileSystem = whole.clone()
      const holed = bytes.slice()
      holed.fill(0, sector, sector + 512)
      fileSystem.files.set(firstSegment, holed)
      await check(fileSystem)
    }
  }

  test('is cut off where a sector of the last write is missing though later ones are there', async () => {
    await openWithHoles(saved.slice(0, 2), async (fileSystem) => {
      const contents = await reopen(fileSystem)
      expect(contents.entries).toEqual(all.slice(0, contents.entries.length))
      expect(contents.entries.length).toBeGreaterThanOrEqual(20)
      expect(fileSystem.files.has(`${firstSegment}.broken`)).toBe(true)
    })
  })

  test('is none where a sector is missing and a later batch follows: that one was written after a sync', async () => {
    let refusedCount = 0
    await openWithHoles(saved, async (fileSystem) => {
      const outcome = await WriteAheadLog.open(fileSystem, directory).catch(
        (error: unknown) => error,
      )
      // Where the hole hides a length word, nothing leads on to what follows: etcd cuts there as well.
      if (outcome instanceof StorageFault) refusedCount++
      else await (outcome as { log: WriteAheadLog }).log.close()
    })
    expect(refusedCount).toBeGreaterThan(0)
  })

  test('keeps the file as it was beside the segment', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, saved)
    const bytes = fileSystem.files.get(firstSegment)!
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1
    const torn = bytes.slice(0, end - 12)
    fileSystem.files.set(firstSegment, torn)
    await reopen(fileSystem)
    expect(fileSystem.files.get(`${firstSegment}.broken`)).toEqual(torn)
  })

  test('of a segment that has not even its opening records is begun anew', async () => {
    const whole = new MemoryFileSystem()
    await logOf(
      whole,
      Array.from({ length: 6 }, (_, at) => ({
        state: state(1, at),
        entries: entries(at * 10 + 1, at * 10 + 10, 1),
      })),
      2_048,
    )
    const names = (await whole.list(directory)).filter((name) => name.endsWith('.wal'))
    const last = names.at(-1)!
    for (const keptBytes of [0, 1, 7, 8, 15, 16, 20, 24, 40, 55]) {
      const fileSystem = whole.clone()
      const path = `${directory}/${last}`
      fileSystem.files.set(path, fileSystem.files.get(path)!.slice(0, keptBytes))
      const { log, entries: found } = await WriteAheadLog.open(fileSystem, directory, {
        segmentSizeBytes: 2_048,
      })
      await log.save(state(1, found.length), [entry(found.length + 1, 1)], durably)
      await log.saveSnapshotMarker({ index: found.length, term: 1, confState: oneVoter })
      await log.close()
      expect((await reopen(fileSystem)).entries).toEqual(entries(1, found.length + 1, 1))
      // A reader that begins in this segment needs its checksum record.
      const alone = await WriteAheadLog.open(fileSystem, directory, {
        snapshot: { index: found.length, term: 1 },
      })
      expect(alone.entries).toEqual([entry(found.length + 1, 1)])
      await alone.log.close()
    }
  })
})

describe('damage', () => {
  const batches = Array.from({ length: 12 }, (_, at) => ({
    state: state(1, at * 3),
    entries: entries(at * 3 + 1, at * 3 + 3, 1),
  }))

  test('anywhere before the last write is refused with file and offset, whichever bit it is', async () => {
    const whole = new MemoryFileSystem()
    await logOf(whole, batches)
    const bytes = whole.files.get(firstSegment)!
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1
    const refused: number[] = []
    await fc.assert(
      fc.asyncProperty(fc.nat(end - 400), fc.nat(7), async (offset, bit) => {
        const fileSystem = whole.clone()
        const damaged = bytes.slice()
        damaged[offset] = damaged[offset]! ^ (1 << bit)
        fileSystem.files.set(firstSegment, damaged)
        const outcome = await WriteAheadLog.open(fileSystem, directory).then(
          async (contents) => {
            await contents.log.close()
            return contents
          },
          (error: unknown) => error,
        )
        if (outcome instanceof StorageFault) {
          refused.push(offset)
          expect(outcome.path).toBe(firstSegment)
          expect(outcome.message).toContain(firstSegment)
          expect(Buffer.compare(fileSystem.files.get(firstSegment)!, damaged)).toBe(0)
          return
        }
        // Padding and reserved bits of the length word are under no checksum; then nothing may be lost.
        expect(textOf((outcome as { entries: Entry[] }).entries)).toBe(
          textOf(batches.flatMap((batch) => batch.entries)),
        )
      }),
      { numRuns: 600 },
    )
    expect(refused.length).toBeGreaterThan(300)
  })

  test('in a closed segment is refused even where its end is missing', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, batches, 1_024)
    const bytes = fileSystem.files.get(firstSegment)!
    fileSystem.files.set(firstSegment, bytes.slice(0, bytes.length - 9))
    const fault = await faultOf(WriteAheadLog.open(fileSystem, directory))
    expect(fault.path).toBe(firstSegment)
    expect(fault.message).toContain('past the end of the file')
  })

  test('that removes whole records from a closed segment breaks the chain', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, batches, 1_024)
    const bytes = fileSystem.files.get(firstSegment)!
    // The last record of the segment is a hard state: a frame of 40 bytes.
    const shortened = bytes.slice(0, bytes.length - 32)
    fileSystem.files.set(firstSegment, shortened)
    const outcome = await faultOf(WriteAheadLog.open(fileSystem, directory))
    expect(outcome.message).toContain('the write-ahead log is damaged')
  })

  test('of a length that no memory could hold is refused before anything is allocated', async () => {
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, batches)
    const bytes = fileSystem.files.get(firstSegment)!.slice()
    bytes.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x87], 0x50)
    fileSystem.files.set(firstSegment, bytes)
    const fault = await faultOf(WriteAheadLog.open(fileSystem, directory))
    expect(fault.offsetBytes).toBe(0x50)
  })
})

describe('save', () => {
  test('makes a whole batch durable with one write and one sync', async () => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata)
    fileSystem.operations.length = 0
    await log.save(state(1, 0), entries(1, 500, 1), durably)
    expect(fileSystem.operations.map((operation) => operation.kind)).toEqual(['write', 'sync'])
    await log.close()
  })

  test('does not sync when it need not, and does nothing for nothing', async () => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata)
    fileSystem.operations.length = 0
    await log.save(state(1, 0), [], { mustSync: false })
    await log.save(undefined, [], durably)
    expect(fileSystem.operations).toEqual([])
    await log.save(undefined, entries(1, 1, 1), { mustSync: false })
    expect(fileSystem.operations.map((operation) => operation.kind)).toEqual(['write'])
    await log.close()
  })

  test.each([
    ['entries', (log: WriteAheadLog) => log.save(undefined, entries(2, 2, 1), durably)],
    [
      'a snapshot marker',
      (log: WriteAheadLog) => log.saveSnapshotMarker({ index: 1, term: 1, confState: oneVoter }),
    ],
    ['the end', (log: WriteAheadLog) => log.close()],
  ])('a commit index that waited is written with %s', async (_what, goOn) => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata)
    await log.save(state(1, 0), entries(1, 1, 1), durably)
    await log.save(state(1, 1), [], { mustSync: false })
    await goOn(log)
    await log.close()
    const contents = await WriteAheadLog.open(fileSystem, directory)
    expect(contents.hardState).toEqual(state(1, 1))
    await contents.log.close()
  })

  test.each(['write', 'sync'] as const)(
    'a failed %s ends the log: nothing is tried again',
    async (kind) => {
      const fileSystem = new MemoryFileSystem()
      const log = await WriteAheadLog.create(fileSystem, directory, metadata)
      await log.save(state(1, 0), entries(1, 1, 1), durably)
      fileSystem.onOperation = (operation) => {
        if (operation.kind === kind) throw new Error('input/output error')
      }
      const fault = await faultOf(log.save(state(1, 1), entries(2, 2, 1), durably))
      expect(fault.message).toBe('the write-ahead log cannot be written: input/output error')
      expect(fault.path).toBe(firstSegment)
      fileSystem.onOperation = undefined
      fileSystem.operations.length = 0
      expect(await faultOf(log.save(state(1, 1), entries(2, 2, 1), durably))).toBe(fault)
      expect(await faultOf(log.save(undefined, [], durably))).toBe(fault)
      expect(
        await faultOf(log.saveSnapshotMarker({ index: 1, term: 1, confState: oneVoter })),
      ).toBe(fault)
      await log.close()
      expect(fileSystem.operations).toEqual([])
    },
  )

  test('a second call while one is running is a bug', async () => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata)
    const first = log.save(state(1, 0), entries(1, 1, 1), durably)
    expect(() => log.save(state(1, 0), entries(2, 2, 1), durably)).toThrow(
      'one call at a time writes to the log',
    )
    await first
    await log.close()
  })

  test('cuts a segment: the full one is synced at its exact end before the next has its name', async () => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata, {
      segmentSizeBytes: 1_024,
    })
    await log.save(state(1, 0), entries(1, 5, 1), durably)
    fileSystem.operations.length = 0
    await log.save(state(1, 5), entries(6, 40, 1), durably)
    await log.close()
    const next = `${directory}/0000000000000001-0000000000000029.wal`
    const steps = fileSystem.operations
      .filter(
        (operation) =>
          operation.path === firstSegment ||
          operation.kind === 'rename' ||
          operation.kind === 'syncDirectory',
      )
      .map((operation) => operation.kind)
    expect(steps).toEqual(['write', 'truncate', 'sync', 'rename', 'syncDirectory'])
    const contents = await reopen(fileSystem)
    expect(contents.entries).toEqual(entries(1, 40, 1))
    expect(contents.hardState).toEqual(state(1, 5))
    expect(fileSystem.files.has(next)).toBe(true)
  })

  test('any mix of batches, openings and segment sizes reads back as a model does', async () => {
    const batch = fc.record({
      back: fc.nat(3),
      count: fc.nat(6),
      sizeBytes: fc.oneof(fc.nat(40), fc.nat(2_000)),
      reopens: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(batch, { maxLength: 25 }),
        fc.integer({ min: 300, max: 5_000 }),
        async (batches, segmentSizeBytes) => {
          const fileSystem = new MemoryFileSystem()
          let log = await WriteAheadLog.create(fileSystem, directory, metadata, {
            segmentSizeBytes,
          })
          let model: Entry[] = []
          let hardState: HardState | undefined
          for (const [term, { back, count, sizeBytes, reopens }] of batches.entries()) {
            const first = Math.max(1, model.length + 1 - back)
            const added = Array.from({ length: count }, (_, at) =>
              entry(first + at, term + 1, 'v'.repeat(sizeBytes)),
            )
            if (count > 0) model = [...model.slice(0, first - 1), ...added]
            hardState = state(term + 1, 0)
            await log.save(hardState, added, durably)
            if (!reopens) continue
            await log.close()
            const contents = await WriteAheadLog.open(fileSystem, directory, { segmentSizeBytes })
            expect(textOf(contents.entries)).toBe(textOf(model))
            log = contents.log
          }
          await log.close()
          const contents = await reopen(fileSystem, { segmentSizeBytes })
          expect(textOf(contents.entries)).toBe(textOf(model))
          expect(contents.hardState).toEqual(hardState)
          expect(fileSystem.openHandleCount).toBe(0)
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe('saving at once', () => {
  test('is durable on return, with one write and one sync, where the disk is quick', async () => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata)
    expect(log.saveDirect(state(1, 0), entries(1, 2, 1), durably)).toBe(false)
    fileSystem.isBrief = true
    fileSystem.operations.length = 0
    expect(log.saveDirect(state(1, 1), entries(1, 2, 1), durably)).toBe(true)
    expect(fileSystem.operations.map(({ kind }) => kind)).toEqual(['write', 'sync'])
    await log.close()
    const contents = await reopen(fileSystem)
    expect(textOf(contents.entries)).toBe(textOf(entries(1, 2, 1)))
    expect(contents.hardState).toEqual(state(1, 1))
  })

  test('needs no disk for a commit index alone, which goes with the next write', async () => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata)
    await log.save(state(1, 0), entries(1, 1, 1), durably)
    fileSystem.operations.length = 0
    expect(log.saveDirect(state(1, 1), [], { mustSync: false })).toBe(true)
    expect(log.saveDirect(undefined, [], { mustSync: false })).toBe(true)
    expect(log.saveDirect({ ...state(2, 1) }, [], durably)).toBe(false)
    expect(fileSystem.operations).toEqual([])
    await log.close()
    expect((await reopen(fileSystem)).hardState).toEqual(state(1, 1))
  })

  test.each(['write', 'sync'] as const)('a failed %s ends the log', async (kind) => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata)
    fileSystem.isBrief = true
    fileSystem.onOperation = (operation) => {
      if (operation.kind === kind) throw new Error('EIO')
    }
    expect(() => log.saveDirect(undefined, entries(1, 1, 1), durably)).toThrow(StorageFault)
    fileSystem.onOperation = undefined
    expect(log.saveDirect(undefined, entries(1, 1, 1), durably)).toBe(false)
    await faultOf(log.save(undefined, entries(1, 1, 1), durably))
    await log.close()
  })

  test('mixes with saving in the background, over many segments', async () => {
    const fileSystem = new MemoryFileSystem()
    fileSystem.isBrief = true
    const segmentSizeBytes = 2_000
    const log = await WriteAheadLog.create(fileSystem, directory, metadata, { segmentSizeBytes })
    let directCount = 0
    for (let index = 1; index <= 300; index++) {
      const batch = [entry(index, 1)]
      if (index % 7 !== 0 && log.saveDirect(state(1, index), batch, durably)) directCount++
      else await log.save(state(1, index), batch, durably)
    }
    await log.close()
    expect(directCount).toBeGreaterThan(200)
    const contents = await reopen(fileSystem, { segmentSizeBytes })
    expect(textOf(contents.entries)).toBe(textOf(entries(1, 300, 1)))
  })
})

describe('snapshot markers', () => {
  test('those beyond the commit index must not be used', async () => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata)
    await log.save(state(1, 3), entries(1, 5, 1), durably)
    await log.saveSnapshotMarker({ index: 3, term: 1, confState: oneVoter })
    await log.saveSnapshotMarker({ index: 90, term: 4, confState: oneVoter })
    await log.close()
    const beyond = { snapshot: { index: 90, term: 4 } }
    expect(await WriteAheadLog.openFrom(fileSystem, directory, beyond)).toBeUndefined()
    const unknown = { snapshot: { index: 3, term: 2 } }
    expect(await WriteAheadLog.openFrom(fileSystem, directory, unknown)).toBeUndefined()
    const usable = { snapshot: { index: 3, term: 1 } }
    const contents = await WriteAheadLog.openFrom(fileSystem, directory, usable)
    expect(contents?.entries.map((kept) => kept.index)).toEqual([4, 5])
    await contents?.log.close()
    expect(fileSystem.openHandleCount).toBe(0)
  })

  test('a snapshot beyond the log moves it on: the next entry follows the snapshot', async () => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata)
    await log.save(state(1, 5), entries(1, 5, 1), durably)
    await log.saveSnapshotMarker({ index: 90, term: 4, confState: oneVoter })
    await log.save(state(4, 90), [entry(91, 4)], durably)
    await log.close()
    const contents = await WriteAheadLog.open(fileSystem, directory, {
      snapshot: { index: 90, term: 4 },
    })
    expect(contents.entries).toEqual([entry(91, 4)])
    await contents.log.close()
  })
})

describe('purge', () => {
  test('deletes released segments beyond five and never one that a start needs', async () => {
    const fileSystem = new MemoryFileSystem()
    const log = await WriteAheadLog.create(fileSystem, directory, metadata, {
      segmentSizeBytes: 1_024,
    })
    for (let first = 1; first < 300; first += 10) {
      await log.save(state(1, first), entries(first, first + 9, 1), durably)
    }
    const segmentCount = log.segmentCount
    expect(segmentCount).toBeGreaterThan(10)
    expect(await log.purge()).toEqual([])
    await log.saveSnapshotMarker({ index: 100, term: 1, confState: oneVoter })
    log.releaseTo(100)
    const purged = await log.purge()
    expect(purged.length).toBeGreaterThan(2)
    expect(log.segmentCount).toBe(segmentCount - purged.length)
    await log.saveSnapshotMarker({ index: 300, term: 1, confState: oneVoter })
    log.releaseTo(300)
    await log.purge()
    expect(log.segmentCount).toBe(5)
    await log.save(state(1, 300), entries(301, 301, 1), durably)
    await log.close()
    const contents = await WriteAheadLog.open(fileSystem, directory, {
      snapshot: { index: 300, term: 1 },
    })
    expect(contents.entries).toEqual(entries(301, 301, 1))
    await contents.log.close()
  })
})

describe('warnings', () => {
  test('a torn tail and a slow sync are told', async () => {
    const lines: [string, LogFields | undefined][] = []
    const logger: Logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: (message, fields) => lines.push([message, fields]),
      error: () => undefined,
      with: () => logger,
    }
    const fileSystem = new MemoryFileSystem()
    await logOf(fileSystem, [{ state: state(1, 0), entries: entries(1, 1, 1) }])
    const bytes = fileSystem.files.get(firstSegment)!
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1
    fileSystem.files.set(firstSegment, bytes.slice(0, end - 3))
    let nowMs = 0
    const clock = {
      monotonicMs: () => (nowMs += 600),
      wallMs: () => 0,
      setTimer: () => ({ cancel: () => undefined }),
      nextTurn: () => undefined,
    }
    const { log } = await WriteAheadLog.open(fileSystem, directory, { logger, clock })
    await log.save(state(1, 0), [entry(2, 1)], durably)
    nowMs += 600
    clock.monotonicMs = () => (nowMs += 1_500)
    await log.save(state(1, 0), [entry(3, 1)], durably)
    await log.close()
    expect(lines.map(([message]) => message)).toEqual([
      'cutting off the torn end of the write-ahead log',
      'slow sync of the write-ahead log',
    ])
    expect(lines[1]![1]).toEqual({ tookMs: 1_500 })
  })
})
