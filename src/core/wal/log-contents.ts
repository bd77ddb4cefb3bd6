import type { ClusterId, NodeId } from '../base/ids.ts'
import type { ConfState, LogIndex, Term } from '../raft/message.ts'

/** Whose log this is; the same in every segment. */
export interface WalMetadata {
  readonly nodeId: NodeId
  readonly clusterId: ClusterId
}

/** A snapshot that the log knows of. `confState` is absent at index 0 and in logs of etcd 3.4 and before. */
export interface WalSnapshotMarker {
  readonly index: LogIndex
  readonly term: Term
  readonly confState: ConfState | undefined
}

/** A position in the log: everything up to here is covered by a snapshot. */
export interface WalPosition {
  readonly index: LogIndex
  readonly term: Term
}
