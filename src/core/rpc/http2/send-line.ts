/**
 * Who may send next on a connection.
 *
 * Streams with data take turns of one frame each, as long as the client's window for the connection, its window for the
 * stream and the socket have room. A stream whose own window is closed leaves the line until that window opens.
 *
 * @see RFC 9113, section 5.2
 */
import type { FrameOutput } from './frame-output.ts'
import { ConnectionError, errorCodes, protocolError } from './http2-error.ts'
import type { ServerStream } from './server-stream.ts'

/** Window that holds until the client says otherwise. */
export const initialWindowBytesDefault = 65_535
/** Larger windows are a mistake. */
export const windowBytesMax = 2_147_483_647
/** Largest frame sent to clients that take more than the smallest: above it only other streams would wait longer. */
const sentFrameBytesMax = 65_536

/** The line of one connection. */
export class SendLine {
  /** The client's window for the whole connection, in bytes. */
  windowBytes = initialWindowBytesDefault
  private readonly output: FrameOutput
  private frameBytesMax = 16_384
  private line: ServerStream[] = []
  private isPumping = false

  constructor(output: FrameOutput) {
    this.output = output
  }

  /** The largest payload the client takes. */
  setFrameSizeMax(sizeBytes: number): void {
    this.frameBytesMax = Math.min(sizeBytes, sentFrameBytesMax)
  }

  /** The client takes more. @throws ConnectionError  by nothing, or by too much */
  widen(incrementBytes: number): void {
    if (incrementBytes === 0) throw protocolError('window increment of 0')
    this.windowBytes += incrementBytes
    if (this.windowBytes > windowBytesMax) {
      throw new ConnectionError(errorCodes.flowControlError, 'connection window too large')
    }
    this.pump()
  }

  /** Takes room for a whole answer, past the line when nobody stands in it. @returns false: it must wait in line */
  takeTurn(sizeBytes: number): boolean {
    if (this.line.length > 0 || this.isPumping) return false
    if (sizeBytes > this.frameBytesMax || sizeBytes > this.windowBytes) return false
    if (!this.output.hasRoom()) return false
    this.windowBytes -= sizeBytes
    return true
  }

  /** A stream has data, or its window has opened. */
  offer(stream: ServerStream): void {
    if (stream.isInLine || stream.isClosed) return
    stream.isInLine = true
    this.line.push(stream)
    this.pump()
  }

  /** Sends what there is room for. */
  pump(): void {
    // Streams are told of room while the line moves, and may add to it.
    if (this.isPumping) return
    this.isPumping = true
    while (this.line.length > 0 && this.windowBytes > 0 && this.output.hasRoom()) {
      const stream = this.line.shift()
      if (stream === undefined) break
      stream.isInLine = false
      if (!stream.isClosed) this.sendPiece(stream)
    }
    this.isPumping = false
  }

  private sendPiece(stream: ServerStream): void {
    const piece = stream.takePiece(Math.min(this.frameBytesMax, this.windowBytes))
    if (piece.length > 0) {
      this.windowBytes -= piece.length
      this.output.data(stream.id, piece)
    }
    if (stream.queuedBytes === 0) {
      stream.noteEmptied()
      return
    }
    if (stream.sendWindowBytes <= 0 || stream.isInLine) return
    stream.isInLine = true
    this.line.push(stream)
  }
}
