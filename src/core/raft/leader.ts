/** What a leader does: replicate, commit, keep its majority, confirm reads, change the membership, hand over. */
import { assert } from '../base/assert.ts'
import { emptyBytes } from '../base/bytes.ts'
import { hexId, noNode } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import { advanceCommit } from './commit.ts'
import { isJoint, voterIds } from './conf-change.ts'
import { becomeFollower } from './election.ts'
import { abortTransfer, continueTransfer, startTransfer } from './leader-transfer.ts'
import type { AppendResponseMessage, HeartbeatResponseMessage, Message } from './message.ts'
import type { Progress } from './progress.ts'
import { voteResult } from './quorum.ts'
import { resetState } from './raft-state.ts'
import type { Proposal, ProposalOutcome, RaftState } from './raft-state.ts'
import { confirmReads, noteReadRound, readRoundContext } from './read-index.ts'
import {
  appendProposals,
  broadcastHeartbeat,
  isNoticeDue,
  sendAppend,
  sendPendingEntries,
} from './replication.ts'

/** Takes over after a won election and opens its term with an empty entry, so that older ones can commit. */
export function becomeLeader(state: RaftState): void {
  assert(state.role === 'candidate', 'only a candidate can win')
  resetState(state, state.term)
  state.role = 'leader'
  state.leader = state.id
  const own = state.progress.get(state.id)
  assert(own !== undefined, 'only a member can win')
  own.becomeReplicate()
  own.isRecentlyActive = true
  // The tail may hold a membership change that is not applied yet; another one waits until it is.
  state.pendingConfIndex = state.log.lastIndex()
  const isAppended = appendProposals(state, [{ kind: 'normal', data: emptyBytes }])
  assert(isAppended, 'an entry without payload is never refused')
  state.config.logger.info('became leader', { term: state.term })
}

/** One tick: heartbeats every H ticks; every E ticks a look at the quorum, and the end of a transfer's patience. */
export function tickLeader(state: RaftState): void {
  const { config } = state
  state.heartbeatElapsed++
  state.electionElapsed++
  if (state.electionElapsed >= config.electionTicks) {
    state.electionElapsed = 0
    if (config.checksQuorum && !holdsQuorum(state)) {
      config.logger.warn('stepping down: a quorum is not heard', { term: state.term })
      becomeFollower(state, state.term, noNode)
      return
    }
    if (state.transferee !== noNode) {
      abortTransfer(state)
      leaveJointWhenApplied(state)
    }
  }
  if (state.heartbeatElapsed < config.heartbeatTicks) return
  state.heartbeatElapsed = 0
  broadcastHeartbeat(state, readRoundContext(state))
}

/** Takes a message of this term. */
export function stepLeader(state: RaftState, message: Message): void {
  const peer = state.progress.get(message.from)
  if (peer === undefined) return
  switch (message.kind) {
    case 'appendResponse':
      handleAppendResponse(state, message, peer)
      break
    case 'heartbeatResponse':
      handleHeartbeatResponse(state, message, peer)
      break
    case 'snapshotStatus':
      if (peer.state !== 'snapshot') break
      // After a failure the snapshot is as good as never sent.
      if (message.isFailed) peer.pendingSnapshot = 0
      peer.becomeProbe()
      // Delivered: its acknowledgement will come. Failed: a heartbeat's round passes before the next attempt.
      peer.pause()
      break
    case 'unreachable':
      // Appends under way were probably lost; ask before sending more.
      if (peer.state === 'replicate') peer.becomeProbe()
      break
    case 'transferLeader':
      startTransfer(state, message.from)
      break
    default:
  }
}

/**
 * Gives proposals their place in the log. A membership change that may not start now leaves an empty entry in its place.
 * All proposals are taken, or none.
 */
export function proposeAsLeader(state: RaftState, proposals: readonly Proposal[]): ProposalOutcome {
  if (!state.progress.has(state.id)) return 'notMember'
  if (state.transferee !== noNode) return 'transferring'
  let admitted: Proposal[] | undefined
  let pendingConfIndex = state.pendingConfIndex
  let hasRefused = false
  for (let position = 0; position < proposals.length; position++) {
    const proposal = proposals[position]
    if (proposal === undefined || proposal.kind === 'normal') continue
    if (isConfChangeAdmitted(state, proposal, pendingConfIndex)) {
      pendingConfIndex = state.log.lastIndex() + position + 1
      continue
    }
    admitted ??= proposals.slice()
    admitted[position] = { kind: 'normal', data: emptyBytes }
    hasRefused = true
  }
  if (!appendProposals(state, admitted ?? proposals)) return 'tooMuchUncommitted'
  state.pendingConfIndex = pendingConfIndex
  return hasRefused ? 'confChangePending' : 'accepted'
}

