/**
 * A network between nodes of one process: messages arrive in a later turn, links can be cut, snapshots are streamed chunk by
 * chunk. For tests that are about the node and not about the wire.
 */
import type { NodeId } from '../../src/core/base/ids.ts'
import type { PeerTransport, PeerTransportHost } from '../../src/core/peer/peer-transport.ts'

interface Attached {
  readonly host: PeerTransportHost
  readonly sinceMs: number
}

/** The nodes that are up, and the links between them that are cut. */
export class LocalPeers {
  private readonly attached = new Map<NodeId, Attached>()
  private readonly cut = new Set<NodeId>()

  transportOf(self: NodeId): PeerTransport {
    const peers = new Set<NodeId>()
    const isReachable = (peer: NodeId): boolean =>
      this.attached.has(peer) && !this.cut.has(peer) && !this.cut.has(self)
    return {
      start: (host) => {
        this.attached.set(self, { host, sinceMs: performance.now() })
        return Promise.resolve()
      },
      send: (messages) => {
        for (const message of messages) {
          if (message.to === self) throw new Error('a message to itself left the node')
          if (!peers.has(message.to)) continue
          setImmediate(() => {
            if (isReachable(message.to)) this.attached.get(message.to)?.host.receive(message)
            else this.attached.get(self)?.host.reportUnreachable(message.to)
          })
        }
      },
      sendSnapshot: (message, chunks) => {
        const target = this.attached.get(message.to)?.host
        const own = this.attached.get(self)?.host
        const delivered =
          target === undefined || !isReachable(message.to)
            ? Promise.reject(new Error('unreachable'))
            : target.receiveSnapshot(message, chunks)
        delivered.then(
          () => own?.reportSnapshot(message.to, 'delivered'),
          () => own?.reportSnapshot(message.to, 'failed'),
        )
      },
      addPeer: (peer) => {
        peers.add(peer.id)
      },
      updatePeer: () => undefined,
      removePeer: (peer) => {
        peers.delete(peer)
      },
      activeSinceMs: (peer) => (isReachable(peer) ? this.attached.get(peer)?.sinceMs : undefined),
      stop: () => {
        this.detach(self)
        return Promise.resolve()
      },
    }
  }

  /** The node is gone without a word. */
  detach(node: NodeId): void {
    this.attached.delete(node)
  }

  /** Nothing goes to or from this node until {@link heal}. */
  isolate(node: NodeId): void {
    this.cut.add(node)
  }

  heal(): void {
    this.cut.clear()
  }
}
