/** Majorities against brute force: every subset of the voters is tried. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { NodeId } from '../../../../src/core/base/ids.ts'
import { quorumReached, Progress } from '../../../../src/core/raft/progress.ts'
import { majorityReached, voteResult } from '../../../../src/core/raft/quorum.ts'
import type { VoteResult } from '../../../../src/core/raft/quorum.ts'
import { id } from './raft-fixture.ts'

const half = fc.uniqueArray(fc.integer({ min: 1, max: 9 }).map(id), { maxLength: 7 })

/** Whether every majority of a half is met by `agree`; a half without voters is. */
function isMajority(voters: readonly NodeId[], agree: (voter: NodeId) => boolean): boolean {
  return voters.length === 0 || voters.filter(agree).length * 2 > voters.length
}

describe('quorum', () => {
  test('confstate-roundtrip: what a joint quorum has reached is the largest number that both majorities have', () => {
    const reached = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 10, maxLength: 10 })
    fc.assert(
      fc.property(half, half, reached, (voters, votersOutgoing, matches) => {
        const progress = new Map<NodeId, Progress>()
        for (const voter of new Set([...voters, ...votersOutgoing])) {
          const peer = new Progress(
            { next: 1, isLearner: false, isRecentlyActive: false },
            { countMax: 1, sizeBytesMax: 0 },
          )
          peer.match = matches[Number(voter)] ?? 0
          progress.set(voter, peer)
        }
        let expected = Number.POSITIVE_INFINITY
        if (voters.length + votersOutgoing.length > 0) {
          for (expected = 12; expected > 0; expected--) {
            const has = (voter: NodeId) => (progress.get(voter)?.match ?? 0) >= expected
            if (isMajority(voters, has) && isMajority(votersOutgoing, has)) break
          }
        }
        expect(quorumReached({ voters, votersOutgoing }, progress, 'match')).toBe(expected)
      }),
      { numRuns: 2_000 },
    )
  })

  test('confstate-roundtrip: a vote is won when no missing answer can lose it, lost when none can win it', () => {
    const answers = fc.array(fc.constantFrom(true, false, undefined), {
      minLength: 10,
      maxLength: 10,
    })
    fc.assert(
      fc.property(half, half, answers, (voters, votersOutgoing, given) => {
        const votes = new Map<NodeId, boolean>()
        for (let node = 1; node <= 9; node++) {
          const answer = given[node]
          if (answer !== undefined) votes.set(id(node), answer)
        }
        const decidedBy = (missing: boolean): boolean => {
          const agrees = (voter: NodeId) => votes.get(voter) ?? missing
          return isMajority(voters, agrees) && isMajority(votersOutgoing, agrees)
        }
        let expected: VoteResult = 'pending'
        if (decidedBy(false)) expected = 'won'
        else if (!decidedBy(true)) expected = 'lost'
        expect(voteResult({ voters, votersOutgoing }, votes)).toBe(expected)
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    [[], Number.POSITIVE_INFINITY],
    [[4], 4],
    [[4, 7], 4],
    [[1, 4, 3, 9, 2], 3],
    [[5, 5, 5, 0], 5],
    [[9, 1, 1, 9], 1],
  ])('a majority of %j has reached %s', (reached, expected) => {
    expect(majorityReached([...reached])).toBe(expected)
  })
})
