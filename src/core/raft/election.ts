/**
 * When to campaign, and whom to vote for (sections 5.2 and 5.4 of the Raft paper; 4.2.3 and 9.6 of the thesis).
 *
 * With pre-votes a node first asks whether it could win, without touching its term; a node that was cut off therefore
 * does not come back with a higher term that deposes a working leader.
 */
import { assert } from '../base/assert.ts'
import { hexId, noNode } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import { voterIds } from './conf-change.ts'
import type { Term, VoteMessage } from './message.ts'
import { send } from './outbox.ts'
import { voteResult } from './quorum.ts'
import type { VoteResult } from './quorum.ts'
import { isPromotable, resetState } from './raft-state.ts'
import type { RaftState } from './raft-state.ts'

/** 'transfer': asked to by the leader itself, so pre-votes are skipped and leases do not protect it. */
export type CampaignKind = 'preElection' | 'election' | 'transfer'

/** Follows `leader` (or nobody) in `term`, from any role. */
export function becomeFollower(state: RaftState, term: Term, leader: NodeId): void {
  const hasChanged = state.role !== 'follower' || state.leader !== leader || state.term !== term
  resetState(state, term)
  state.role = 'follower'
  state.leader = leader
  if (hasChanged) state.config.logger.info('became follower', { term, leader: hexId(leader) })
}

/** One tick of a node that does not lead. */
export function tickElection(state: RaftState): void {
  state.electionElapsed++
  if (state.electionElapsed < state.electionTimeoutTicks || !isPromotable(state)) return
  state.electionElapsed = 0
  startCampaign(state, state.config.usesPreVote ? 'preElection' : 'election')
}

/**
 * Campaigns, if this node may: it does not lead yet, it is a voter, and no membership change is committed but not
 * applied here (or it might count with an outdated set of voters).
 */
export function startCampaign(state: RaftState, kind: CampaignKind): void {
  const { logger } = state.config
  if (state.role === 'leader') return
  if (!isPromotable(state)) {
    logger.warn('campaign refused: not a voter, or a snapshot is being installed')
    return
  }
  if (state.log.hasUnappliedConfChange()) {
    logger.warn('campaign refused: a membership change is not applied yet', { term: state.term })
    return
  }
  campaign(state, kind)
}

/** Asks everybody with a vote, this node included: its own vote counts when it is durable. */
export function campaign(state: RaftState, kind: CampaignKind): void {
  const isPreVote = kind === 'preElection'
  if (isPreVote) becomePreCandidate(state)
  else becomeCandidate(state)
  const term = isPreVote ? state.term + 1 : state.term
  for (const voter of voterIds(state.confState)) {
    if (voter === state.id) {
      const vote = isPreVote ? 'preVoteResponse' : 'voteResponse'
      send(state, { kind: vote, from: state.id, to: voter, term, isRejected: false })
      continue
    }
    send(state, {
      kind: isPreVote ? 'preVote' : 'vote',
      from: state.id,
      to: voter,
      term,
      lastIndex: state.log.lastIndex(),
      lastTerm: state.log.lastTerm(),
      isTransfer: kind === 'transfer',
    })
  }
}

/** Counts an answer to the campaign; each voter is counted once, whatever it says later. */
export function countVote(
  state: RaftState,
  voter: NodeId,
  answer: 'granted' | 'rejected',
): VoteResult {
  if (!state.votes.has(voter)) state.votes.set(voter, answer === 'granted')
  return voteResult(state.confState, state.votes)
}

/**
 * Answers a request for a vote of this term, or for a pre-vote of any later one.
 *
 * A grant carries the term of the request, so that an asker ahead of this node takes it; a rejection carries this
 * node's own. Learners answer too: a promotion can be committed without the promoted node knowing.
 */
export function answerVoteRequest(state: RaftState, request: VoteMessage): void {
  const isPreVote = request.kind === 'preVote'
  const isFree =
    state.vote === request.from ||
    (state.vote === noNode && state.leader === noNode) ||
    (isPreVote && request.term > state.term)
  const isGranted = isFree && state.log.isUpToDate(request.lastIndex, request.lastTerm)
  send(state, {
    kind: isPreVote ? 'preVoteResponse' : 'voteResponse',
    from: state.id,
    to: request.from,
    term: isGranted ? request.term : state.term,
    isRejected: !isGranted,
  })
  if (!isGranted || isPreVote) return
  state.electionElapsed = 0
  state.vote = request.from
}

/** Whether a leader was heard so recently that nobody may be elected in its place. */
export function isLeaseInForce(state: RaftState): boolean {
  const { checksQuorum, electionTicks } = state.config
  return checksQuorum && state.leader !== noNode && state.electionElapsed < electionTicks
}

/** Term, vote and the drawn timeout stay as they are: nothing has happened yet. */
function becomePreCandidate(state: RaftState): void {
  assert(state.role !== 'leader', 'a leader does not campaign')
  state.votes.clear()
  state.role = 'preCandidate'
  state.leader = noNode
  state.config.logger.info('became pre-candidate', { term: state.term })
}

function becomeCandidate(state: RaftState): void {
  assert(state.role !== 'leader', 'a leader does not campaign')
  resetState(state, state.term + 1)
  state.role = 'candidate'
  state.vote = state.id
  state.config.logger.info('became candidate', { term: state.term })
}
