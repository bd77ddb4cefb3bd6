/**
 * What a Raft node wants done, and in which order.
 *
 * The host takes one `Ready` at a time and must, in this order: (1) it may send `messages` at once; (2) write `snapshot`,
 * `entries` and `hardState` to the log, and sync when `mustSync`; (3) only then send `messagesAfterPersist`, because each
 * of them vouches for what was just written; (4) hand `committedEntries` to the applier, in order; (5) call `advance`.
 * A single voter may find an entry both in `entries` and in `committedEntries` of one Ready: it must not be applied,
 * let alone answered, before step 2 is done.
 */
import type { NodeId } from '../base/ids.ts'
import type { ConfState, Entry, HardState, LogIndex, Message, Snapshot, Term } from './message.ts'

export type RaftRole = 'follower' | 'preCandidate' | 'candidate' | 'leader'

/** Who leads and what this node is; need not be stored. */
export interface SoftState {
  readonly leader: NodeId
  readonly role: RaftRole
}

/** A read request is confirmed: it may be served once `index` has been applied. */
export interface ReadState {
  readonly index: LogIndex
  readonly context: Uint8Array
}

export interface Ready {
  /** Present when it changed. */
  readonly softState: SoftState | undefined
  /** Present when it changed. */
  readonly hardState: HardState | undefined
  readonly readStates: readonly ReadState[]
  /** To be written to the log; they replace whatever the log holds from their first index on. */
  readonly entries: readonly Entry[]
  /** To be stored, and installed in place of the state machine's content. */
  readonly snapshot: Snapshot | undefined
  /** To be applied, in order. */
  readonly committedEntries: readonly Entry[]
  readonly messages: readonly Message[]
  readonly messagesAfterPersist: readonly Message[]
  /** Whether step 2 must be synced: there are entries, or term or vote changed. */
  readonly mustSync: boolean
}

/** What can be seen of a node from outside. */
export interface RaftStatus {
  readonly id: NodeId
  readonly role: RaftRole
  readonly leader: NodeId
  readonly transferee: NodeId
  readonly term: Term
  readonly vote: NodeId
  readonly commit: LogIndex
  readonly applied: LogIndex
  readonly lastIndex: LogIndex
  readonly isLearner: boolean
  readonly confState: ConfState
  /** Filled on a leader only. */
  readonly progress: ReadonlyMap<NodeId, PeerProgress>
}

export interface PeerProgress {
  readonly match: LogIndex
  readonly next: LogIndex
  readonly state: 'probe' | 'replicate' | 'snapshot'
  readonly isPaused: boolean
  readonly isRecentlyActive: boolean
  readonly isLearner: boolean
}
