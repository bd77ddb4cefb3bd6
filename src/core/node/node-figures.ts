/** What a node counts while it runs, for monitoring. Parts only count; this reads. */
import type { TimeHistogram } from '../base/time-histogram.ts'
import type { NodeId } from '../base/ids.ts'
import type { PeerFigures } from '../peer/peer-transport.ts'
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
  readonly logSyncTimes: TimeHistogram
  /** Of the database in force; undefined where it is in memory. */
  readonly databaseCommitTimes: TimeHistogram | undefined
}

/** The present figures. @param version  etcd version told to clients */
export function figuresOf(parts: NodeParts, version: string): NodeFigures {
  const { leadership, proposals, machine, wal } = parts
  return {
    status: describeNode(parts, version),
    leaderChangeCount: leadership.changeCount,
    pendingProposalCount: proposals.waitingCount,
    failedProposalCount: proposals.failedCount,
    watcherCount: machine.watchHub.watcherCount,
    laggingWatcherCount: machine.watchHub.laggingCount,
    peers: parts.transport.figures?.() ?? new Map(),
    logSyncTimes: wal.syncTimes,
    databaseCommitTimes: machine.state.backend.commitTimes,
  }
}
