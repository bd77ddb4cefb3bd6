import type { ServerResponse } from 'node:http'
import { hexId, type NodeId } from '../base/ids.ts'
import type { Message, SnapshotMessage } from '../raft/message.ts'
import { IncomingStream, type IncomingStreamEvents } from './incoming-stream.ts'
import { MessagePipeline } from './message-pipeline.ts'
import { OutgoingStream } from './outgoing-stream.ts'
import { PeerAddresses } from './peer-addresses.ts'
import type { PeerContext } from './peer-context.ts'
import { PeerProber } from './peer-prober.ts'
import type { PeerAddress, PeerFigures } from './peer-transport.ts'
import { sendSnapshot } from './snapshot-transfer.ts'
import type { StreamKind } from './stream-codec.ts'

/** What a link tells the host. */
export interface PeerLinkReports {
  reportUnreachable(peer: NodeId): void
  reportSnapshot(peer: NodeId, outcome: 'delivered' | 'failed'): void
}

/**
 * All ways to and from one peer: two streams in, two streams out, the pipeline for when a stream is not up, and snapshots
 * each on a connection of their own.
 *
 * A `remote` is somebody who speaks to us and is not a member as far as we know (we may be the one who is behind): it is
 * answered through the pipeline and not dialled.
 */
export class PeerLink {
  readonly id: NodeId
  readonly kind: 'member' | 'remote'
  private readonly context: PeerContext
  private readonly reports: PeerLinkReports
  private readonly addresses: PeerAddresses
  private readonly outgoing: Readonly<Record<StreamKind, OutgoingStream>>
  private readonly incoming: readonly IncomingStream[]
  private readonly pipeline: MessagePipeline
  private readonly prober: PeerProber | undefined
  private readonly openStreams = new Set<StreamKind>()
  private readonly disposal = new AbortController()
  private activeFromMs: number | undefined
  private sendFailureCount = 0
  /** Told once; told again only after the peer was heard in between. */
  private isUnreachableReported = false

  constructor(
    context: PeerContext,
    peer: PeerAddress & { readonly kind: 'member' | 'remote' },
    reports: PeerLinkReports,
  ) {
    this.context = context
    this.id = peer.id
    this.kind = peer.kind
    this.reports = reports
    this.addresses = new PeerAddresses(peer.peerUrls)
    const outgoing = (kind: StreamKind): OutgoingStream =>
      new OutgoingStream(context, kind, () => {
        this.reportUnreachable()
      })
    this.outgoing = { message: outgoing('message'), msgapp: outgoing('msgapp') }
    this.pipeline = new MessagePipeline(context, this.addresses, {
      delivered: () => {
        this.noteHeard()
      },
      failed: (reason) => {
        this.sendFailureCount++
        // Heartbeats go on ten times a second while a peer is down; the first loss tells all there is to tell.
        if (!this.isUnreachableReported) {
          this.context.logger.debug('message not delivered', { peer: hexId(this.id), reason })
        }
        this.reportUnreachable()
      },
    })
    const end = { id: peer.id, addresses: this.addresses }
    const streamKinds: readonly StreamKind[] = peer.kind === 'member' ? ['message', 'msgapp'] : []
    this.incoming = streamKinds.map(
      (kind) => new IncomingStream(context, end, kind, this.eventsOf(kind)),
    )
    this.prober = peer.kind === 'member' ? new PeerProber(context, end) : undefined
    for (const stream of this.incoming) stream.dial()
  }

  /** Monotonic time since when we have heard the peer without a break. */
  get activeSinceMs(): number | undefined {
    return this.activeFromMs
  }

  get roundTripMs(): number | undefined {
    return this.prober?.roundTripMs
  }

  /** What was counted so far. */
  get figures(): PeerFigures {
    const { message, msgapp } = this.outgoing
    return {
      sentBytes: message.sentBytes + msgapp.sentBytes,
      receivedBytes: this.incoming.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
      sendFailureCount: this.sendFailureCount,
      roundTripTimes: this.prober?.roundTripTimes,
    }
  }

  /** Queues a message; it leaves with the next {@link flush}. */
  add(message: Message): void {
    if (this.offer(message)) return
    this.sendFailureCount++
    this.reportUnreachable()
  }

  flush(): void {
    this.outgoing.message.flush()
    this.outgoing.msgapp.flush()
  }

  async sendSnapshot(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const url = this.addresses.current()
    const { signal } = this.disposal
    try {
      if (url === undefined) throw new Error('the peer has no usable URL')
      await sendSnapshot(this.context, url, { message, chunks, signal })
    } catch (error) {
      if (signal.aborted) return
      const reason = error instanceof Error ? error.message : String(error)
      this.context.logger.warn('snapshot not delivered', { peer: hexId(this.id), reason })
      this.reportUnreachable()
      this.reports.reportSnapshot(this.id, 'failed')
      return
    }
    if (!signal.aborted) this.reports.reportSnapshot(this.id, 'delivered')
  }

  /** The peer opened a stream to hear from us: it is up, so what we want to hear can be dialled at once. */
  attach(kind: StreamKind, response: ServerResponse): void {
    this.outgoing[kind].attach(response)
    this.noteHeard()
    for (const stream of this.incoming) stream.dial()
  }

  updateUrls(urls: readonly string[]): void {
    this.addresses.replace(urls)
    for (const stream of this.incoming) stream.dial()
  }

  /** Ends everything; nothing is reported any more. What was handed to the sockets is still sent. */
  dispose(): void {
    this.disposal.abort()
    this.outgoing.message.detach()
    this.outgoing.msgapp.detach()
    for (const stream of this.incoming) stream.dispose()
    this.pipeline.dispose()
    this.prober?.dispose()
  }

  private offer(message: Message): boolean {
    const { message: general, msgapp } = this.outgoing
    if (message.kind === 'append' && msgapp.isAttached) return msgapp.add(message)
    if (general.isAttached) return general.add(message)
    return this.pipeline.add(message)
  }

  private eventsOf(kind: StreamKind): IncomingStreamEvents {
    return {
      opened: () => {
        this.openStreams.add(kind)
        this.activeFromMs ??= this.context.clock.monotonicMs()
        this.noteHeard()
        this.context.logger.info('stream from peer opened', { peer: hexId(this.id), stream: kind })
      },
      closed: () => {
        this.openStreams.delete(kind)
        this.activeFromMs = undefined
        this.reportUnreachable()
      },
      heard: () => {
        this.noteHeard()
      },
    }
  }

  private noteHeard(): void {
    this.isUnreachableReported = false
    if (this.openStreams.size > 0) this.activeFromMs ??= this.context.clock.monotonicMs()
  }

  private reportUnreachable(): void {
    if (this.isUnreachableReported || this.disposal.signal.aborted) return
    this.isUnreachableReported = true
    this.reports.reportUnreachable(this.id)
  }
}
