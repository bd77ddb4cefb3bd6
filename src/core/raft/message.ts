/**
 * Everything that Raft nodes say to each other, and what the host tells its own node.
 *
 * One member per kind, with only the fields that kind uses. Kinds and fields mirror etcd's `raftpb.Message`, so that a
 * codec can map them one to one; see the peer folder. `term` 0 on a proposal or read request means "as if local".
 */
import type { NodeId } from '../base/ids.ts'

/** Position in the log, from 1; 0 means none. A safe integer. */
export type LogIndex = number
/** Epoch of a leader, from 1; 0 means none. A safe integer. */
export type Term = number

export type EntryKind = 'normal' | 'confChange' | 'confChangeV2'

/** One log entry. `data` is opaque to Raft; an empty normal entry opens each term. */
export interface Entry {
  readonly index: LogIndex
  readonly term: Term
  readonly kind: EntryKind
  readonly data: Uint8Array
}

/** What must survive a crash besides the entries. */
export interface HardState {
  readonly term: Term
  readonly vote: NodeId
  readonly commit: LogIndex
}

/** Who takes part, as stored with snapshots. Ids are sorted ascending. */
export interface ConfState {
  readonly voters: readonly NodeId[]
  readonly learners: readonly NodeId[]
  readonly votersOutgoing: readonly NodeId[]
  readonly learnersNext: readonly NodeId[]
  readonly autoLeave: boolean
}

export interface SnapshotMetadata {
  readonly index: LogIndex
  readonly term: Term
  readonly confState: ConfState
}

/** State up to `metadata.index`. `data` is opaque; the host carries the database beside the message. */
export interface Snapshot {
  readonly metadata: SnapshotMetadata
  readonly data: Uint8Array
}

interface Envelope {
  readonly from: NodeId
  readonly to: NodeId
  readonly term: Term
}

export interface ProposeMessage extends Envelope {
  readonly kind: 'propose'
  /** Type and data only; index and term are 0 until the leader appends them. */
  readonly entries: readonly Entry[]
}
export interface AppendMessage extends Envelope {
  readonly kind: 'append'
  /** Index and term of the entry just before `entries`. */
  readonly previousIndex: LogIndex
  readonly previousTerm: Term
  readonly entries: readonly Entry[]
  readonly commit: LogIndex
}
export interface AppendResponseMessage extends Envelope {
  readonly kind: 'appendResponse'
  /** Last new index, or the refused previous index. */
  readonly index: LogIndex
  readonly isRejected: boolean
  /** Where the follower's log may still agree, and the term there; 0 unless rejected. */
  readonly rejectHint: LogIndex
  readonly hintTerm: Term
}
export interface HeartbeatMessage extends Envelope {
  readonly kind: 'heartbeat'
  readonly commit: LogIndex
  readonly context: Uint8Array
}
export interface HeartbeatResponseMessage extends Envelope {
  readonly kind: 'heartbeatResponse'
  readonly context: Uint8Array
}
export interface VoteMessage extends Envelope {
  readonly kind: 'vote' | 'preVote'
  readonly lastIndex: LogIndex
  readonly lastTerm: Term
  /** Set during a leadership transfer: leases do not protect the old leader. */
  readonly isTransfer: boolean
}
export interface VoteResponseMessage extends Envelope {
  readonly kind: 'voteResponse' | 'preVoteResponse'
  readonly isRejected: boolean
}
export interface SnapshotMessage extends Envelope {
  readonly kind: 'snapshot'
  readonly snapshot: Snapshot
}
export interface TransferLeaderMessage extends Envelope {
  /** `from` is the node that should lead, not the sender. */
  readonly kind: 'transferLeader'
}
export interface TimeoutNowMessage extends Envelope {
  readonly kind: 'timeoutNow'
}
export interface ReadIndexMessage extends Envelope {
  readonly kind: 'readIndex'
  readonly context: Uint8Array
}
export interface ReadIndexResponseMessage extends Envelope {
  readonly kind: 'readIndexResponse'
  readonly index: LogIndex
  readonly context: Uint8Array
}

/** What the host reports about its own transport; refused when it comes from the network. */
export interface UnreachableMessage extends Envelope {
  readonly kind: 'unreachable'
}
export interface SnapshotStatusMessage extends Envelope {
  readonly kind: 'snapshotStatus'
  readonly isFailed: boolean
}
export interface CampaignMessage extends Envelope {
  readonly kind: 'campaign'
}
export interface ForgetLeaderMessage extends Envelope {
  readonly kind: 'forgetLeader'
}

export type Message =
  | ProposeMessage
  | AppendMessage
  | AppendResponseMessage
  | HeartbeatMessage
  | HeartbeatResponseMessage
  | VoteMessage
  | VoteResponseMessage
  | SnapshotMessage
  | TransferLeaderMessage
  | TimeoutNowMessage
  | ReadIndexMessage
  | ReadIndexResponseMessage
  | UnreachableMessage
  | SnapshotStatusMessage
  | CampaignMessage
  | ForgetLeaderMessage

export type MessageKind = Message['kind']

/** A membership change as the state machine decoded it from an entry. `node` 0 changes nothing. */
export interface ConfChange {
  readonly transition: 'auto' | 'jointImplicit' | 'jointExplicit'
  readonly changes: readonly ConfChangeSingle[]
}
export interface ConfChangeSingle {
  readonly action: 'addVoter' | 'addLearner' | 'remove' | 'update'
  readonly node: NodeId
}
