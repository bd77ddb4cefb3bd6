/** What a node counts while it runs, for monitoring. Parts only count; this reads. */
import type { TimeHistogram } from '../base/time-histogram.ts'
import type { NodeId } from '../base/ids.ts'
import type { OperationCounts } from '../mvcc/operation-counts.ts'
import type { PeerFigures } from '../peer/peer-transport.ts'
import type { ApplyTimes } from './apply-pace.ts'
import { describeNode, type NodeStatus } from './node-status.ts'
import type { NodeParts } from './node-parts.ts'

export interface NodeFigures {
  readonly status: NodeStatus
  /** Times at which a leader was seen that did not lead before. */
  readonly leaderChangeCount: number
  /** Requests that wait for their effect. */
  readonly pendingProposalCount: number
  /** Requests whose wait ended without their effect. */
  readonly failedProposalCount: number
  readonly watcherCount: number
  /** Watchers that read history. */
  readonly laggingWatcherCount: number
  readonly peers: ReadonlyMap<NodeId, PeerFigures>
  /** Members that there is a connection with, by id. */
  readonly activePeers: readonly NodeId[]
  readonly logSyncTimes: TimeHistogram
  readonly logWrittenBytes: number
  /** Of the database in force; undefined where it is in memory. */
  readonly databaseCommitTimes: TimeHistogram | undefined
  readonly isDefragmenting: boolean
  readonly operations: OperationCounts
  /** Ranges outside of transactions. */
  readonly rangeCount: number
  /** Keys that there are now. */
  readonly keyCount: number
  readonly leases: LeaseFigures
  readonly authRevision: number
  /** By kind of request. */
  readonly applyTimes: readonly ApplyTimes[]
  /** Requests and reads that took longer than they should. */
  readonly slowApplyCount: number
  /** Questions for a read index that were answered too late or not in time. */
  readonly slowReadIndexCount: number
  /** Such questions that a change of leaders left without an answer. */
  readonly failedReadIndexCount: number
  /** Heartbeats that this member sent too late while it led. */
  readonly lateHeartbeatCount: number
  /** Whether a received database is being put in force. */
  readonly isInstalling: boolean
}

/** Of leases, since the start. */
export interface LeaseFigures {
  /** Times to live of those that were granted. */
  readonly grantedTtls: TimeHistogram
  readonly revokedCount: number
  /** By this node. */
  readonly renewedCount: number
  readonly expiredCount: number
}

const allKeys = { start: Uint8Array.of(0), end: 'unbounded' as const }

/**
 * The present figures.
 * @param told  etcd version told to clients; ranges that the node has counted
 */
export function figuresOf(
  parts: NodeParts,
  told: { readonly version: string; readonly rangeCount: number },
): NodeFigures {
  const { leadership, proposals, machine, wal } = parts
  const { store, auth } = machine.state
  const { version, rangeCount } = told
  const peers = parts.transport.figures?.() ?? new Map<NodeId, PeerFigures>()
  return {
    status: describeNode(parts, version),
    leaderChangeCount: leadership.changeCount,
    pendingProposalCount: proposals.waitingCount,
    failedProposalCount: proposals.failedCount,
    watcherCount: machine.watchHub.watcherCount,
    laggingWatcherCount: machine.watchHub.laggingCount,
    peers,
    activePeers: [...peers.keys()].filter((id) => parts.transport.activeSinceMs(id) !== undefined),
    logSyncTimes: wal.syncTimes,
    logWrittenBytes: wal.writtenBytes,
    databaseCommitTimes: machine.state.backend.commitTimes,
    isDefragmenting: machine.isDefragmenting,
    operations: machine.operations,
    rangeCount,
    keyCount: store.readRange(allKeys, { revision: 0, limit: 0, isCountOnly: true }).count,
    leases: parts.leaseExpiry,
    authRevision: auth.revision,
    applyTimes: [...parts.applyPace.all()],
    slowApplyCount: parts.applyPace.slowCount,
    slowReadIndexCount: parts.reads.slowCount,
    failedReadIndexCount: parts.reads.failedCount,
    lateHeartbeatCount: parts.heartbeatPace.lateCount,
    isInstalling: machine.isInstalling,
  }
}
