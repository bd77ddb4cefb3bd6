import { MalformedMessage } from '../proto/byte-reader.ts'

/** No single message may be longer; a length beyond is taken for garbage. */
export const messageSizeBytesMax = 512 * 1024 * 1024

/** Bytes received and not yet understood. It grows with what really arrived, never with what a length promises. */
export class ReceiveBuffer {
  private bytes: Uint8Array = new Uint8Array(0)
  private start = 0
  private end = 0
  /** Whether `bytes` is ours to write to, and not a chunk of the socket's. */
  private isOwn = false

  get availableBytes(): number {
    return this.end - this.start
  }

  append(chunk: Uint8Array): void {
    if (this.start === this.end) {
      // The usual case: everything was understood; the chunk itself is the buffer.
      // Plain, because what is copied out of a Buffer is a Buffer again.
      this.bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)
      this.start = 0
      this.end = chunk.length
      this.isOwn = false
      return
    }
    if (!this.isOwn || this.end + chunk.length > this.bytes.length) {
      const grown = new Uint8Array((this.availableBytes + chunk.length) * 2)
      grown.set(this.bytes.subarray(this.start, this.end))
      this.end -= this.start
      this.start = 0
      this.bytes = grown
      this.isOwn = true
    }
    this.bytes.set(chunk, this.end)
    this.end += chunk.length
  }

  /** The next byte; undefined when it has not arrived. */
  peekByte(): number | undefined {
    return this.start < this.end ? this.bytes[this.start] : undefined
  }

  /** The 64-bit number `offset` bytes ahead; undefined when it has not arrived. @throws MalformedMessage not a safe integer */
  peekNumber(offset: number): number | undefined {
    const at = this.start + offset
    if (at + 8 > this.end) return undefined
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + at, 8)
    const value = view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4)
    if (!Number.isSafeInteger(value)) throw new MalformedMessage('number is too large')
    return value
  }

  /** The same for a length or count. @throws MalformedMessage  more than any message may have */
  peekLength(offset: number): number | undefined {
    const value = this.peekNumber(offset)
    if (value !== undefined && value > messageSizeBytesMax) {
      throw new MalformedMessage('message is too long')
    }
    return value
  }

  skip(count: number): void {
    this.start += count
  }

  /** The next bytes as a view, valid until the next append. */
  take(count: number): Uint8Array {
    const taken = this.bytes.subarray(this.start, this.start + count)
    this.start += count
    return taken
  }
}
