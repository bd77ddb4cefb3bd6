import type { ServerResponse } from 'node:http'
import type { Timer } from '../base/clock.ts'
import { ByteWriter } from '../proto/byte-writer.ts'
import type { Message } from '../raft/message.ts'
import { type PeerContext, peerLimits } from './peer-context.ts'
import { type StreamEncoder, type StreamKind, streamEncoder } from './stream-codec.ts'

/**
 * Our end of a stream that a peer opened to hear from us.
 *
 * Messages are gathered with `add` and leave with `flush`, at the end of each batch of the host's, as one piece. What the
 * socket has not taken yet is bounded; beyond the bound messages are dropped.
 */
export class OutgoingStream {
  private readonly context: PeerContext
  private readonly kind: StreamKind
  private readonly onBroken: () => void
  private readonly writer = new ByteWriter()
  private response: ServerResponse | undefined
  /** Handed to the socket so far. */
  sentBytes = 0
  private encoder: StreamEncoder
  private heartbeat: Timer | undefined
  /** Messages handed to the socket and not yet taken by the system. */
  private unsentCount = 0
  private gatheredCount = 0

  constructor(context: PeerContext, kind: StreamKind, onBroken: () => void) {
    this.context = context
    this.kind = kind
    this.onBroken = onBroken
    this.encoder = streamEncoder(kind)
  }

  get isAttached(): boolean {
    return this.response !== undefined
  }

  /** Takes over a new connection of the peer's; the one before is closed. */
  attach(response: ServerResponse): void {
    this.detach()
    this.response = response
    this.encoder = streamEncoder(this.kind)
    this.unsentCount = 0
    const onEnd = (): void => {
      if (this.response !== response) return
      this.detach()
      this.onBroken()
    }
    response.on('close', onEnd)
    response.on('error', onEnd)
    this.scheduleHeartbeat()
  }

  /** Gathers a message; false when there is no room for it. The stream must be attached. */
  add(message: Message): boolean {
    const { response } = this
    if (response === undefined) return false
    const isFull =
      this.unsentCount + this.gatheredCount >= peerLimits.streamMessagesMax ||
      response.writableLength + this.writer.length >= peerLimits.streamBytesMax
    if (isFull) return false
    this.encoder.write(this.writer, message)
    this.gatheredCount++
    return true
  }

  /** Hands what was gathered to the socket. */
  flush(): void {
    const { response } = this
    if (response === undefined || this.writer.length === 0) return
    const count = this.gatheredCount
    this.unsentCount += count
    this.gatheredCount = 0
    // The socket keeps the bytes until they are taken, and the writer is used again at once.
    const bytes = this.writer.copied()
    this.writer.reset()
    this.sentBytes += bytes.length
    response.write(bytes, () => {
      if (this.response === response) this.unsentCount -= count
    })
    // Node holds a chunk back until the turn ends, and a sync of the log may come before that: the peer's would wait for it.
    const { socket } = response
    if (socket !== null && socket.writableCorked > 0) socket.uncork()
  }

  /** Ends the connection after what was handed over; nothing is reported. */
  detach(): void {
    this.heartbeat?.cancel()
    this.heartbeat = undefined
    this.writer.reset()
    this.gatheredCount = 0
    const { response } = this
    this.response = undefined
    response?.end()
  }

  private scheduleHeartbeat(): void {
    this.heartbeat = this.context.clock.setTimer(peerLimits.linkHeartbeatMs, () => {
      if (this.response === undefined) return
      // A peer that takes nothing must not make us keep signs of life for it.
      if (this.response.writableLength < peerLimits.streamBytesMax) {
        this.encoder.writeLinkHeartbeat(this.writer)
        this.flush()
      }
      this.scheduleHeartbeat()
    })
  }
}
