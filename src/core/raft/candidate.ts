/** What a candidate or pre-candidate does with messages of its term. */
import { hexId, noNode } from '../base/ids.ts'
import { becomeFollower, campaign, countVote } from './election.ts'
import { handleAppend, handleHeartbeat, handleSnapshot } from './follower.ts'
import { becomeLeader } from './leader.ts'
import type { Message, VoteResponseMessage } from './message.ts'
import type { RaftState } from './raft-state.ts'

/** Takes a message of this term, or a grant for the term that a pre-candidate asked about. */
export function stepCandidate(state: RaftState, message: Message): void {
  switch (message.kind) {
    case 'append':
      becomeFollower(state, message.term, message.from)
      handleAppend(state, message)
      break
    case 'heartbeat':
      becomeFollower(state, message.term, message.from)
      handleHeartbeat(state, message)
      break
    case 'snapshot':
      becomeFollower(state, message.term, message.from)
      handleSnapshot(state, message)
      break
    case 'voteResponse':
    case 'preVoteResponse':
      handleVoteResponse(state, message)
      break
    default:
  }
}

function handleVoteResponse(state: RaftState, message: VoteResponseMessage): void {
  const isPreVote = state.role === 'preCandidate'
  if (message.kind !== (isPreVote ? 'preVoteResponse' : 'voteResponse')) return
  // A grant names the term it is for; one from an earlier campaign is not counted in this one.
  const askedTerm = isPreVote ? state.term + 1 : state.term
  if (!message.isRejected && message.term !== askedTerm) return
  const answer = message.isRejected ? 'rejected' : 'granted'
  const result = countVote(state, message.from, answer)
  state.config.logger.debug('vote counted', { voter: hexId(message.from), answer, result })
  if (result === 'lost') becomeFollower(state, state.term, noNode)
  if (result !== 'won') return
  if (isPreVote) campaign(state, 'election')
  else becomeLeader(state)
}
