/**
 * The gate that every message passes: terms first, then votes, then the role (section 5.1 of the Raft paper).
 */
import { assertNever } from '../base/assert.ts'
import { hexId, noNode } from '../base/ids.ts'
import { stepCandidate } from './candidate.ts'
import {
  answerVoteRequest,
  becomeFollower,
  isLeaseInForce,
  startCampaign,
  tickElection,
} from './election.ts'
import { proposeAsFollower, requestReadAsFollower, stepFollower } from './follower.ts'
import { proposeAsLeader, stepLeader, tickLeader } from './leader.ts'
import type { Message, ProposeMessage, ReadIndexMessage } from './message.ts'
import { send } from './outbox.ts'
import type { Proposal, ProposalOutcome, RaftState } from './raft-state.ts'
import { takeReadAtLeader } from './read-index.ts'

/** Takes one message. Local ones carry the term 0 and pass the gate as they are. */
export function step(state: RaftState, message: Message): void {
  if (message.term > state.term) {
    if (!admitHigherTerm(state, message)) return
  } else if (message.term < state.term && message.term !== 0) {
    answerLowerTerm(state, message)
    return
  }
  switch (message.kind) {
    case 'campaign':
      startCampaign(state, state.config.usesPreVote ? 'preElection' : 'election')
      break
    case 'vote':
    case 'preVote':
      answerVoteRequest(state, message)
      break
    case 'propose':
      proposeForPeer(state, message)
      break
    case 'readIndex':
      requestRead(state, message)
      break
    default:
      stepRole(state, message)
  }
}

/** One tick of the clock that the host keeps. */
export function tick(state: RaftState): void {
  if (state.role === 'leader') tickLeader(state)
  else tickElection(state)
}

/** Proposes entries to whoever leads. */
export function propose(state: RaftState, proposals: readonly Proposal[]): ProposalOutcome {
  switch (state.role) {
    case 'leader':
      return proposeAsLeader(state, proposals)
    case 'follower':
      return proposeAsFollower(state, proposals)
    case 'candidate':
    case 'preCandidate':
      return 'noLeader'
    default:
      return assertNever(state.role, 'role')
  }
}

/** Proposes what a peer passed on; a follower passes it on further. */
function proposeForPeer(state: RaftState, message: ProposeMessage): void {
  propose(state, message.entries)
  const peer = state.progress.get(message.from)
  if (state.role === 'leader' && peer !== undefined) peer.proposedIndex = state.log.lastIndex()
}

/** Asks whoever leads for an index that a read may rely on. */
export function requestRead(state: RaftState, request: ReadIndexMessage): 'accepted' | 'noLeader' {
  switch (state.role) {
    case 'leader':
      takeReadAtLeader(state, request)
      return 'accepted'
    case 'follower':
      return requestReadAsFollower(state, request)
    case 'candidate':
    case 'preCandidate':
      return 'noLeader'
    default:
      return assertNever(state.role, 'role')
  }
}

function stepRole(state: RaftState, message: Message): void {
  switch (state.role) {
    case 'leader':
      stepLeader(state, message)
      break
    case 'follower':
      stepFollower(state, message)
      break
    case 'candidate':
    case 'preCandidate':
      stepCandidate(state, message)
      break
    default:
      assertNever(state.role, 'role')
  }
}

/** Moves to a later term where the message calls for it. Whether the message is to be taken at all. */
function admitHigherTerm(state: RaftState, message: Message): boolean {
  switch (message.kind) {
    case 'vote':
    case 'preVote':
      // Silence, not a rejection: an answer could depose the asker's own view of things for no gain.
      if (!message.isTransfer && isLeaseInForce(state)) return false
      // A pre-vote asks about a term that has not begun.
      if (message.kind === 'vote') becomeFollower(state, message.term, noNode)
      return true
    case 'preVoteResponse':
      // A grant carries the term that was asked about; it begins when a quorum has granted.
      if (message.isRejected) becomeFollower(state, message.term, noNode)
      return true
    case 'append':
    case 'heartbeat':
    case 'snapshot':
      becomeFollower(state, message.term, message.from)
      return true
    default:
      becomeFollower(state, message.term, noNode)
      return true
  }
}

/** Old messages are ignored, except where silence would keep the sender or this node stuck. */
function answerLowerTerm(state: RaftState, message: Message): void {
  const { config, id: from, term } = state
  const { from: to } = message
  switch (message.kind) {
    case 'append':
    case 'heartbeat':
      // A node whose term ran ahead cannot depose the leader by a vote that leases ignore; this answer does.
      if (config.checksQuorum || config.usesPreVote) {
        send(state, {
          kind: 'appendResponse',
          from,
          to,
          term,
          index: 0,
          isRejected: false,
          rejectHint: 0,
          hintTerm: 0,
        })
      }
      break
    case 'preVote':
      // Tells an asker whose log is ahead but whose term is behind that it has to catch up.
      send(state, { kind: 'preVoteResponse', from, to, term, isRejected: true })
      break
    default:
      config.logger.debug('message of an older term ignored', {
        kind: message.kind,
        peer: hexId(to),
        term: message.term,
      })
  }
}
