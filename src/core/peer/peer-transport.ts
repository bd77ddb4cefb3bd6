/**
 * The way of Raft messages between members.
 *
 * Sending never waits and may lose anything: Raft tolerates loss, duplication and reordering, it does not tolerate being
 * blocked. The seam between the real network and the simulated one.
 */
import type { TimeHistogram } from '../base/time-histogram.ts'
import type { NodeId } from '../base/ids.ts'
import type { Message, SnapshotMessage } from '../raft/message.ts'

/** A member as the transport knows it. */
export interface PeerAddress {
  readonly id: NodeId
  readonly peerUrls: readonly string[]
}

/** What the host is told; called from the transport's own turns. */
export interface PeerTransportHost {
  /** A message for this member arrived; the transport has checked cluster, receiver and sender. */
  receive(message: Message): void
  /**
   * A snapshot arrived: store the chunks durably, then step the message.
   * Resolves when the database is stored; a rejection is reported to the sender as a failure.
   */
  receiveSnapshot(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void>
  /** The peer could not be reached; reported at most once until it is heard again. */
  reportUnreachable(peer: NodeId): void
  /** A snapshot was delivered, or was not. */
  reportSnapshot(peer: NodeId, outcome: 'delivered' | 'failed'): void
  /** Whether this member was removed from the cluster: its messages are refused and it is told so. */
  isRemoved(peer: NodeId): boolean
  /** A peer says that this node itself was removed from the cluster. */
  reportSelfRemoved(): void
}

/** What was counted of one peer. */
export interface PeerFigures {
  /** Over the two streams that carry nearly everything. */
  readonly sentBytes: number
  readonly receivedBytes: number
  readonly sendFailureCount: number
  /** Of probes; undefined for somebody who is not probed. */
  readonly roundTripTimes: TimeHistogram | undefined
}

export interface PeerTransport {
  /** By member; absent in a transport that counts nothing. */
  figures?(): ReadonlyMap<NodeId, PeerFigures>
  /** Begins to listen and to dial. */
  start(host: PeerTransportHost): Promise<void>
  /** Queues messages; one to an unknown member is dropped. */
  send(messages: readonly Message[]): void
  /** Sends a snapshot with its database beside the other traffic; `chunks` is consumed once. */
  sendSnapshot(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): void
  addPeer(peer: PeerAddress): void
  updatePeer(peer: PeerAddress): void
  removePeer(peer: NodeId): void
  /** Monotonic milliseconds since when the peer has been connected without a break; undefined when it is not. */
  activeSinceMs(peer: NodeId): number | undefined
  stop(): Promise<void>
}
