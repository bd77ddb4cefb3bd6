/**
 * Frames on their way to one client.
 *
 * Frames of one turn are gathered and written together when the turn ends: a write costs far more than a frame. Large
 * payloads are handed to the socket as they are, small ones are copied beside their frame heads.
 */
import type { Duplex } from 'node:stream'
import { frameFlags, frameHeadSizeBytes, frameTypes } from './frame-reader.ts'
import type { Gathering, TurnEnd } from './turn-end.ts'

/** Payloads from this size on are not copied. */
const copiedPayloadBytesMax = 8_192
/** What may be gathered before data has to wait. */
const gatheredBytesMax = 262_144
const bufferSizeBytesMin = 512
const bufferSizeBytesMax = 65_536
/** Header blocks are divided by what every client takes. */
const headerFragmentBytesMax = 16_384

/** Content of pings of our own. Any would do. */
const pingContent = new Uint8Array(8)

/** The writing half of a connection. */
export class FrameOutput implements Gathering {
  private readonly socket: Duplex
  private readonly turnEnd: TurnEnd
  /** Told when there is room again for data. */
  private readonly onRoom: () => void
  private parts: Uint8Array[] = []
  private current: Buffer | undefined
  /** Where in the current buffer begins what was not made a part yet. */
  private currentStart = 0
  private currentBytes = 0
  /** What this turn copied into buffers; the rest of what was gathered lies in its own. */
  private copiedBytes = 0
  private nextSizeBytes = bufferSizeBytesMin
  private gatheredBytes = 0
  private totalBytes = 0
  private isFlushPlanned = false
  private hasRefusedData = false

  constructor(socket: Duplex, turnEnd: TurnEnd, onRoom: () => void) {
    this.socket = socket
    this.turnEnd = turnEnd
    this.onRoom = onRoom
    socket.on('drain', () => {
      this.tellRoom()
    })
  }

  /** Bytes that the system has not taken yet. */
  get unsentBytes(): number {
    return this.gatheredBytes + this.socket.writableLength
  }

  /** Bytes that the system has taken so far. */
  get sentBytes(): number {
    return this.totalBytes - this.socket.writableLength
  }

  /** Whether more data may be added. One that is told no is told of room later. */
  hasRoom(): boolean {
    if (this.gatheredBytes < gatheredBytesMax && !this.socket.writableNeedDrain) return true
    this.hasRefusedData = true
    return false
  }

  headers(streamId: number, block: Uint8Array, isEnd: boolean): void {
    const endFlag = isEnd ? frameFlags.endStream : 0
    if (block.length <= headerFragmentBytesMax) {
      this.head(block.length, frameTypes.headers, {
        flags: endFlag | frameFlags.endHeaders,
        streamId,
      })
      this.copy(block)
      return
    }
    for (let start = 0; start < block.length; start += headerFragmentBytesMax) {
      const fragment = block.subarray(start, start + headerFragmentBytesMax)
      const isLast = start + fragment.length === block.length
      this.head(fragment.length, start === 0 ? frameTypes.headers : frameTypes.continuation, {
        flags: (start === 0 ? endFlag : 0) | (isLast ? frameFlags.endHeaders : 0),
        streamId,
      })
      this.copy(fragment)
    }
  }

  /** A whole answer: header block, content in one frame, trailers. The blocks and the content fit a frame each. */
  answer(
    streamId: number,
    block: Uint8Array,
    { content, trailerBlock }: { readonly content: Uint8Array; readonly trailerBlock: Uint8Array },
  ): void {
    const headSizeBytes = frameHeadSizeBytes * 3 + block.length + trailerBlock.length
    if (content.length > copiedPayloadBytesMax || headSizeBytes > bufferSizeBytesMin) {
      this.headers(streamId, block, false)
      if (content.length > 0) this.data(streamId, content)
      this.headers(streamId, trailerBlock, true)
      return
    }
    const sizeBytes = headSizeBytes + content.length
    const buffer = this.reserve(sizeBytes)
    const start = this.currentBytes
    let at = writeHead(buffer, start, block.length, {
      type: frameTypes.headers,
      flags: frameFlags.endHeaders,
      streamId,
    })
    at = copyInto(buffer, at, block)
    if (content.length > 0) {
      at = writeHead(buffer, at, content.length, { type: frameTypes.data, flags: 0, streamId })
      buffer.set(content, at)
      at += content.length
    }
    const flags = frameFlags.endHeaders | frameFlags.endStream
    at = writeHead(buffer, at, trailerBlock.length, { type: frameTypes.headers, flags, streamId })
    at = copyInto(buffer, at, trailerBlock)
    this.took(at - start)
    this.planFlush()
  }

  data(streamId: number, payload: Uint8Array): void {
    this.head(payload.length, frameTypes.data, { flags: 0, streamId })
    if (payload.length <= copiedPayloadBytesMax) {
      this.copy(payload)
      return
    }
    this.cutCurrent()
    this.parts.push(payload)
    this.gatheredBytes += payload.length
  }

  /** @param settings  pairs of identifier and value */
  settings(settings: readonly (readonly [number, number])[]): void {
    this.head(settings.length * 6, frameTypes.settings, { flags: 0, streamId: 0 })
    for (const [identifier, value] of settings) {
      const buffer = this.reserve(6)
      buffer.writeUInt16BE(identifier, this.currentBytes)
      buffer.writeUInt32BE(value, this.currentBytes + 2)
      this.took(6)
    }
  }

