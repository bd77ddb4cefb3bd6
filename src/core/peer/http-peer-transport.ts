import type { ServerResponse } from 'node:http'
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { type ClusterId, hexId, type NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import { TlsDialer } from '../io/tls-client.ts'
import type { TlsFiles } from '../io/tls-files.ts'
import { StoreError } from '../errors/store-error.ts'
import type { Message, SnapshotMessage } from '../raft/message.ts'
import { isTravelling } from './message-codec.ts'
import type { PeerContext } from './peer-context.ts'
import { PeerLink } from './peer-link.ts'
import { PeerListener } from './peer-listener.ts'
import {
  jsonRoute,
  type PeerRoute,
  peerRequestHandler,
  type PeerRoutesHost,
} from './peer-routes.ts'
import type {
  PeerAddress,
  PeerFigures,
  PeerTransport,
  PeerTransportHost,
} from './peer-transport.ts'
import { peerUrlProblem } from './peer-url.ts'
import type { StreamKind } from './stream-codec.ts'

export interface HttpPeerTransportConfig {
  readonly nodeId: NodeId
  readonly clusterId: ClusterId
  /** Where to listen, `http://host:port`; port 0 takes a free one. */
  readonly listenUrls: readonly string[]
  /** What others are told to reach this member by. */
  readonly advertisedUrls: readonly string[]
  /** `X.Y.Z` told to other members. */
  readonly serverVersion: string
  /** Oldest version that may talk to us; 3.0.0 when absent, as in etcd. */
  readonly minimumClusterVersion?: string
  /** What `GET /members` answers: text as it stands, anything else as JSON. */
  readonly membersAnswer: () => unknown
  /** What `GET /version` answers, likewise. */
  readonly versionAnswer: () => unknown
  /** Further routes by exact path, or by prefix where the key ends with a slash. */
  readonly routes?: Readonly<Record<string, PeerRoute>>
}

/**
 * Raft messages over HTTP/1.1 as etcd's rafthttp carries them, so that one of our nodes can stand in a cluster of etcd's.
 *
 * Each member holds two long-lived streams from every other one: it asks for them with GET and hears messages on one, log
 * entries on the other. What must be said while a stream is not up goes by POST, snapshots by a POST of their own. Nothing
 * here waits for a peer: what does not fit into a bounded queue is dropped and reported as unreachable, and Raft says it
 * again when it matters. See `peer-routes.ts` for the routes and `stream-codec.ts` for the bytes.
 */
export class HttpPeerTransport implements PeerTransport {
  private readonly context: PeerContext
  private readonly config: HttpPeerTransportConfig
  private readonly listener: PeerListener
  private readonly members = new Map<NodeId, PeerLink>()
  /** Speakers that are no members as far as we know. Invariant: no id is in both maps. */
  private readonly remotes = new Map<NodeId, PeerLink>()
  private readonly removed = new Set<NodeId>()
  private host: PeerTransportHost | undefined
  /** Members added before the start; dialled with it. */
  private readonly waiting = new Map<NodeId, PeerAddress>()
  private isSelfRemovedReported = false
  private isStopped = false

  /** @throws StoreError  `memberBadUrls`: a URL of our own cannot be used */
  constructor(
    environment: {
      readonly clock: Clock
      readonly logger: Logger
      /** For URLs with `https`. */
      readonly tls?: TlsFiles | undefined
    },
    config: HttpPeerTransportConfig,
  ) {
    for (const url of [...config.listenUrls, ...config.advertisedUrls]) {
      const problem = peerUrlProblem(url)
      if (problem !== undefined) throw new StoreError('memberBadUrls', { url, reason: problem })
    }
    this.config = config
    const { clock, logger, tls } = environment
    this.context = {
      clock,
      logger,
      tls: tls === undefined ? undefined : new TlsDialer(tls),
      identity: {
        nodeId: config.nodeId,
        clusterId: config.clusterId,
        serverVersion: config.serverVersion,
        minimumClusterVersion: config.minimumClusterVersion ?? '3.0.0',
        advertisedUrls: config.advertisedUrls,
      },
      receive: (message, sender) => {
        this.receive(message, sender)
      },
      reportSelfRemoved: () => {
        this.reportSelfRemoved()
      },
    }
    this.listener = new PeerListener(
      { logger, tls },
      peerRequestHandler(this.context, this.routesHost(), this.furtherRoutes()),
    )
  }

  /** URLs really listened on, with the ports that were taken. */
  get boundUrls(): readonly string[] {
    return this.listener.boundUrls
  }

  async start(host: PeerTransportHost): Promise<void> {
    assert(this.host === undefined, 'a transport is started once')
    this.host = host
    await this.listener.listen(this.config.listenUrls)
    for (const peer of this.waiting.values()) this.addPeer(peer)
    this.waiting.clear()
  }

  send(messages: readonly Message[]): void {
    if (this.isStopped) return
    const touched = new Set<PeerLink>()
    const superseded = supersededResponses(messages)
    for (const message of messages) {
      if (superseded?.has(message) === true) continue
      const link = this.linkTo(message.to)
      if (link === undefined || !isTravelling(message)) continue
      assert(message.kind !== 'snapshot', 'a snapshot goes with its database')
      link.add(message)
      touched.add(link)
    }
    for (const link of touched) link.flush()
  }

  sendSnapshot(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): void {
    const link = this.linkTo(message.to)
    if (link === undefined || this.isStopped) {
      this.host?.reportSnapshot(message.to, 'failed')
      return
    }
    void link.sendSnapshot(message, chunks)
  }

  addPeer(peer: PeerAddress): void {
    if (peer.id === this.config.nodeId || this.members.has(peer.id) || this.isStopped) return
    this.reportBadUrls(peer)
    if (this.host === undefined || this.listener.boundUrls.length === 0) {
      this.waiting.set(peer.id, peer)
      return
    }
    this.remotes.get(peer.id)?.dispose()
    this.remotes.delete(peer.id)
    this.removed.delete(peer.id)
    this.members.set(peer.id, this.linkOf(peer, 'member'))
  }

  updatePeer(peer: PeerAddress): void {
    this.reportBadUrls(peer)
    if (this.waiting.has(peer.id)) this.waiting.set(peer.id, peer)
    this.members.get(peer.id)?.updateUrls(peer.peerUrls)
  }

  removePeer(peer: NodeId): void {
    this.removed.add(peer)
    this.waiting.delete(peer)
    this.linkTo(peer)?.dispose()
    this.members.delete(peer)
    this.remotes.delete(peer)
  }

  activeSinceMs(peer: NodeId): number | undefined {
    return this.members.get(peer)?.activeSinceMs
  }

  /** Time to a peer and back at the last probe; undefined when it did not answer. */
  roundTripMs(peer: NodeId): number | undefined {
    return this.members.get(peer)?.roundTripMs
  }

  figures(): ReadonlyMap<NodeId, PeerFigures> {
    return new Map([...this.members].map(([id, link]) => [id, link.figures]))
  }

  async stop(): Promise<void> {
    this.isStopped = true
    for (const link of [...this.members.values(), ...this.remotes.values()]) link.dispose()
    this.members.clear()
    this.remotes.clear()
    await this.listener.close()
  }

  private linkTo(peer: NodeId): PeerLink | undefined {
    return this.members.get(peer) ?? this.remotes.get(peer)
  }

  private linkOf(peer: PeerAddress, kind: 'member' | 'remote'): PeerLink {
    return new PeerLink(
      this.context,
      { ...peer, kind },
      {
        reportUnreachable: (id) => this.host?.reportUnreachable(id),
        reportSnapshot: (id, outcome) => this.host?.reportSnapshot(id, outcome),
      },
    )
  }

  private receive(message: Message, sender: NodeId): void {
    const { host } = this
    if (host === undefined || this.isStopped) return
    if (message.to !== this.config.nodeId) {
      const fields = { to: hexId(message.to), sender: hexId(sender), kind: message.kind }
      this.context.logger.warn('message for another member refused', fields)
      return
    }
    if (this.isRemoved(message.from) || this.isRemoved(sender)) return
    host.receive(message)
  }

  private isRemoved(peer: NodeId): boolean {
    return this.removed.has(peer) || this.host?.isRemoved(peer) === true
  }

  private reportSelfRemoved(): void {
    if (this.isSelfRemovedReported || this.isStopped) return
    this.isSelfRemovedReported = true
    this.host?.reportSelfRemoved()
  }

  private routesHost(): PeerRoutesHost {
    return {
      isRemoved: (peer) => this.isRemoved(peer),
      attachStream: (peer, kind, response) => this.attachStream(peer, kind, response),
      noteRemote: (peer) => {
        this.noteRemote(peer)
      },
      receive: (message, sender) => {
        this.receive(message, sender)
      },
      receiveSnapshot: async (message, chunks) => {
        if (this.host === undefined || this.isStopped) throw new StoreError('stopped')
        await this.host.receiveSnapshot(message, chunks)
      },
    }
  }

  private attachStream(peer: NodeId, kind: StreamKind, response: ServerResponse): boolean {
    const link = this.members.get(peer)
    if (link === undefined) return false
    response.writeHead(200)
    // The peer waits for the head before anything is said.
    response.flushHeaders()
    link.attach(kind, response)
    return true
  }

  private noteRemote(peer: PeerAddress): void {
    const isKnown = this.members.has(peer.id) || this.waiting.has(peer.id)
    if (isKnown || peer.id === this.config.nodeId || this.isStopped) return
    if (this.remotes.has(peer.id) || this.remotes.size >= remotesMax) return
    this.remotes.set(peer.id, this.linkOf(peer, 'remote'))
  }

  private reportBadUrls(peer: PeerAddress): void {
    for (const url of peer.peerUrls) {
      const problem = peerUrlProblem(url)
      if (problem === undefined) continue
      this.context.logger.error('peer cannot be reached by one of its URLs', {
        peer: hexId(peer.id),
        reason: problem,
      })
    }
  }

  private furtherRoutes(): Readonly<Record<string, PeerRoute>> {
    const cluster = { 'X-Etcd-Cluster-ID': hexId(this.config.clusterId) }
    return {
      '/members': jsonRoute(this.config.membersAnswer, cluster),
      '/version': jsonRoute(this.config.versionAnswer),
      ...this.config.routes,
    }
  }
}

/** Strangers that are answered at the same time; a cluster has seven members at most. */
const remotesMax = 16

/**
 * Acknowledgements that a later one in the same batch makes needless: they are cumulative. Refusals are not, and neither
 * is one of another term.
 */
function supersededResponses(messages: readonly Message[]): ReadonlySet<Message> | undefined {
  let superseded: Set<Message> | undefined
  const newest = new Map<NodeId, Message>()
  for (const message of messages) {
    if (message.kind !== 'appendResponse' || message.isRejected) continue
    const older = newest.get(message.to)
    if (older?.term === message.term) {
      superseded ??= new Set()
      superseded.add(older)
    }
    newest.set(message.to, message)
  }
  return superseded
}