/** Follows up a configuration that just took effect on the leader. */
export function continueAsLeader(state: RaftState): void {
  const own = state.progress.get(state.id)
  if ((own === undefined || own.isLearner) && state.config.stepsDownOnRemoval) {
    becomeFollower(state, state.term, noNode)
    return
  }
  // A smaller quorum may have been reached already.
  confirmReads(state)
  if (!advanceCommit(state)) {
    // New peers need not wait for the next proposal or heartbeat.
    for (const [id, peer] of state.progress) {
      if (id !== state.id) sendPendingEntries(state, id, peer)
    }
  }
  const isTransfereeGone = !voterIds(state.confState).includes(state.transferee)
  if (state.transferee !== noNode && isTransfereeGone) abortTransfer(state)
}

/**
 * Proposes to leave a joint configuration that leaves by itself, once it is applied. Tried again after each applied
 * entry and after a failed transfer, because proposals are dropped during one.
 */
export function leaveJointWhenApplied(state: RaftState): void {
  if (state.role !== 'leader' || !state.confState.autoLeave) return
  if (state.log.applied < state.pendingConfIndex) return
  const outcome = proposeAsLeader(state, [{ kind: 'confChangeV2', data: emptyBytes }])
  state.config.logger.info('leaving joint configuration', { outcome })
}

/** An empty change of the second kind leaves the joint configuration; all others need an ordinary one. */
function isConfChangeAdmitted(
  state: RaftState,
  proposal: Proposal,
  pendingConfIndex: number,
): boolean {
  const isLeave = proposal.kind === 'confChangeV2' && proposal.data.length === 0
  const isPending = pendingConfIndex > state.log.applied
  if (!isPending && isLeave === isJoint(state.confState)) return true
  state.config.logger.info('membership change refused', { isPending, isLeave })
  return false
}

function handleAppendResponse(
  state: RaftState,
  message: AppendResponseMessage,
  peer: Progress,
): void {
  const { log } = state
  peer.isRecentlyActive = true
  if (message.index > log.lastIndex()) {
    state.config.logger.warn('acknowledgement beyond the log ignored', {
      peer: hexId(message.from),
      index: message.index,
    })
    return
  }
  if (message.isRejected) {
    retreatPeer(state, message, peer)
    return
  }
  const isNews = peer.acknowledge(message.index)
  if (!isNews && (peer.match !== message.index || peer.state !== 'probe')) return
  if (peer.state === 'probe') peer.becomeReplicate()
  else if (peer.state === 'replicate') peer.inflights.freeThrough(message.index)
  else if (peer.match + 1 >= log.firstIndex()) {
    // The log reaches the peer again, by this or another snapshot. Probe first: it keeps the snapshot's index.
    peer.becomeProbe()
    peer.becomeReplicate()
  }
  const hasCommitted = advanceCommit(state)
  if (message.from === state.id) return
  if (!hasCommitted && isNoticeDue(state, peer)) sendAppend(state, message.from, peer)
  sendPendingEntries(state, message.from, peer)
  continueTransfer(state, message.from)
}

/** The peer's log does not agree there: go back as far as both logs' terms tell, at most one probe for each term. */
function retreatPeer(state: RaftState, message: AppendResponseMessage, peer: Progress): void {
  const { rejectHint, hintTerm, from } = message
  const hint = hintTerm > 0 ? state.log.findConflictByTerm(rejectHint, hintTerm).index : rejectHint
  if (!peer.retreat(message.index, hint)) return
  if (peer.state === 'replicate') peer.becomeProbe()
  sendAppend(state, from, peer)
}

function handleHeartbeatResponse(
  state: RaftState,
  message: HeartbeatResponseMessage,
  peer: Progress,
): void {
  peer.isRecentlyActive = true
  peer.resume()
  if (peer.match < state.log.lastIndex() || peer.state === 'probe') {
    sendAppend(state, message.from, peer)
  }
  noteReadRound(state, message.from, message.context)
}

/** Whether a quorum was heard since the last look; the next look begins here. */
function holdsQuorum(state: RaftState): boolean {
  const heard = new Map<NodeId, boolean>()
  for (const [id, peer] of state.progress) {
    heard.set(id, peer.isRecentlyActive)
    if (id !== state.id) peer.isRecentlyActive = false
  }
  return voteResult(state.confState, heard) === 'won'
}
