/**
 * A simulator that has never found a bug proves nothing: each of these mistakes is planted in turn and must be found, by a
 * checker that is about that mistake.
 */
import { describe, expect, test } from 'vitest'
import { noPlantedBugs, type PlantedBugs } from '../../src/core/node/planted-bugs.ts'
import { noPlantedBugs as noRaftBugs } from '../../src/core/raft/planted-bugs.ts'
import { drawPlan, type PlanOverrides } from './harness/fault-plan.ts'
import { simulate } from './harness/simulate.ts'
import { plantedBugSeeds } from './known-seeds.ts'

interface PlantedBug {
  readonly name: string
  readonly what: string
  readonly bugs: PlantedBugs
  /** Beginnings of the names of checkers that are about this mistake. */
  readonly checkers: readonly string[]
  readonly overrides: PlanOverrides
}

/** More runs than this and the mistake counts as not found. */
const runCountMax = 2_000

const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'M1',
    what: 'a node answers before its log is synced',
    bugs: { ...noPlantedBugs, acknowledgesBeforeSync: true },
    checkers: ['I6', 'I7'],
    overrides: {},
  },
  {
    name: 'M2',
    what: 'a vote is sent before it is stored',
    bugs: { ...noPlantedBugs, raft: { ...noRaftBugs, sendsVoteBeforePersist: true } },
    checkers: ['I6', 'I1', 'I5'],
    overrides: {},
  },
  {
    name: 'M3',
    what: 'the hard state is written before the entries it covers',
    bugs: { ...noPlantedBugs, wal: { writesHardStateApart: true } },
    checkers: ['I12'],
    overrides: {},
  },
  {
    name: 'M4',
    what: 'the applied index is stored apart from the data',
    bugs: { ...noPlantedBugs, storesAppliedIndexApart: true },
    checkers: ['I10', 'I9'],
    overrides: {},
  },
  {
    name: 'M9',
    what: 'an entry of an older term is committed by counting',
    bugs: { ...noPlantedBugs, raft: { ...noRaftBugs, commitsOlderTermByCount: true } },
    checkers: ['I8', 'I3'],
    overrides: {},
  },
  {
    name: 'M10',
    what: 'a leader answers reads without asking a quorum',
    bugs: { ...noPlantedBugs, raft: { ...noRaftBugs, answersReadWithoutQuorum: true } },
    checkers: ['I19', 'first judge: refusals'],
    // A stale answer needs a leader that was cut off; the swarm draws that often enough, these runs do it faster.
    overrides: { kinds: ['N5'], voterCount: 3 },
  },
  {
    name: 'M12',
    what: 'a learner is counted in the quorum',
    bugs: { ...noPlantedBugs, raft: { ...noRaftBugs, countsLearnerInQuorum: true } },
    checkers: ['I7', 'I6'],
    overrides: { learnerCount: 1 },
  },
  {
    name: 'M1b',
    what: 'the log skips its sync',
    bugs: { ...noPlantedBugs, wal: { skipsSync: true } },
    checkers: ['I6', 'I7'],
    overrides: {},
  },
]

describe.skipIf(process.env['SEED'] !== undefined)('a planted bug is found', () => {
  test.each(plantedBugs)('$name: $what', { timeout: 3_600_000 }, async (planted) => {
    const searched = Array.from({ length: runCountMax }, (_, number) => number + 1)
    const seeds = [...(plantedBugSeeds[planted.name] ?? []), ...searched]
    const others = new Map<string, number>()
    let runCount = 0
    for (const seed of seeds) {
      runCount += 1
      const { violation } = await simulate(drawPlan(seed, planted.overrides), planted.bugs)
      if (violation === undefined) continue
      if (planted.checkers.some((checker) => violation.checker.startsWith(checker))) {
        process.stdout.write(
          `planted bug ${planted.name}: found by "${violation.checker}" with seed ${seed} after ${runCount} runs\n`,
        )
        return
      }
      others.set(violation.checker, (others.get(violation.checker) ?? 0) + 1)
    }
    expect.fail(`not found in ${runCount} runs; other checkers: ${JSON.stringify([...others])}`)
  })
})
