/**
 * Cuts a gRPC byte stream into messages: one byte of flags, four bytes of length (big endian), the message.
 *
 * Memory follows what has arrived, never what a length prefix promises; a prefix over the limit fails at once. A message
 * that arrives in one chunk is handed out where it lies; what waits for its rest is moved into memory of its own.
 */
import { gunzipSync } from 'node:zlib'
import { WaitingBytes } from './http2/waiting-bytes.ts'
import { WireError } from './status-mapping.ts'

const prefixSizeBytes = 5
const compressedFlag = 1

export interface MessageReaderOptions {
  /** Largest message taken, in bytes, compressed or not. */
  readonly messageSizeBytesMax: number
  /** Encoding named by the caller; the transport has refused those it does not know. */
  readonly encoding: 'identity' | 'gzip'
}

const noBytes = new Uint8Array()

/** Collects chunks and gives out whole messages. Messages may share memory with the chunks. */
export class MessageReader {
  private readonly options: MessageReaderOptions
  /** The latest chunk while nothing waits before it. */
  private chunk: Uint8Array = noBytes
  private readonly waiting = new WaitingBytes()

  constructor(options: MessageReaderOptions) {
    this.options = options
  }

  /** Bytes that wait for the rest of their message, or to be asked for. */
  get bufferedBytes(): number {
    return this.waiting.sizeBytes + this.chunk.length
  }

  /** Memory held after {@link settle}, in bytes. */
  get memoryBytes(): number {
    return this.waiting.memoryBytes
  }

  push(chunk: Uint8Array): void {
    if (this.bufferedBytes === 0) {
      this.chunk = chunk
      return
    }
    this.settle()
    this.waiting.append(chunk, this.expectedBytes())
  }

  /** Lets go of the latest chunk: what is left of it is copied. */
  settle(): void {
    if (this.chunk.length === 0) return
    this.waiting.append(this.chunk, this.chunk.length)
    this.chunk = noBytes
  }

  /** Forgets what waits. */
  clear(): void {
    this.chunk = noBytes
    this.waiting.clear()
  }

  /**
   * The next whole message, or undefined while it has not arrived.
   * @throws WireError  too large, wrongly compressed
   */
  next(): Uint8Array | undefined {
    if (this.bufferedBytes < prefixSizeBytes) return undefined
    const head = this.head()
    const flags = head[0] ?? 0
    const lengthBytes = lengthOf(head)
    if (lengthBytes > this.options.messageSizeBytesMax) {
      throw new WireError(
        'resourceExhausted',
        `grpc: received message larger than max (${lengthBytes} vs. ${this.options.messageSizeBytesMax})`,
      )
    }
    if (this.bufferedBytes < prefixSizeBytes + lengthBytes) return undefined
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

  private head(): Uint8Array {
    return this.chunk.length > 0 ? this.chunk : this.waiting.view()
  }

  /** Size of the message that waits, as far as it is known. */
  private expectedBytes(): number {
    const head = this.head()
    if (head.length < prefixSizeBytes) return prefixSizeBytes
    return prefixSizeBytes + lengthOf(head)
  }

  private take(sizeBytes: number): Uint8Array {
    if (this.chunk.length === 0) return this.waiting.take(sizeBytes)
    const taken = this.chunk.subarray(0, sizeBytes)
    this.chunk = this.chunk.subarray(sizeBytes)
    return taken
  }
}

function lengthOf(head: Uint8Array): number {
  return (
    (head[1] ?? 0) * 0x1_00_00_00 +
    (((head[2] ?? 0) << 16) | ((head[3] ?? 0) << 8) | (head[4] ?? 0))
  )
}
