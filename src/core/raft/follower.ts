/** What a follower does with messages; appends, heartbeats and snapshots also reach a candidate that falls back. */
import { hexId, noNode } from '../base/ids.ts'
import { startCampaign } from './election.ts'
import type {
  AppendMessage,
  HeartbeatMessage,
  LogIndex,
  Message,
  ReadIndexMessage,
  Snapshot,
  SnapshotMessage,
} from './message.ts'
import { normalizedConfState } from './conf-change.ts'
import { send } from './outbox.ts'
import { adoptConfState } from './raft-state.ts'
import type { Proposal, ProposalOutcome, RaftState } from './raft-state.ts'

/** Takes a message of this term. */
export function stepFollower(state: RaftState, message: Message): void {
  switch (message.kind) {
    case 'append':
      hearLeader(state, message)
      handleAppend(state, message)
      break
    case 'heartbeat':
      hearLeader(state, message)
      handleHeartbeat(state, message)
      break
    case 'snapshot':
      hearLeader(state, message)
      handleSnapshot(state, message)
      break
    case 'transferLeader':
      if (state.leader !== noNode) {
        send(state, { ...message, to: state.leader, term: state.term })
      }
      break
    case 'timeoutNow':
      state.config.logger.info('asked to take over the leadership', { term: state.term })
      startCampaign(state, 'transfer')
      break
    case 'readIndexResponse':
      state.readStates.push({ index: message.index, context: message.context })
      break
    case 'forgetLeader':
      // Under lease reads the leader relies on not being forgotten.
      if (state.config.readMode !== 'lease') state.leader = noNode
      break
    default:
  }
}

/** Passes proposals on to the leader, who gives them their place and term. */
export function proposeAsFollower(
  state: RaftState,
  proposals: readonly Proposal[],
): ProposalOutcome {
  if (state.leader === noNode) return 'noLeader'
  if (!state.config.forwardsProposals) return 'forwardingDisabled'
  const entries = proposals.map(({ kind, data }) => ({ index: 0, term: 0, kind, data }))
  send(state, { kind: 'propose', from: state.id, to: state.leader, term: 0, entries })
  return 'accepted'
}

/** Passes a read on to the leader. */
export function requestReadAsFollower(
  state: RaftState,
  request: ReadIndexMessage,
): 'accepted' | 'noLeader' {
  if (state.leader === noNode) return 'noLeader'
  send(state, { ...request, to: state.leader })
  return 'accepted'
}

/** Takes a leader's entries where the logs agree before them; else tells how far back they might. */
export function handleAppend(state: RaftState, message: AppendMessage): void {
  const { log } = state
  const { previousIndex, previousTerm, entries } = message
  if (!isWellFormed(message)) {
    state.config.logger.warn('malformed append ignored', { peer: hexId(message.from) })
    return
  }
  if (previousIndex < log.committed) {
    acknowledgeAppend(state, message, log.committed)
    return
  }
  if (!log.hasEntry(previousIndex, previousTerm)) {
    rejectAppend(state, message)
    return
  }
  log.takeFromLeader(entries)
  const lastNew = previousIndex + entries.length
  log.commitTo(Math.min(message.commit, lastNew))
  acknowledgeAppend(state, message, lastNew)
}

export function handleHeartbeat(state: RaftState, message: HeartbeatMessage): void {
  state.log.commitTo(message.commit)
  const { id: from, term } = state
  const { from: to, context } = message
  send(state, { kind: 'heartbeatResponse', from, to, term, context })
}

export function handleSnapshot(state: RaftState, message: SnapshotMessage): void {
  const isRestored = restoreSnapshot(state, message.snapshot)
  const index = isRestored ? state.log.lastIndex() : state.log.committed
  acknowledgeAppend(state, message, index)
}

/**
 * Replaces the log by a snapshot. Whether it did: an outdated snapshot changes nothing, one that agrees with the log only
 * moves the commit index (the log may hold acknowledged entries beyond it), and one that does not know this node would
 * leave it outside of the cluster.
 */
function restoreSnapshot(state: RaftState, snapshot: Snapshot): boolean {
  const { index, term, confState } = snapshot.metadata
  const { log } = state
  const { logger } = state.config
  if (index <= log.committed) return false
  const { voters, learners, votersOutgoing } = confState
  // Whoever waits in learnersNext still votes in the outgoing half.
  if (![voters, learners, votersOutgoing].some((ids) => ids.includes(state.id))) {
    logger.warn('snapshot refused: this node is not a member in it', { index, term })
    return false
  }
  if (log.hasEntry(index, term)) {
    log.commitTo(index)
    return false
  }
  logger.info('restoring snapshot', { index, term })
  log.restore(snapshot)
  state.progress = new Map()
  adoptConfState(state, normalizedConfState(confState))
  return true
}

function hearLeader(state: RaftState, message: Message): void {
  state.electionElapsed = 0
  state.leader = message.from
}

function acknowledgeAppend(
  state: RaftState,
  message: AppendMessage | SnapshotMessage,
  index: LogIndex,
): void {
  send(state, {
    kind: 'appendResponse',
    from: state.id,
    to: message.from,
    term: state.term,
    index,
    isRejected: false,
    rejectHint: 0,
    hintTerm: 0,
  })
}

function rejectAppend(state: RaftState, message: AppendMessage): void {
  const { log } = state
  // The leader's log has `previousTerm` there, so nothing of this log with a later term can agree.
  const start = Math.min(message.previousIndex, log.lastIndex())
  const hint = log.findConflictByTerm(start, message.previousTerm)
  state.config.logger.debug('append rejected', {
    peer: hexId(message.from),
    index: message.previousIndex,
    hintIndex: hint.index,
  })
  send(state, {
    kind: 'appendResponse',
    from: state.id,
    to: message.from,
    term: state.term,
    index: message.previousIndex,
    isRejected: true,
    rejectHint: hint.index,
    hintTerm: hint.term,
  })
}

/** Entries follow each other without a gap, with terms that never fall and none beyond the sender's. */
function isWellFormed(message: AppendMessage): boolean {
  let index = message.previousIndex
  let term = message.previousTerm
  for (const entry of message.entries) {
    index++
    if (entry.index !== index || entry.term < term || entry.term > message.term) return false
    term = entry.term
  }
  return true
}
