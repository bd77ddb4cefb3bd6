/**
 * Cuts a gRPC byte stream into messages: one byte of flags, four bytes of length (big endian), the message.
 *
 * Memory follows what has arrived, never what a length prefix promises; a prefix over the limit fails at once.
 */
import { gunzipSync } from 'node:zlib'
import { WireError } from './status-mapping.ts'

const prefixSizeBytes = 5
const compressedFlag = 1

export interface MessageReaderOptions {
  /** Largest message taken, in bytes, compressed or not. */
  readonly messageSizeBytesMax: number
  /** Encoding named by the caller; the transport has refused those it does not know. */
  readonly encoding: 'identity' | 'gzip'
}

/** Collects chunks and gives out whole messages. Messages may share memory with the chunks. */
export class MessageReader {
  private readonly options: MessageReaderOptions
  private chunks: Uint8Array[] = []
  private bufferedSizeBytes = 0

  constructor(options: MessageReaderOptions) {
    this.options = options
  }

  /** Bytes that wait for the rest of their message. */
  get bufferedBytes(): number {
    return this.bufferedSizeBytes
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.chunks.push(chunk)
    this.bufferedSizeBytes += chunk.length
  }

  /**
   * The next whole message, or undefined while it has not arrived.
   * @throws WireError  too large, wrongly compressed
   */
  next(): Uint8Array | undefined {
    if (this.bufferedSizeBytes < prefixSizeBytes) return undefined
    const head = this.headBytes(prefixSizeBytes)
    const flags = head[0] ?? 0
    const lengthBytes =
      (head[1] ?? 0) * 0x1_00_00_00 +
      (((head[2] ?? 0) << 16) | ((head[3] ?? 0) << 8) | (head[4] ?? 0))
    if (lengthBytes > this.options.messageSizeBytesMax) {
      throw new WireError(
        'resourceExhausted',
        `grpc: received message larger than max (${lengthBytes} vs. ${this.options.messageSizeBytesMax})`,
      )
    }
    if (this.bufferedSizeBytes < prefixSizeBytes + lengthBytes) return undefined
    const framed = this.take(prefixSizeBytes + lengthBytes)
    const message = framed.subarray(prefixSizeBytes)
    if (flags === 0) return message
    if (flags !== compressedFlag) {
      throw new WireError('internal', `grpc: received unexpected payload format ${flags}`)
    }
    return this.decompress(message)
  }

  private decompress(message: Uint8Array): Uint8Array {
    if (this.options.encoding === 'identity') {
      throw new WireError('internal', 'grpc: compressed flag set with identity or empty encoding')
    }
    const sizeBytesMax = this.options.messageSizeBytesMax
    try {
      return gunzipSync(message, { maxOutputLength: sizeBytesMax })
    } catch (error) {
      if (error instanceof RangeError) {
        throw new WireError(
          'resourceExhausted',
          `grpc: message after decompression larger than max ${sizeBytesMax}`,
          { cause: error },
        )
      }
      const reason = error instanceof Error ? error.message : String(error)
      throw new WireError(
        'internal',
        `grpc: failed to decompress the received message: ${reason}`,
        {
          cause: error,
        },
      )
    }
  }

  /** The first bytes without taking them; joins chunks only when a prefix is split. */
  private headBytes(sizeBytes: number): Uint8Array {
    const first = this.chunks[0]
    if (first !== undefined && first.length >= sizeBytes) return first
    const joined = Buffer.concat(this.chunks)
    this.chunks = [joined]
    return joined
  }

  private take(sizeBytes: number): Uint8Array {
    let first = this.chunks[0]
    if (first === undefined || first.length < sizeBytes) {
      first = Buffer.concat(this.chunks)
      this.chunks = [first]
    }
    this.bufferedSizeBytes -= sizeBytes
    if (first.length === sizeBytes) {
      this.chunks.shift()
      return first
    }
    this.chunks[0] = first.subarray(sizeBytes)
    return first.subarray(0, sizeBytes)
  }
}
