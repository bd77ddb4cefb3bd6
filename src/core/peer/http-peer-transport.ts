import type { IncomingMessage, ServerResponse } from 'node:http'
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { ClusterId, NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { Message, SnapshotMessage } from '../raft/message.ts'
import type { PeerAddress, PeerTransport, PeerTransportHost } from './peer-transport.ts'

/** One further route of the peer port, beside Raft's own. Answers the request completely. */
export type PeerRoute = (request: IncomingMessage, response: ServerResponse) => void

export interface HttpPeerTransportConfig {
  readonly nodeId: NodeId
  readonly clusterId: ClusterId
  /** Where to listen, `http://host:port`; port 0 takes a free one. */
  readonly listenUrls: readonly string[]
  /** What others are told to reach this member by. */
  readonly advertisedUrls: readonly string[]
  /** `X.Y.Z` told to other members. */
  readonly serverVersion: string
  /** Oldest version that may talk to us; 3.0.0 when absent. */
  readonly minimumClusterVersion?: string
  /** What `GET /members` answers, as JSON. */
  readonly membersAnswer: () => unknown
  /** What `GET /version` answers, as JSON. */
  readonly versionAnswer: () => unknown
  /** Further routes by exact path, or by prefix when the key ends with a slash. */
  readonly routes?: Readonly<Record<string, PeerRoute>>
}

/** Raft messages over HTTP/1.1 as etcd's rafthttp does it. */
export class HttpPeerTransport implements PeerTransport {
  constructor(
    _environment: { readonly clock: Clock; readonly logger: Logger },
    _config: HttpPeerTransportConfig,
  ) {
    assert(false, 'the transport follows in the next commits')
  }
  /** URLs really listened on, with the ports taken. */
  get boundUrls(): readonly string[] {
    return []
  }
  start(_host: PeerTransportHost): Promise<void> {
    return Promise.resolve()
  }
  send(_messages: readonly Message[]): void {
    return
  }
  sendSnapshot(_message: SnapshotMessage, _chunks: AsyncIterable<Uint8Array>): void {
    return
  }
  addPeer(_peer: PeerAddress): void {
    return
  }
  updatePeer(_peer: PeerAddress): void {
    return
  }
  removePeer(_peer: NodeId): void {
    return
  }
  activeSinceMs(_peer: NodeId): number | undefined {
    return undefined
  }
  stop(): Promise<void> {
    return Promise.resolve()
  }
}
