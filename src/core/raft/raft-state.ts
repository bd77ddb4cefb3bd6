/**
 * The record that the role functions read and write. One owner: the `RaftNode` that made it.
 */
import { assert } from '../base/assert.ts'
import { noNode } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import { memberIds, normalizedConfState } from './conf-change.ts'
import type { LogIndex, Message, ReadIndexMessage, Term } from './message.ts'
import type { ConfState, Entry, HardState } from './message.ts'
import { noPlantedBugs } from './planted-bugs.ts'
import type { PlantedBugs } from './planted-bugs.ts'
import { Progress } from './progress.ts'
import type { RaftConfig } from './raft-config.ts'
import { RaftLog } from './raft-log.ts'
import type { RaftRole, ReadState } from './ready.ts'

/**
 * What became of a proposal. 'accepted': appended here, or passed on to the leader; whether it commits is only known
 * when it is applied. 'confChangePending': an empty entry took the change's place, the asker must be told no.
 * All others: dropped without a trace.
 */
export type ProposalOutcome =
  | 'accepted'
  | 'noLeader'
  | 'transferring'
  | 'notMember'
  | 'tooMuchUncommitted'
  | 'forwardingDisabled'
  | 'confChangePending'

/** An entry before the leader gave it a place in the log. */
export type Proposal = Pick<Entry, 'kind' | 'data'>

/** A read that waits for a quorum to confirm the leader. */
export interface UnconfirmedRead {
  readonly request: ReadIndexMessage
  /** The commit index when the request arrived. */
  readonly index: LogIndex
}

export interface RaftState {
  readonly config: RaftConfig
  readonly id: NodeId
  readonly bugs: PlantedBugs
  readonly log: RaftLog

  /** Never falls. */
  term: Term
  /** Changes within a term only from none. */
  vote: NodeId
  role: RaftRole
  /** The leader of this term as far as known. */
  leader: NodeId
  confState: ConfState
  /** Everybody in `confState`, ascending, this node included. Kept on followers too: it tells who is a member. */
  progress: Map<NodeId, Progress>

  /** Answers to the campaign under way, the first of each voter. */
  votes: Map<NodeId, boolean>
  /** Ticks since the last election, or since the leader was heard; on a leader since the last look at the quorum. */
  electionElapsed: number
  heartbeatElapsed: number
  /** Drawn anew from [E, 2E) for each follower, candidate and leader. */
  electionTimeoutTicks: number

  /** Who is to take over the leadership; none usually. */
  transferee: NodeId
  /** No membership change is admitted before the log is applied up to here. */
  pendingConfIndex: LogIndex
  /** Payload of entries proposed in this term and not yet applied here. */
  uncommittedSizeBytes: number
  /** There are entries or a commit index that the peers have not been sent; they go out together at the next Ready. */
  isBroadcastDue: boolean
  /** The peers are to be told at the next Ready what is committed, though there be no entries for them. */
  isCommitNoticeDue: boolean

  /** Reads in order of arrival, behind the `confirmedReadCount` that this leader has answered. */
  unconfirmedReads: UnconfirmedRead[]
  confirmedReadCount: number
  /** Reads that came before this leader committed an entry of its own term. */
  parkedReads: ReadIndexMessage[]
  readStates: ReadState[]

  /** May leave at once. */
  messages: Message[]
  /** Vouch for the state as it is now, and leave once that is durable. */
  messagesAfterPersist: Message[]
  /** The same, from this node to itself: its own votes and acknowledgements count once they are durable. */
  messagesToSelf: Message[]
}

