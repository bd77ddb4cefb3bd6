/**
 * One store node: builds its parts, starts and stops them in order, and is the door through which requests come in.
 */
import type {
  AlarmResult,
  CompactResult,
  DeleteRangeResult,
  PutResult,
  RangeResult,
  TxnResult,
} from '../apply/apply-result.ts'
import { InvariantViolation } from '../base/assert.ts'
import type { ClusterId, NodeId } from '../base/ids.ts'
import type { Member } from '../membership/member.ts'
import type {
  AlarmRequest,
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../proto/gen/rpc.ts'
import type { Term } from '../raft/message.ts'
import type { WatchHub } from '../watch/watch-hub.ts'
import type { NodeConfig } from './node-config.ts'
import type { NodeEnvironment } from './node-environment.ts'
import type { NodeStatus, StopReason } from './node-status.ts'

/** Options of every call that may wait. */
export interface CallOptions {
  /** Ends the wait; a write may still happen. */
  readonly signal?: AbortSignal
}

/** Hash over all revisions up to `hashRevision`. */
export interface HashKvResult {
  readonly hash: number
  readonly compactedRevision: number
  readonly hashRevision: number
  readonly revision: number
}

/**
 * A running node. Every method may reject with `StoreError` `stopped` once it is not running any more.
 */
export class StoreNode {
  readonly memberId: NodeId
  readonly clusterId: ClusterId
  /** Resolves once a leader is known and this member has published itself; rejects when it stops before. */
  readonly ready: Promise<void>
  /** Resolves when the node has stopped, whether by itself or asked to. */
  readonly stopped: Promise<StopReason>
  /** Feeds watchers; lives as long as the node. */
  readonly watchHub: WatchHub

  private constructor() {
    throw new InvariantViolation('under construction')
  }

  /**
   * Recovers what the data directory holds, or begins a new one, and starts.
   * @throws StorageFault for damaged data; Error with a plain sentence for a directory or configuration that does not fit
   */
  static start(environment: NodeEnvironment, config: NodeConfig): Promise<StoreNode> {
    throw new InvariantViolation(
      `under construction ${config.name} ${String(environment.clock.wallMs())}`,
    )
  }

  /** 0 while none is known. */
  get leaderId(): NodeId {
    throw new InvariantViolation('under construction')
  }
  get raftTerm(): Term {
    throw new InvariantViolation('under construction')
  }
  get currentRevision(): number {
    throw new InvariantViolation('under construction')
  }
  get isLearner(): boolean {
    throw new InvariantViolation('under construction')
  }

  declare put: (request: PutRequest, options?: CallOptions) => Promise<PutResult>
  declare deleteRange: (
    request: DeleteRangeRequest,
    options?: CallOptions,
  ) => Promise<DeleteRangeResult>
  /** A transaction of reads alone is served like a range, without the log. */
  declare txn: (request: TxnRequest, options?: CallOptions) => Promise<TxnResult>
  /** `physical` waits until superseded revisions are really gone. */
  declare compact: (request: CompactionRequest, options?: CallOptions) => Promise<CompactResult>
  declare range: (request: RangeRequest, options?: CallOptions) => Promise<RangeResult>
  /** Waits until this node has applied everything committed before the call. */
  declare confirmReads: (options?: CallOptions) => Promise<void>
  declare alarm: (request: AlarmRequest, options?: CallOptions) => Promise<AlarmResult>
  /** Sorted by id. */
  declare listMembers: (
    options: CallOptions & { readonly isLinearizable: boolean },
  ) => Promise<readonly Member[]>
  declare hashKv: (revision: number) => Promise<HashKvResult>
  declare status: () => NodeStatus
  /** Hands leadership to the voter connected longest; `target` 0 lets the node choose. */
  declare transferLeadership: (target: NodeId, options?: CallOptions) => Promise<void>
  /** Graceful: hands over leadership, finishes what is being applied, makes everything durable, closes. */
  declare stop: () => Promise<void>
  /** For the simulator: everything ends at once, as if the power had failed. No effect follows. */
  declare kill: () => void
}
