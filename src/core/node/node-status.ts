/** What a node tells about itself without asking anybody. */
import type { Alarm } from '../apply/apply-result.ts'
import type { NodeId } from '../base/ids.ts'
import type { LogIndex, Term } from '../raft/message.ts'
import type { PeerProgress, RaftRole } from '../raft/ready.ts'

export interface NodeStatus {
  /** etcd version as told to clients. */
  readonly version: string
  /** Version of the stored format, as major.minor.0. */
  readonly storageVersion: string
  /** 0 while none is known. */
  readonly leader: NodeId
  readonly role: RaftRole
  readonly isLearner: boolean
  /** Highest committed index. */
  readonly raftIndex: LogIndex
  readonly raftAppliedIndex: LogIndex
  readonly raftTerm: Term
  readonly revision: number
  readonly compactedRevision: number
  readonly dbSizeBytes: number
  readonly dbSizeInUseBytes: number
  readonly dbQuotaBytes: number
  readonly alarms: readonly Alarm[]
  /** `etcdserver: no leader` and one line per alarm, as etcd words them. */
  readonly errors: readonly string[]
  /** Filled on a leader only. */
  readonly progress: ReadonlyMap<NodeId, PeerProgress>
}

/** Why a node ended by itself. */
export type StopReason =
  | { readonly kind: 'stopped' }
  /** The cluster removed this member. */
  | { readonly kind: 'removed' }
  /** Damaged or unwritable data, or a bug; `error` says which. */
  | { readonly kind: 'fault'; readonly error: Error }
