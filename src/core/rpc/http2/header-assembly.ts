/**
 * Header blocks that come in several frames.
 *
 * Between the first frame of a block and its last no other frame may come, and both their number and their size are
 * bounded: the rest of the connection would wait for them.
 *
 * @see RFC 9113, section 6.10
 */
import { frameFlags, readId, type FrameReader } from './frame-reader.ts'
import { ConnectionError, errorCodes, protocolError } from './http2-error.ts'

/** Largest block taken, compressed, in bytes. */
const blockSizeBytesMax = 65_536
/** Frames of one block. Four are enough for the largest. */
const fragmentCountMax = 32

/** A whole block. */
export interface HeaderFrame {
  readonly streamId: number
  readonly isEnd: boolean
  readonly block: Buffer
}

/** Collects one block at a time. */
export class HeaderAssembly {
  private streamId = 0
  private isEnd = false
  private fragments: Buffer[] = []
  private sizeBytes = 0

  /** A block has begun and not ended. */
  get isOpen(): boolean {
    return this.fragments.length > 0
  }

  /**
   * Takes the HEADERS frame the reader stands at.
   * @returns the block if it is whole
   * @throws ConnectionError  padding or priority that exceed the frame
   */
  begin(reader: FrameReader): HeaderFrame | undefined {
    let { start, end } = reader
    if ((reader.flags & frameFlags.padded) !== 0) end -= reader.buffer[start++] ?? 0
    if ((reader.flags & frameFlags.priority) !== 0) {
      if (readId(reader.buffer, start) === reader.streamId && start + 5 <= end) {
        throw protocolError('stream that depends on itself')
      }
      start += 5
    }
    if (start > end || start > reader.end) {
      throw new ConnectionError(errorCodes.protocolError, 'padding exceeds the frame')
    }
    const block = reader.buffer.subarray(start, end)
    const isEnd = (reader.flags & frameFlags.endStream) !== 0
    if ((reader.flags & frameFlags.endHeaders) !== 0) {
      return { streamId: reader.streamId, isEnd, block }
    }
    this.streamId = reader.streamId
    this.isEnd = isEnd
    this.add(block)
    return undefined
  }

  /**
   * Takes the CONTINUATION frame the reader stands at.
   * @returns the block if it is whole
   * @throws ConnectionError  not expected here, too many, too large
   */
  proceed(reader: FrameReader): HeaderFrame | undefined {
    if (!this.isOpen || reader.streamId !== this.streamId) {
      throw new ConnectionError(errorCodes.protocolError, 'continuation of nothing')
    }
    this.add(reader.buffer.subarray(reader.start, reader.end))
    if ((reader.flags & frameFlags.endHeaders) === 0) return undefined
    const block = Buffer.concat(this.fragments)
    this.fragments = []
    this.sizeBytes = 0
    return { streamId: this.streamId, isEnd: this.isEnd, block }
  }

  private add(fragment: Buffer): void {
    this.sizeBytes += fragment.length
    if (this.sizeBytes > blockSizeBytesMax || this.fragments.length >= fragmentCountMax) {
      throw new ConnectionError(errorCodes.enhanceYourCalm, 'header block too large')
    }
    // The chunk it came in may be much larger, and the rest may never come.
    this.fragments.push(Buffer.from(fragment))
  }
}