  settingsAck(): void {
    this.head(0, frameTypes.settings, { flags: frameFlags.ack, streamId: 0 })
  }

  ping(): void {
    this.head(pingContent.length, frameTypes.ping, { flags: 0, streamId: 0 })
    this.copy(pingContent)
  }

  pingAck(payload: Uint8Array): void {
    this.head(payload.length, frameTypes.ping, { flags: frameFlags.ack, streamId: 0 })
    this.copy(payload)
  }

  windowUpdate(streamId: number, incrementBytes: number): void {
    this.head(4, frameTypes.windowUpdate, { flags: 0, streamId })
    this.number(incrementBytes)
  }

  rstStream(streamId: number, code: number): void {
    this.head(4, frameTypes.rstStream, { flags: 0, streamId })
    this.number(code)
  }

  goaway(lastStreamId: number, code: number, text: string): void {
    const bytes = Buffer.from(text)
    this.head(8 + bytes.length, frameTypes.goaway, { flags: 0, streamId: 0 })
    this.number(lastStreamId)
    this.number(code)
    this.copy(bytes)
  }

  /** Hands over what was gathered, at once. */
  flush(): void {
    this.isFlushPlanned = false
    if (this.gatheredBytes === 0) return
    this.closeCurrent()
    const { parts } = this
    this.totalBytes += this.gatheredBytes
    this.nextSizeBytes = Math.min(
      bufferSizeBytesMax,
      Math.max(bufferSizeBytesMin, 2 ** Math.ceil(Math.log2(this.copiedBytes))),
    )
    this.gatheredBytes = 0
    this.copiedBytes = 0
    this.parts = []
    if (!this.socket.writable) return
    if (parts.length > 1) this.socket.cork()
    for (const part of parts) this.socket.write(part)
    if (parts.length > 1) this.socket.uncork()
    if (!this.socket.writableNeedDrain) this.tellRoom()
  }

  private tellRoom(): void {
    if (!this.hasRefusedData) return
    this.hasRefusedData = false
    this.onRoom()
  }

  private head(
    lengthBytes: number,
    type: number,
    { flags, streamId }: { readonly flags: number; readonly streamId: number },
  ): void {
    const buffer = this.reserve(frameHeadSizeBytes)
    writeHead(buffer, this.currentBytes, lengthBytes, { type, flags, streamId })
    this.took(frameHeadSizeBytes)
    this.planFlush()
  }

  private planFlush(): void {
    if (this.isFlushPlanned) return
    this.isFlushPlanned = true
    this.turnEnd.plan(this)
  }

  flushPlanned(): void {
    if (this.isFlushPlanned) this.flush()
  }

  private number(value: number): void {
    this.reserve(4).writeUInt32BE(value, this.currentBytes)
    this.took(4)
  }

  private copy(bytes: Uint8Array): void {
    this.reserve(bytes.length).set(bytes, this.currentBytes)
    this.took(bytes.length)
  }

  private took(sizeBytes: number): void {
    this.currentBytes += sizeBytes
    this.copiedBytes += sizeBytes
    this.gatheredBytes += sizeBytes
  }

  /** A buffer with room for `sizeBytes` behind `currentBytes`. */
  private reserve(sizeBytes: number): Buffer {
    const { current } = this
    if (current !== undefined && current.length - this.currentBytes >= sizeBytes) return current
    const isMore = current !== undefined
    this.closeCurrent()
    if (isMore) this.nextSizeBytes = Math.min(bufferSizeBytesMax, this.nextSizeBytes * 2)
    const fresh = Buffer.allocUnsafe(Math.max(this.nextSizeBytes, sizeBytes))
    this.current = fresh
    return fresh
  }

  /** Makes a part of what the current buffer holds; its rest stays in use. */
  private cutCurrent(): void {
    const { current, currentStart, currentBytes } = this
    if (current === undefined || currentBytes === currentStart) return
    this.parts.push(current.subarray(currentStart, currentBytes))
    this.currentStart = currentBytes
  }

  private closeCurrent(): void {
    this.cutCurrent()
    this.current = undefined
    this.currentStart = 0
    this.currentBytes = 0
  }
}

/** @returns the offset behind the head */
function writeHead(
  buffer: Buffer,
  at: number,
  lengthBytes: number,
  {
    type,
    flags,
    streamId,
  }: { readonly type: number; readonly flags: number; readonly streamId: number },
): number {
  buffer[at] = lengthBytes >>> 16
  buffer[at + 1] = lengthBytes >>> 8
  buffer[at + 2] = lengthBytes
  buffer[at + 3] = type
  buffer[at + 4] = flags
  buffer[at + 5] = streamId >>> 24
  buffer[at + 6] = streamId >>> 16
  buffer[at + 7] = streamId >>> 8
  buffer[at + 8] = streamId
  return at + frameHeadSizeBytes
}

/** For a few bytes, which a loop copies faster than a call into the engine. @returns the offset behind them */
function copyInto(buffer: Buffer, at: number, bytes: Uint8Array): number {
  for (let position = 0; position < bytes.length; position++) {
    buffer[at + position] = bytes[position] ?? 0
  }
  return at + bytes.length
}
