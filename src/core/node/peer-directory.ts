/** Keeps the transport's peers the same as the members. */
import type { NodeId } from '../base/ids.ts'
import type { Member } from '../membership/member.ts'
import type { PeerTransport } from '../peer/peer-transport.ts'

/** What the transport was told about each peer. */
export class PeerDirectory {
  private readonly transport: PeerTransport
  private readonly self: NodeId
  private readonly urlsByPeer = new Map<NodeId, string>()

  constructor(transport: PeerTransport, self: NodeId) {
    this.transport = transport
    this.self = self
  }

  /** Adds peers to talk to, without forgetting others: what is known before any entry was applied. */
  introduce(members: readonly Member[]): void {
    for (const { id, peerUrls } of members) {
      if (id === this.self) continue
      const urls = peerUrls.join(',')
      const known = this.urlsByPeer.get(id)
      if (known === urls) continue
      if (known === undefined) this.transport.addPeer({ id, peerUrls })
      else this.transport.updatePeer({ id, peerUrls })
      this.urlsByPeer.set(id, urls)
    }
  }

  /** Makes the peers exactly the other members. */
  follow(members: readonly Member[]): void {
    this.introduce(members)
    const ids = new Set(members.map((member) => member.id))
    for (const id of [...this.urlsByPeer.keys()]) {
      if (ids.has(id)) continue
      this.transport.removePeer(id)
      this.urlsByPeer.delete(id)
    }
  }

  /** Peers, those connected longest first; unconnected ones left out. */
  connectedLongestFirst(): readonly NodeId[] {
    return this.connected()
      .sort((left, right) => left.sinceMs - right.sinceMs)
      .map((peer) => peer.id)
  }

  /** Peers that have been connected without a break since before that monotonic time. */
  countConnectedSince(monotonicMs: number): number {
    return this.connected().filter((peer) => peer.sinceMs < monotonicMs).length
  }

  isConnectedSince(peer: NodeId, monotonicMs: number): boolean {
    const sinceMs = this.transport.activeSinceMs(peer)
    return sinceMs !== undefined && sinceMs < monotonicMs
  }

  private connected(): { readonly id: NodeId; readonly sinceMs: number }[] {
    const connected: { id: NodeId; sinceMs: number }[] = []
    for (const id of this.urlsByPeer.keys()) {
      const sinceMs = this.transport.activeSinceMs(id)
      if (sinceMs !== undefined) connected.push({ id, sinceMs })
    }
    return connected
  }
}
