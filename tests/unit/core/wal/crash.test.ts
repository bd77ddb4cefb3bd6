import { describe, expect, test } from 'vitest'
import { clusterId, nodeId } from '../../../../src/core/base/ids.ts'
import { namedRandom, type Random } from '../../../../src/core/base/random.ts'
import { StorageFault } from '../../../../src/core/errors/storage-fault.ts'
import type { Entry, HardState } from '../../../../src/core/raft/message.ts'
import type { WalPlantedBugs } from '../../../../src/core/wal/planted-bugs.ts'
import {
  hasWriteAheadLog,
  type WalContents,
  WriteAheadLog,
} from '../../../../src/core/wal/write-ahead-log.ts'
import { type CrashRules, SimDirectory, SimDisk } from '../../../simulation/harness/sim-disk.ts'
import { type DiskOutcome, SimFileSystem } from '../../../simulation/harness/sim-file-system.ts'
import { SimProcess, SimScheduler } from '../../../simulation/harness/sim-scheduler.ts'

const directory = '/data/member/wal'
const metadata = { nodeId: nodeId(7n), clusterId: clusterId(9n) }

/** What was asked of the log, and how much of it was answered for. */
interface Model {
  /** Every state the log may be found in: after each acknowledged save, and after the one that was running. */
  acknowledged: Outcome
  running: Outcome | undefined
}

interface Outcome {
  readonly entries: readonly Entry[]
  readonly hardState: HardState | undefined
}

const describeEntry = (entry: Entry): string => `${entry.index}/${entry.term}/${entry.data.length}`

/** One disk through several lives, each of which ends in a crash at some effect or in the middle of one. */
class CrashRun {
  readonly disk = new SimDisk()
  readonly random: Random
  readonly rules: CrashRules
  readonly plantedBugs: WalPlantedBugs
  readonly model: Model = {
    acknowledged: { entries: [], hardState: undefined },
    running: undefined,
  }
  saveCount = 0
  crashCount = 0
  repairCount = 0

  constructor(seed: number, plantedBugs: WalPlantedBugs) {
    this.random = namedRandom(seed, 'wal')
    // The data directory is there before the log is, durably.
    this.disk.changeNames([{ directory: this.disk.root, name: 'data', node: new SimDirectory() }])
    this.disk.syncNames(this.disk.root)
    this.plantedBugs = plantedBugs
    this.rules = {
      losesUnsynced: this.random.below(4) > 0,
      tearsLastWrite: this.random.below(2) === 0,
      reordersUnsynced: this.random.below(2) === 0,
      losesNames: this.random.below(2) === 0,
    }
  }

  async run(lifeCount: number): Promise<void> {
    for (let life = 0; life < lifeCount; life++) await this.live(life === lifeCount - 1)
  }

  private async live(isLast: boolean): Promise<void> {
    const scheduler = new SimScheduler()
    const process = new SimProcess('member', 1)
    let effectsLeft = isLast ? Number.POSITIVE_INFINITY : this.random.below(120)
    const life = { hasEnded: false, failure: undefined as unknown }
    const fileSystem = new SimFileSystem({
      disk: this.disk,
      scheduler,
      process,
      random: this.random,
      onDurableChange: () => undefined,
      faults: {
        decide: (): DiskOutcome => {
          if (effectsLeft-- > 0) return 'normal'
          return (['dieBefore', 'dieInTheMiddle', 'dieAfter'] as const)[this.random.below(3)]!
        },
        kill: () => {
          process.isAlive = false
          life.hasEnded = true
        },
      },
    })
    // The work of a life that was cut off stays unfinished for ever.
    void this.work(fileSystem, isLast).then(
      () => (life.hasEnded = true),
      (error: unknown) => {
        life.failure = error
        life.hasEnded = true
      },
    )
    while (!life.hasEnded) await scheduler.runUntil(scheduler.nowUs + 100_000)
    if (life.failure !== undefined) throw life.failure as Error
    process.isAlive = false
    this.crashCount++
    this.disk.crash(this.rules, this.random)
  }

