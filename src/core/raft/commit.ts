/**
 * When an index is committed.
 *
 * A leader commits the largest index that a quorum holds durably, provided that the entry there is of its own term;
 * older entries commit along with it. Counting copies of an older entry alone is not enough (figure 8 of the Raft
 * paper): a node that never saw it could still be elected and overwrite it.
 */
import type { ConfState } from './message.ts'
import { quorumReached } from './progress.ts'
import type { Voters } from './quorum.ts'
import type { RaftState } from './raft-state.ts'
import { releaseParkedReads } from './read-index.ts'

/** Moves the leader's commit index as far as the acknowledgements allow. Whether it moved. */
export function advanceCommit(state: RaftState): boolean {
  const index = quorumReached(votersThatCount(state), state.progress, 'match')
  if (index <= state.log.committed || !Number.isFinite(index)) return false
  const isOwnTerm = state.log.hasEntry(index, state.term)
  if (!isOwnTerm && !state.bugs.commitsOlderTermByCount) return false
  state.log.commitTo(index)
  state.isBroadcastDue = true
  releaseParkedReads(state)
  return true
}

function votersThatCount(state: RaftState): Voters {
  const { confState, bugs } = state
  return bugs.countsLearnerInQuorum ? withLearners(confState) : confState
}

function withLearners(confState: ConfState): Voters {
  return { ...confState, voters: [...confState.voters, ...confState.learners] }
}
