import type { Clock } from '../base/clock.ts'
import type { NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { Message } from '../raft/message.ts'
import type { TlsDialer } from '../io/tls-client.ts'
import type { LocalIdentity } from './handshake.ts'

/** What every part of the transport works with. */
export interface PeerContext {
  readonly clock: Clock
  readonly logger: Logger
  readonly identity: LocalIdentity
  /** How members with `https` URLs are dialled. */
  readonly tls?: TlsDialer | undefined
  /** A message came in from a member; checks the receiver and hands it on. */
  receive(message: Message, sender: NodeId): void
  /** Somebody told us that we were removed from the cluster. */
  reportSelfRemoved(): void
}

/** Limits and times of the transport, in one table with the reason beside each. */
export const peerLimits = {
  /** A stream without a byte for this long is dead: TCP's own keep-alive takes hours. */
  readTimeoutMs: 5_000,
  /** A sign of life three times within the read timeout, so that one may be late. */
  linkHeartbeatMs: 5_000 / 3,
  /** First wait before dialling again: ten times a second costs nothing, and an election takes ten times as long. */
  dialWaitMs: 100,
  /** Longest wait: a member that comes back is found in well under an election timeout. */
  dialWaitMsMax: 400,
  /** Establishing a connection and getting the head of the answer. */
  dialTimeoutMs: 5_000,
  /** Messages and bytes waiting for one stream; beyond, messages are dropped and Raft sends them again. */
  streamMessagesMax: 4_096,
  streamBytesMax: 16 * 1024 * 1024,
  /** The pipeline is a fallback: few requests at once, few waiting. */
  pipelineRequestsMax: 4,
  pipelineQueueMax: 64,
  pipelineTimeoutMs: 5_000,
  /** A snapshot may take as long as it must, but not stand still. */
  snapshotIdleTimeoutMs: 30_000,
  probeIntervalMs: 4_000,
  /** Clocks further apart than this are worth a warning. */
  clockDifferenceMs: 1_000,
} as const
