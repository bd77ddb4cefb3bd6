/** Random runs: whatever is lost, repeated, reordered or crashed, the promises of Raft hold, and afterwards all is well. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { setVerifying } from '../../../../src/core/base/assert.ts'
import { noPlantedBugs } from '../../../../src/core/raft/planted-bugs.ts'
import { commandKinds, commandWeights, RandomCluster } from './random-cluster.ts'
import type { RandomOptions } from './random-cluster.ts'

const command = fc.record({
  kind: fc.oneof(
    ...commandKinds.map((kind) => ({
      weight: commandWeights[kind],
      arbitrary: fc.constant(kind),
    })),
  ),
  node: fc.nat({ max: 4 }),
  pick: fc.nat({ max: 999 }),
})

const commands = fc.array(command, { minLength: 100, maxLength: 700, size: 'max' })

interface Course {
  readonly course: string
  readonly options: RandomOptions
  /** Without the look at the quorum a removed node can keep a newcomer from its leader for ever. */
  readonly heals: boolean
}

/** A few seconds on an idle machine; builds share theirs. */
const timeoutMs = 60_000

const roundsMax = 8

beforeAll(() => {
  setVerifying(true)
})
afterAll(() => {
  setVerifying(false)
})

describe('random runs', () => {
  test.each<Course>([
    { course: 'as in the Raft paper', options: { stepsDownOnRemoval: true }, heals: false },
    { course: 'with check-quorum', options: { checksQuorum: true }, heals: true },
    {
      course: 'with pre-vote and check-quorum',
      options: { usesPreVote: true, checksQuorum: true },
      heals: true,
    },
  ])(
    'persist-before-vouch: loss, repetition, reordering and crashes between any two steps, $course',
    ({ options, heals }) => {
      const marks = {
        snapshotInstalled: 0,
        jointEntered: 0,
        crashedAtWork: 0,
        readAnswered: 0,
        leaders: 0,
      }
      const property = fc.property(commands, (steps) => {
        const cluster = new RandomCluster(options)
        cluster.run(steps)
        if (heals) cluster.heal()
        for (const mark of Object.keys(marks) as (keyof typeof marks)[]) {
          marks[mark] += cluster.marks[mark]
        }
      })
      // Runs in which nothing rare happened prove little; that is seldom so with forty of them, and then there are more.
      for (let round = 0; round < roundsMax; round++) {
        fc.assert(property, { numRuns: 40 })
        if (Object.values(marks).every((count) => count > 0)) break
      }
      expect(Object.entries(marks).filter(([, count]) => count === 0)).toEqual([])
    },
    timeoutMs,
  )

  test(
    'persist-before-vouch: the same runs find a vote that was not stored before it was sent',
    () => {
      const plantedBugs = { ...noPlantedBugs, sendsVoteBeforePersist: true }
      const run = fc.check(
        fc.property(commands, (steps) => {
          new RandomCluster({ plantedBugs }).run(steps)
        }),
        { numRuns: 2_000, seed: 7, endOnFailure: true },
      )
      expect(String(run.errorInstance)).toContain('one vote of')
    },
    timeoutMs,
  )
})
