/**
 * Majorities, and the joint majorities of a membership change: what enough voters have reached, and who won a vote.
 *
 * In a joint configuration both halves decide; the weaker one counts. A half without voters agrees to everything, so
 * that an ordinary configuration is a joint one whose outgoing half is empty.
 */
import type { NodeId } from '../base/ids.ts'
import type { ConfState } from './message.ts'

/** The two halves of a configuration that have a vote. */
export type Voters = Pick<ConfState, 'voters' | 'votersOutgoing'>

export type VoteResult = 'won' | 'lost' | 'pending'

/**
 * The largest number that a majority has reached, given what each voter has reached; infinity without voters.
 *
 * Works in place: `reached` is sorted afterwards. Five voters at 1, 4, 3, 9, 2 have a majority (9, 4, 3) at 3.
 */
export function majorityReached(reached: number[]): number {
  const count = reached.length
  if (count === 0) return Number.POSITIVE_INFINITY
  // Insertion sort: clusters have three to seven voters, and this runs on every acknowledgement.
  for (let sorted = 1; sorted < count; sorted++) {
    const value = reached[sorted] ?? 0
    let position = sorted
    while (position > 0 && (reached[position - 1] ?? 0) > value) {
      reached[position] = reached[position - 1] ?? 0
      position--
    }
    reached[position] = value
  }
  return reached[count - 1 - Math.floor(count / 2)] ?? 0
}

/** The result of a vote in which each id was counted once. */
export function voteResult(voters: Voters, votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  const incoming = majorityVote(voters.voters, votes)
  const outgoing = majorityVote(voters.votersOutgoing, votes)
  if (incoming === 'lost' || outgoing === 'lost') return 'lost'
  return incoming === 'won' && outgoing === 'won' ? 'won' : 'pending'
}

function majorityVote(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  if (voters.length === 0) return 'won'
  const needed = Math.floor(voters.length / 2) + 1
  let granted = 0
  let missing = 0
  for (const voter of voters) {
    const vote = votes.get(voter)
    if (vote === undefined) missing++
    else if (vote) granted++
  }
  if (granted >= needed) return 'won'
  return granted + missing >= needed ? 'pending' : 'lost'
}
