import type { NodeId } from '../base/ids.ts'
import type { ConfChange, ConfState, EntryKind, LogIndex, Message, Term } from './message.ts'
import type { RaftConfig } from './raft-config.ts'
import type { RaftRole, RaftStatus, Ready } from './ready.ts'

/**
 * What became of a proposal. 'accepted': appended here, or passed on to the leader; whether it commits is only known
 * when it is applied. 'confChangePending': an empty entry took the change's place; the asker must be told no.
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

/** What became of a message from the network. */
export type StepOutcome = 'taken' | 'refusedLocalKind' | 'refusedUnknownPeer'

/** A member of a new cluster; `data` is the encoded change that adds it, the same bytes on every member. */
export interface BootstrapPeer {
  readonly id: NodeId
  readonly data: Uint8Array
}

export declare class RaftNode {
  constructor(config: RaftConfig)
  readonly id: NodeId
  get role(): RaftRole
  get leader(): NodeId
  get term(): Term
  get commit(): LogIndex
  get applied(): LogIndex
  get lastIndex(): LogIndex
  get confState(): ConfState
  bootstrap(peers: readonly BootstrapPeer[]): void
  tick(): void
  step(message: Message): StepOutcome
  propose(data: readonly Uint8Array[]): ProposalOutcome
  proposeConfChange(entry: {
    readonly kind: Exclude<EntryKind, 'normal'>
    readonly data: Uint8Array
  }): ProposalOutcome
  readIndex(context: Uint8Array): 'accepted' | 'noLeader'
  transferLeader(transferee: NodeId): void
  campaign(): void
  forgetLeader(): void
  hasReady(): boolean
  ready(): Ready
  advance(): void
  applyConfChange(change: ConfChange): ConfState
  reportUnreachable(peer: NodeId): void
  reportSnapshot(peer: NodeId, outcome: 'delivered' | 'failed'): void
  status(): RaftStatus
}