  private async work(fileSystem: SimFileSystem, isLast: boolean): Promise<void> {
    const options = {
      segmentSizeBytes: 2_048 + this.random.below(4_096),
      plantedBugs: this.plantedBugs,
    }
    let log: WriteAheadLog
    if (await hasWriteAheadLog(fileSystem, directory)) {
      const contents = await WriteAheadLog.open(fileSystem, directory, options)
      this.check(contents)
      log = contents.log
    } else {
      if (this.model.acknowledged.entries.length > 0) throw new Error('the whole log is gone')
      this.model.running = undefined
      log = await WriteAheadLog.create(fileSystem, directory, metadata, options)
    }
    const saveCount = isLast ? 3 : 1_000
    for (let at = 0; at < saveCount; at++) await this.save(log)
    await log.close()
    expect(fileSystem.handles.size).toBe(0)
  }

  private async save(log: WriteAheadLog): Promise<void> {
    const { entries, hardState } = this.model.acknowledged
    const term = (hardState?.term ?? 0) + this.random.below(2)
    const back =
      this.random.below(5) === 0 ? Math.min(3, entries.length - (hardState?.commit ?? 0)) : 0
    const first = entries.length + 1 - back
    const count = 1 + this.random.below(5)
    const added = Array.from({ length: count }, (_, at): Entry => {
      const data = new Uint8Array(this.random.below(this.random.below(4) === 0 ? 1_500 : 60)).fill(
        1 + this.random.below(255),
      )
      return { index: first + at, term, kind: 'normal', data }
    })
    const next: Outcome = {
      entries: [...entries.slice(0, first - 1), ...added],
      hardState: { term, vote: metadata.nodeId, commit: first - 1 + this.random.below(count + 1) },
    }
    this.model.running = next
    await log.save(next.hardState, added, { mustSync: true })
    this.model.acknowledged = next
    this.model.running = undefined
    this.saveCount++
  }

  /** What is found is what was acknowledged, or a beginning of the batch that was running. */
  private check(contents: WalContents): void {
    const found = contents.entries.map(describeEntry)
    const { acknowledged, running } = this.model
    const kept = acknowledged.entries.map(describeEntry)
    const candidates = [kept]
    if (running !== undefined) {
      const all = running.entries.map(describeEntry)
      const isSame = (at: number): boolean => all[at] === kept[at]
      let shared = 0
      while (shared < all.length && isSame(shared)) shared++
      for (let size = shared + 1; size <= all.length; size++) candidates.push(all.slice(0, size))
    }
    const fits = candidates.some((candidate) => candidate.join() === found.join())
    if (!fits) throw new Error(`found ${found.length} entries, ${kept.length} were acknowledged`)
    const states = [acknowledged.hardState, running?.hardState]
    expect(states).toContainEqual(contents.hardState)
    const isRunningState =
      running !== undefined && contents.hardState?.commit === running.hardState?.commit
    if (isRunningState) expect(contents.hardState?.commit).toBeLessThanOrEqual(found.length)
    if (running !== undefined) this.repairCount++
    this.model.acknowledged = { entries: contents.entries, hardState: contents.hardState }
    this.model.running = undefined
  }
}

async function runSeeds(seeds: readonly number[], plantedBugs: WalPlantedBugs) {
  let failedSeed: number | undefined
  let failure: unknown
  const sums = { saveCount: 0, crashCount: 0, repairCount: 0 }
  for (const seed of seeds) {
    const run = new CrashRun(seed, plantedBugs)
    try {
      await run.run(8)
    } catch (error) {
      failedSeed = seed
      failure = error
      break
    }
    sums.saveCount += run.saveCount
    sums.crashCount += run.crashCount
    sums.repairCount += run.repairCount
  }
  return { failedSeed, failure, sums }
}

const seedsFrom = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, at) => first + at)

describe('a log on a disk that loses what was not synced', () => {
  test('keeps every acknowledged batch over crashes at any effect', async () => {
    const { failedSeed, failure, sums } = await runSeeds(seedsFrom(1, 60), {})
    expect([failedSeed, failure]).toEqual([undefined, undefined])
    expect(sums.crashCount).toBeGreaterThan(400)
    expect(sums.repairCount).toBeGreaterThan(50)
  })

  test('would be found out if it answered before the sync', async () => {
    const { failure } = await runSeeds(seedsFrom(1, 40), { skipsSync: true })
    expect(failure).toBeInstanceOf(Error)
  })

  test('would be found out if it wrote the hard state before the entries it covers', async () => {
    const { failure } = await runSeeds(seedsFrom(1, 60), { writesHardStateApart: true })
    expect(failure).toBeInstanceOf(StorageFault)
    expect((failure as StorageFault).message).toContain('before its commit index')
  })
})