/** A node as it stands after a start: a follower of nobody, at the stored term. */
export function createRaftState(config: RaftConfig): RaftState {
  const { hardState, confState } = config.storage.initialState()
  const state: RaftState = {
    config,
    id: config.id,
    bugs: config.plantedBugs ?? noPlantedBugs,
    log: new RaftLog(config.storage, config.committedSizeBytesMax),
    term: hardState?.term ?? 0,
    vote: hardState?.vote ?? noNode,
    role: 'follower',
    leader: noNode,
    confState: normalizedConfState(confState),
    progress: new Map(),
    votes: new Map(),
    electionElapsed: 0,
    heartbeatElapsed: 0,
    electionTimeoutTicks: 0,
    transferee: noNode,
    pendingConfIndex: 0,
    uncommittedSizeBytes: 0,
    isBroadcastDue: false,
    isCommitNoticeDue: false,
    unconfirmedReads: [],
    confirmedReadCount: 0,
    parkedReads: [],
    readStates: [],
    messages: [],
    messagesAfterPersist: [],
    messagesToSelf: [],
  }
  assert(
    config.applied + 1 >= state.log.firstIndex(),
    'the state machine lacks entries that the log no longer holds',
  )
  state.log.commitTo(Math.max(hardState?.commit ?? 0, config.applied))
  state.log.appliedTo(config.applied)
  adoptConfState(state, state.confState)
  drawElectionTimeout(state)
  return state
}

/** Makes `confState` the one in force. Peers that stay keep their progress, whatever else changed. */
export function adoptConfState(state: RaftState, confState: ConfState): void {
  const next = Math.max(state.log.lastIndex(), 1)
  const previous = state.progress
  const progress = new Map<NodeId, Progress>()
  for (const id of memberIds(confState)) {
    const isLearner = confState.learners.includes(id)
    const known = previous.get(id)
    // A newcomer counts as active, or the next look at the quorum would depose the leader before it could answer.
    const peer = known ?? newProgress(state, { next, isLearner, isRecentlyActive: true })
    peer.isLearner = isLearner
    progress.set(id, peer)
  }
  state.confState = confState
  state.progress = progress
}

/** Begins a term, or the same term in another role: nothing is known of the peers, nobody leads. */
export function resetState(state: RaftState, term: Term): void {
  assert(term >= state.term, 'the term never falls')
  if (term !== state.term) {
    state.term = term
    state.vote = noNode
  }
  state.leader = noNode
  state.electionElapsed = 0
  state.heartbeatElapsed = 0
  drawElectionTimeout(state)
  state.transferee = noNode
  state.votes.clear()
  const lastIndex = state.log.lastIndex()
  for (const [id, { isLearner }] of state.progress) {
    const next = lastIndex + 1
    const peer = newProgress(state, { next, isLearner, isRecentlyActive: false })
    if (id === state.id) peer.match = lastIndex
    state.progress.set(id, peer)
  }
  state.pendingConfIndex = 0
  state.uncommittedSizeBytes = 0
  state.isBroadcastDue = false
  state.isCommitNoticeDue = false
  state.unconfirmedReads = []
  state.confirmedReadCount = 0
  state.parkedReads = []
}

/** The part of the state that must survive a crash, besides the entries. */
export function hardStateOf(state: RaftState): HardState {
  const vote = state.bugs.sendsVoteBeforePersist ? noNode : state.vote
  return { term: state.term, vote, commit: state.log.committed }
}

/** Whether this node may campaign: a voter whose received snapshot, if any, is installed. */
export function isPromotable(state: RaftState): boolean {
  const own = state.progress.get(state.id)
  return own !== undefined && !own.isLearner && state.log.unstable.snapshot === undefined
}

function newProgress(
  state: RaftState,
  start: {
    readonly next: LogIndex
    readonly isLearner: boolean
    readonly isRecentlyActive: boolean
  },
): Progress {
  const { inflightMessagesMax, inflightSizeBytesMax } = state.config
  return new Progress(start, { countMax: inflightMessagesMax, sizeBytesMax: inflightSizeBytesMax })
}

/** From [E, 2E): nodes that drew the same number once are unlikely to do so again, and split votes resolve. */
function drawElectionTimeout(state: RaftState): void {
  const { electionTicks, random } = state.config
  state.electionTimeoutTicks = electionTicks + random.below(electionTicks)
}
