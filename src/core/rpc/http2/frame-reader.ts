/**
 * Cuts what a client sends into frames.
 *
 * A frame that lies whole in a chunk is read where it is. One that is split between chunks is collected in memory of its
 * own, which begins to exist when its length is known and allowed.
 *
 * @see RFC 9113, section 4.1
 */
import { ConnectionError, errorCodes, protocolError } from './http2-error.ts'

/** @see RFC 9113, section 6 */
export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

/** Bits of a frame's flags; an acknowledgement and the end of a stream share one. */
export const frameFlags = {
  ack: 0x1,
  endStream: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const

/** Bytes before each frame's payload. */
export const frameHeadSizeBytes = 9
/** Largest payload taken: the smallest that may be announced, since larger ones only cost memory. */
export const frameSizeBytesMax = 16_384

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/**
 * The frames of one connection. After {@link FrameReader.next} has returned true, the fields describe a frame, whose
 * payload is `buffer[start, end)`.
 */
export class FrameReader {
  type = 0
  flags = 0
  streamId = 0
  buffer: Buffer = preface
  start = 0
  end = 0
  private chunk: Buffer = preface
  private offset = preface.length
  private prefaceBytes = 0
  private readonly head = Buffer.alloc(frameHeadSizeBytes)
  private headBytes = 0
  private partial: Buffer | undefined
  private partialBytes = 0

  /** A frame has begun and not ended. */
  get isInsideFrame(): boolean {
    return this.headBytes > 0 || this.partial !== undefined
  }

  /** Adds a chunk. The one before has been read to its end. */
  push(chunk: Buffer): void {
    this.chunk = chunk
    this.offset = 0
  }

  /**
   * Moves to the next whole frame.
   * @returns false when the chunk is used up
   * @throws ConnectionError  not HTTP/2, or a frame that is too large
   */
  next(): boolean {
    if (this.prefaceBytes < preface.length && !this.readPreface()) return false
    if (this.partial !== undefined) return this.readPartial(this.partial)
    if (this.headBytes === 0 && this.chunk.length - this.offset >= frameHeadSizeBytes) {
      const lengthBytes = this.parseHead(this.chunk, this.offset)
      this.offset += frameHeadSizeBytes
      return this.readPayload(lengthBytes)
    }
    const copied = this.chunk.copy(this.head, this.headBytes, this.offset)
    this.offset += copied
    this.headBytes += copied
    if (this.headBytes < frameHeadSizeBytes) return false
    this.headBytes = 0
    return this.readPayload(this.parseHead(this.head, 0))
  }

  /** @throws ConnectionError  the frame's payload has another size */
  requireSize(sizeBytes: number, name: string): void {
    if (this.end - this.start === sizeBytes) return
    throw new ConnectionError(errorCodes.frameSizeError, `${name} of wrong size`)
  }

  /**
   * Frames of streams that were never opened are mistakes; those of closed ones may be late.
   * @throws ConnectionError  the frame is of no stream, or of one above `lastStreamId`
   */
  requireStreamUpTo(lastStreamId: number, name: string): void {
    if (this.streamId === 0 || this.streamId > lastStreamId) {
      throw protocolError(`${name} without a stream`)
    }
  }

  /** @throws ConnectionError  the frame is no PRIORITY that makes sense */
  requirePriority(): void {
    if (this.streamId === 0) throw protocolError('PRIORITY without a stream')
    this.requireSize(5, 'PRIORITY')
    if (readId(this.buffer, this.start) === this.streamId) {
      throw protocolError('stream that depends on itself')
    }
  }

  private readPreface(): boolean {
    while (this.prefaceBytes < preface.length) {
      const byte = this.chunk[this.offset]
      if (byte === undefined) return false
      if (byte !== preface[this.prefaceBytes]) {
        throw protocolError('bad connection preface')
      }
      this.offset++
      this.prefaceBytes++
    }
    return true
  }

  private parseHead(bytes: Buffer, at: number): number {
    const lengthBytes =
      ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    if (lengthBytes > frameSizeBytesMax) {
      throw new ConnectionError(errorCodes.frameSizeError, 'frame too large')
    }
    this.type = bytes[at + 3] ?? 0
    this.flags = bytes[at + 4] ?? 0
    this.streamId = readId(bytes, at + 5)
    return lengthBytes
  }

  private readPayload(lengthBytes: number): boolean {
    if (this.chunk.length - this.offset >= lengthBytes) {
      this.buffer = this.chunk
      this.start = this.offset
      this.offset += lengthBytes
      this.end = this.offset
      return true
    }
    this.partial = Buffer.allocUnsafe(lengthBytes)
    this.partialBytes = 0
    return this.readPartial(this.partial)
  }

  private readPartial(partial: Buffer): boolean {
    const copied = this.chunk.copy(partial, this.partialBytes, this.offset)
    this.offset += copied
    this.partialBytes += copied
    if (this.partialBytes < partial.length) return false
    this.partial = undefined
    this.buffer = partial
    this.start = 0
    this.end = partial.length
    return true
  }
}

/** 31 bits; the highest is reserved and ignored. */
export function readId(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] ?? 0) & 0x7f) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  )
}
