import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Timer } from '../base/clock.ts'
import { ByteWriter } from '../proto/byte-writer.ts'
import type { Message } from '../raft/message.ts'
import { type PeerContext, peerLimits } from './peer-context.ts'
import { type StreamEncoder, type StreamKind, streamEncoder } from './stream-codec.ts'

/** A chunk of HTTP/1.1 begins with its length: eight hexadecimal digits here, so that there is room for them beforehand. */
const lengthDigitCount = 8
const chunkHeadSizeBytes = lengthDigitCount + 2
const carriageReturn = 13
const lineFeed = 10

/**
 * Our end of a stream that a peer opened to hear from us.
 *
 * Messages are gathered with `add` and leave with `flush`, at the end of each batch of the host's, as one piece. What the
 * socket has not taken yet is bounded; beyond the bound messages are dropped.
 *
 * The chunks of the response are framed here and handed to its socket: Node's own way makes three pieces of each and holds
 * them back until the turn ends, and a sync of the log may come before that, for which the peer would wait.
 */
export class OutgoingStream {
  private readonly context: PeerContext
  private readonly kind: StreamKind
  private readonly onBroken: () => void
  private readonly writer = new ByteWriter()
  private response: ServerResponse | undefined
  /** That of the response. */
  private socket: Socket | undefined
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
    const { socket } = response
    if (socket === null) {
      // Behind another answer on the same connection; no peer asks like that.
      response.destroy()
      return
    }
    this.response = response
    this.socket = socket
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
    const { socket } = this
    if (socket === undefined) return false
    const isFull =
      this.unsentCount + this.gatheredCount >= peerLimits.streamMessagesMax ||
      socket.writableLength + this.writer.length >= peerLimits.streamBytesMax
    if (isFull) return false
    this.openChunk()
    this.encoder.write(this.writer, message)
    this.gatheredCount++
    return true
  }

  /** Hands what was gathered to the socket. */
  flush(): void {
    const { socket } = this
    if (socket === undefined || this.writer.length === 0) return
    const count = this.gatheredCount
    this.unsentCount += count
    this.gatheredCount = 0
    const bytes = this.closedChunk()
    this.sentBytes += bytes.length
    socket.write(bytes, () => {
      if (this.socket === socket) this.unsentCount -= count
    })
  }

  private openChunk(): void {
    if (this.writer.length === 0) this.writer.zeros(chunkHeadSizeBytes)
  }

  /** What was gathered as a whole chunk. The socket keeps it until it is taken, and the writer is used again at once. */
  private closedChunk(): Uint8Array {
    const { writer } = this
    const digits = (writer.length - chunkHeadSizeBytes).toString(16).padStart(lengthDigitCount, '0')
    for (let at = 0; at < lengthDigitCount; at++) writer.patch(at, digits.charCodeAt(at))
    writer.patch(lengthDigitCount, carriageReturn)
    writer.patch(lengthDigitCount + 1, lineFeed)
    writer.byte(carriageReturn)
    writer.byte(lineFeed)
    const bytes = writer.copied()
    writer.reset()
    return bytes
  }

  /** Ends the connection after what was handed over; nothing is reported. */
  detach(): void {
    this.heartbeat?.cancel()
    this.heartbeat = undefined
    this.writer.reset()
    this.gatheredCount = 0
    const { response } = this
    this.response = undefined
    this.socket = undefined
    response?.end()
  }

  private scheduleHeartbeat(): void {
    this.heartbeat = this.context.clock.setTimer(peerLimits.linkHeartbeatMs, () => {
      if (this.socket === undefined) return
      // A peer that takes nothing must not make us keep signs of life for it.
      if (this.socket.writableLength < peerLimits.streamBytesMax) {
        this.openChunk()
        this.encoder.writeLinkHeartbeat(this.writer)
        this.flush()
      }
      this.scheduleHeartbeat()
    })
  }
}
