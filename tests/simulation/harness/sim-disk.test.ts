import { describe, expect, test } from 'vitest'
import type { FileHandle } from '../../../src/core/io/file-system.ts'
import { seededRandom } from '../../../src/core/base/random.ts'
import { SimDisk, type CrashRules, type SimFile } from './sim-disk.ts'
import { SimFileSystem, type DiskOutcome } from './sim-file-system.ts'
import { SimProcess, SimScheduler } from './sim-scheduler.ts'

const power: CrashRules = {
  losesUnsynced: true,
  tearsLastWrite: false,
  reordersUnsynced: false,
  losesNames: true,
}
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

function machine(decide: () => DiskOutcome = () => 'normal'): {
  readonly disk: SimDisk
  readonly files: SimFileSystem
  readonly process: SimProcess
  run<T>(work: Promise<T>): Promise<T>
} {
  const scheduler = new SimScheduler()
  const process = new SimProcess('n0.1', 1)
  const disk = new SimDisk()
  const files = new SimFileSystem({
    disk,
    scheduler,
    process,
    random: seededRandom(1),
    faults: {
      decide,
      kill: () => {
        process.isAlive = false
      },
    },
    onDurableChange: () => undefined,
  })
  return {
    disk,
    files,
    process,
    run: async (work) => {
      const settled = work.then(
        (value) => ({ value }),
        (failure: unknown) => ({ failure }),
      )
      await scheduler.runUntil(scheduler.nowUs + 1_000_000)
      const outcome = await settled
      if ('failure' in outcome) throw outcome.failure
      return outcome.value
    },
  }
}

async function writeFile(at: ReturnType<typeof machine>, path: string): Promise<FileHandle> {
  const handle = await at.run(at.files.open(path, { create: true }))
  await at.run(handle.write(0, [filled(1_000, 1)]))
  return handle
}

function contentOf(disk: SimDisk, path: string): SimFile | undefined {
  const node = disk.find(path)
  return node?.kind === 'file' ? node : undefined
}

describe('a crash of the machine', () => {
  test('keeps what was synced, byte for byte', async () => {
    const at = machine()
    const handle = await writeFile(at, '/a')
    await at.run(handle.sync())
    await at.run(at.files.syncDirectory('/'))
    await at.run(handle.write(900, [filled(300, 2)]))
    for (let seed = 0; seed < 20; seed++) {
      at.disk.crash(power, seededRandom(seed))
      const file = contentOf(at.disk, '/a')!
      expect(file.content.subarray(0, 512)).toEqual(filled(512, 1))
      expect(file.sizeBytes).toBeGreaterThanOrEqual(1_000)
    }
  })

  test('may lose everything that was not synced, and in some order keeps a prefix', async () => {
    const sizes = new Set<number>()
    for (let seed = 0; seed < 40; seed++) {
      const at = machine()
      await writeFile(at, '/a')
      await at.run(at.files.syncDirectory('/'))
      at.disk.crash(power, seededRandom(seed))
      sizes.add(contentOf(at.disk, '/a')!.sizeBytes)
    }
    expect([...sizes].sort((left, right) => left - right)).toEqual([0, 512, 1_000])
  })

  test('may take a name whose directory was not synced', async () => {
    const outcomes = new Set<boolean>()
    for (let seed = 0; seed < 40; seed++) {
      const at = machine()
      const handle = await writeFile(at, '/a')
      await at.run(handle.sync())
      at.disk.crash(power, seededRandom(seed))
      outcomes.add(contentOf(at.disk, '/a') !== undefined)
    }
    expect(outcomes.size).toBe(2)
  })

  test('leaves a renamed file under the old name or the new one, never under both', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const at = machine()
      await at.run(at.files.makeDirectory('/d'))
      const handle = await writeFile(at, '/d/a')
      await at.run(handle.sync())
      await at.run(at.files.syncDirectory('/'))
      await at.run(at.files.syncDirectory('/d'))
      await at.run(at.files.rename('/d/a', '/d/b'))
      at.disk.crash(power, seededRandom(seed))
      const found = ['/d/a', '/d/b'].filter((path) => contentOf(at.disk, path) !== undefined)
      expect(found).toHaveLength(1)
    }
  })

  test('can tear the first sector that was lost', async () => {
    let tornCount = 0
    for (let seed = 0; seed < 60; seed++) {
      const at = machine()
      await writeFile(at, '/a')
      await at.run(at.files.syncDirectory('/'))
      at.disk.crash({ ...power, tearsLastWrite: true }, seededRandom(seed))
      const { sizeBytes } = contentOf(at.disk, '/a')!
      if (sizeBytes !== 0 && sizeBytes !== 512 && sizeBytes !== 1_000) tornCount += 1
    }
    expect(tornCount).toBeGreaterThan(5)
  })
})

test('a crash of the process alone loses nothing that was written', async () => {
  const at = machine()
  await writeFile(at, '/a')
  at.disk.crash(
    { losesUnsynced: false, tearsLastWrite: false, reordersUnsynced: false, losesNames: false },
    seededRandom(1),
  )
  expect(contentOf(at.disk, '/a')!.content).toEqual(filled(1_000, 1))
})

test('a failed sync drops its pages: a second one succeeds and proves nothing', async () => {
  let outcome: DiskOutcome = 'normal'
  const at = machine(() => outcome)
  const handle = await writeFile(at, '/a')
  await at.run(at.files.syncDirectory('/'))
  outcome = 'fail'
  await expect(at.run(handle.sync())).rejects.toThrow('EIO')
  outcome = 'normal'
  await at.run(handle.sync())
  expect(await at.run(handle.read(0, 1_000))).toEqual(filled(1_000, 1))
  at.disk.crash({ ...power, losesUnsynced: false }, seededRandom(1))
  expect(contentOf(at.disk, '/a')!.content.every((byte) => byte === 0)).toBe(true)
})

test('bytes written while a sync is under way wait for the next one', async () => {
  const at = machine()
  const handle = await writeFile(at, '/a')
  await at.run(at.files.syncDirectory('/'))
  const syncing = handle.sync()
  await at.run(Promise.all([syncing, handle.write(0, [filled(10, 9)])]))
  const kept = new Set<number>()
  const file = contentOf(at.disk, '/a')!
  kept.add(file.durable[0]!)
  expect([...kept]).toEqual([1])
})

test('a process that dies in the middle of a write leaves a prefix of it and hears nothing', async () => {
  let outcome: DiskOutcome = 'normal'
  const at = machine(() => outcome)
  const handle = await at.run(at.files.open('/a', { create: true }))
  outcome = 'dieInTheMiddle'
  let isSettled = false
  void handle.write(0, [filled(2_000, 3)]).finally(() => {
    isSettled = true
  })
  await at.run(Promise.resolve())
  expect(at.process.isAlive).toBe(false)
  expect(isSettled).toBe(false)
  const file = contentOf(at.disk, '/a')!
  expect(file.sizeBytes).toBeLessThanOrEqual(2_000)
  expect(file.content.subarray(0, file.sizeBytes)).toEqual(filled(file.sizeBytes, 3))
})
