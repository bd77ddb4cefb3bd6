/**
 * One request and its answer on an HTTP/2 connection.
 *
 * What is written waits here while the client's windows or the socket have no room for it. What is received is handed on
 * at once, unless reading is paused; then it waits here, and the client's window closes.
 *
 * @see RFC 9113, sections 5.1 and 5.2
 */
import type { HeaderBlock } from './hpack-encoder.ts'
import { errorCodes } from './http2-error.ts'
import type { RequestHead } from './request-head.ts'
import { WaitingBytes } from './waiting-bytes.ts'

/** What a stream tells whoever serves it. Calls come in the turn in which something happens. */
export interface StreamHandler {
  /** Content has arrived. */
  dataReceived(chunk: Buffer): void
  /** The client has sent all of its content. */
  endReceived(): void
  /** All that had to wait has been sent. */
  drained(): void
  /** The stream is gone, finished or not. Comes once. */
  closed(): void
}

/** An answer that is known from its beginning to its end. */
export interface WholeAnswer {
  readonly fields: HeaderBlock
  readonly content: Uint8Array
  readonly trailers: HeaderBlock
}

/** What a stream needs of its connection. */
export interface StreamOwner {
  /** Sends an answer in one go. @returns false: there is no room for it now, and nothing was sent */
  sendAnswer(stream: ServerStream, answer: WholeAnswer): boolean
  sendHeaders(stream: ServerStream, fields: HeaderBlock, isEnd: boolean): void
  sendReset(stream: ServerStream, code: number): void
  sendWindowUpdate(stream: ServerStream, incrementBytes: number): void
  /** The stream has data to send. */
  offer(stream: ServerStream): void
  /** Bytes waiting in the stream have grown or shrunk. */
  noteQueued(differenceBytes: number): void
  /** Memory held for what was received has grown or shrunk. */
  noteKept(differenceBytes: number): void
  forget(stream: ServerStream): void
}

const noBytes = new Uint8Array()

export interface StreamOptions {
  readonly id: number
  readonly head: RequestHead
  /** The client has said that nothing more comes. */
  readonly isComplete: boolean
  /** The client's window for this stream, in bytes. */
  readonly sendWindowBytes: number
  /** The window the client was given for this stream, in bytes. */
  readonly receiveWindowBytes: number
  /** Memory that the head takes for this stream alone, in bytes. */
  readonly headBytes: number
}

/** A stream from its request on. */
export class ServerStream {
  readonly id: number
  readonly head: RequestHead
  /** What the client may still be sent; negative after it has made its window smaller. */
  sendWindowBytes: number
  /** Waits in line for the connection's window. */
  isInLine = false
  private readonly owner: StreamOwner
  /** Room in the window the client was given, and what was read and not given back yet; see `ReceiveWindow`. */
  private openBytes: number
  private consumedBytes = 0
  private readonly receiveWindowBytes: number
  private handler: StreamHandler | undefined
  /** Made for the streams that need it: few do. */
  private queue: Uint8Array[] | undefined
  private waitingBytes = 0
  private hasWaited = false
  private trailers: HeaderBlock | undefined
  private hasMoreToCome = false
  private held: WaitingBytes | undefined
  /** Memory that the handler has told to hold, that {@link held} takes, and that the head does. */
  private keptBytes = 0
  private heldBytes = 0
  private readonly headBytes: number
  private isPaused = false
  private hasRemoteEnded = false
  private hasToldEnd = false
  private hasClosed = false
  /** Content still to come by `content-length`; -1 when it was not told. */
  private remainingBytes: number

  constructor(owner: StreamOwner, options: StreamOptions) {
    this.owner = owner
    this.id = options.id
    this.head = options.head
    this.sendWindowBytes = options.sendWindowBytes
    this.receiveWindowBytes = options.receiveWindowBytes
    this.openBytes = options.receiveWindowBytes
    this.headBytes = options.headBytes
    this.remainingBytes = options.head.contentLengthBytes
    this.hasRemoteEnded = options.isComplete && this.remainingBytes <= 0
  }

  get isClosed(): boolean {
    return this.hasClosed
  }

  /** The client has sent all of its content. */
  get hasHalfClosed(): boolean {
    return this.hasRemoteEnded
  }

  /** Bytes written that neither windows nor socket had room for. */
  get queuedBytes(): number {
    return this.waitingBytes
  }

  /** The answer is complete here, or made as soon as there is room for it, and waits for that. */
  get isWaitingToEnd(): boolean {
    return (this.trailers !== undefined || this.hasMoreToCome) && !this.hasClosed
  }

  /** Says who serves the stream; without one, content is dropped. */
  serve(handler: StreamHandler): void {
    this.handler = handler
  }

  /** Begins the answer. */
  respond(fields: HeaderBlock): void {
    if (!this.hasClosed) this.owner.sendHeaders(this, fields, false)
  }

  /** Says that the rest of the answer is only made when what was written has been sent, so that it waits for the client. */
  promiseMore(): void {
    this.hasMoreToCome = true
  }

  /** Adds content. The bytes must not change afterwards. */
  write(bytes: Uint8Array): void {
    if (this.hasClosed || this.trailers !== undefined || bytes.length === 0) return
    this.queue ??= []
    this.queue.push(bytes)
    this.waitingBytes += bytes.length
    this.owner.noteQueued(bytes.length)
    this.owner.offer(this)
    if (this.waitingBytes > 0) this.hasWaited = true
  }

  /** Ends the answer once everything written has been sent; what the client still sends is refused. */
  finish(trailers: HeaderBlock): void {
    if (this.hasClosed || this.trailers !== undefined) return
    this.trailers = trailers
    if (this.waitingBytes === 0) this.end(trailers)
    else this.owner.offer(this)
  }

  /** Answers at once and whole where there is room, which is nearly always. The content must not change afterwards. */
  answer(fields: HeaderBlock, content: Uint8Array, trailers: HeaderBlock): void {
    if (this.hasClosed) return
    const isWithinWindow = content.length <= this.sendWindowBytes
    if (isWithinWindow && this.owner.sendAnswer(this, { fields, content, trailers })) {
      this.endSent()
      return
    }
    this.respond(fields)
    this.write(content)
    this.finish(trailers)
  }

  /** Answers without content. */
  respondAndEnd(fields: HeaderBlock): void {
    if (!this.hasClosed) this.end(fields)
  }

  /** Gives up the stream. @param code  one of `errorCodes` */
  reset(code: number): void {
    if (this.hasClosed) return
    this.owner.sendReset(this, code)
    this.close()
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    const { held } = this
    if (held !== undefined && held.sizeBytes > 0) {
      const content = held.take(held.sizeBytes)
      this.noteHeld()
      this.deliver(content)
    }
    this.tellEnd()
  }

  /** For the handler: the memory that it holds for content it was handed, in bytes. */
  noteKept(sizeBytes: number): void {
    if (sizeBytes === this.keptBytes || this.hasClosed) return
    const differenceBytes = sizeBytes - this.keptBytes
    this.keptBytes = sizeBytes
    this.owner.noteKept(differenceBytes)
  }

  /** For the connection: the next piece that may be sent, taken out of the queue; empty when there is none. */
  takePiece(sizeBytesMax: number): Uint8Array {
    const { queue } = this
    const first = queue?.[0]
    const sizeBytes = Math.min(first?.length ?? 0, sizeBytesMax, this.sendWindowBytes)
    if (queue === undefined || first === undefined || sizeBytes <= 0) return noBytes
    this.sendWindowBytes -= sizeBytes
    this.waitingBytes -= sizeBytes
    this.owner.noteQueued(-sizeBytes)
    if (sizeBytes === first.length) {
      queue.shift()
      return first
    }
    queue[0] = first.subarray(sizeBytes)
    return first.subarray(0, sizeBytes)
  }

  /** For the connection: everything that waited has been taken. */
  noteEmptied(): void {
    if (this.trailers !== undefined) {
      this.end(this.trailers)
      return
    }
    if (!this.hasWaited) return
    this.hasWaited = false
    this.handler?.drained()
  }

  /**
   * For the connection: content has arrived.
   * @param frame  `sizeBytes`: what it takes from the window, which padding does too; `isEnd`: nothing comes after it
   * @returns the error code that the stream must be reset with, or undefined
   */
  receive(
    content: Buffer,
    { sizeBytes, isEnd }: { readonly sizeBytes: number; readonly isEnd: boolean },
  ): number | undefined {
    this.openBytes -= sizeBytes
    if (this.openBytes < 0) return errorCodes.flowControlError
    // Padding is read as soon as it arrives.
    this.credit(sizeBytes - content.length)
    if (this.remainingBytes >= 0) {
      this.remainingBytes -= content.length
      if (this.remainingBytes < 0 || (isEnd && this.remainingBytes > 0)) {
        return errorCodes.protocolError
      }
    }
    // Known before the content is handed on: whoever answers at once must not refuse what does not come.
    if (isEnd) this.hasRemoteEnded = true
    if (content.length > 0) this.take(content)
    if (isEnd) this.tellEnd()
    return undefined
  }

  /**
   * For the connection: the client has sent all of its content.
   * @returns false when it was less than it had told
   */
  receiveEnd(): boolean {
    if (this.remainingBytes > 0) return false
    this.hasRemoteEnded = true
    this.tellEnd()
    return true
  }

  /** For the connection: the stream is gone. */
  close(): void {
    if (this.hasClosed) return
    this.hasClosed = true
    if (this.waitingBytes > 0) this.owner.noteQueued(-this.waitingBytes)
    this.waitingBytes = 0
    this.queue = undefined
    this.held = undefined
    const keptBytes = this.keptBytes + this.heldBytes + this.headBytes
    if (keptBytes > 0) this.owner.noteKept(-keptBytes)
    this.owner.forget(this)
    this.handler?.closed()
  }

  private end(lastFields: HeaderBlock): void {
    this.owner.sendHeaders(this, lastFields, true)
    this.endSent()
  }

  private endSent(): void {
    if (!this.hasRemoteEnded) this.owner.sendReset(this, errorCodes.noError)
    this.close()
  }

  private take(content: Buffer): void {
    if (!this.isPaused) {
      this.deliver(content)
      return
    }
    this.held ??= new WaitingBytes()
    this.held.append(content)
    this.noteHeld()
  }

  private noteHeld(): void {
    const differenceBytes = (this.held?.memoryBytes ?? 0) - this.heldBytes
    this.heldBytes += differenceBytes
    if (differenceBytes !== 0) this.owner.noteKept(differenceBytes)
  }

  private deliver(chunk: Buffer): void {
    this.credit(chunk.length)
    this.handler?.dataReceived(chunk)
  }

  /** Gives the client back what was consumed, in large steps. */
  private credit(sizeBytes: number): void {
    this.consumedBytes += sizeBytes
    const incrementBytes = this.consumedBytes
    if (incrementBytes * 2 < this.receiveWindowBytes || this.hasRemoteEnded) return
    this.openBytes += incrementBytes
    this.consumedBytes = 0
    this.owner.sendWindowUpdate(this, incrementBytes)
  }

  private tellEnd(): void {
    if (!this.hasRemoteEnded || this.hasToldEnd || this.isStopped()) return
    if (this.held !== undefined && this.held.sizeBytes > 0) return
    this.hasToldEnd = true
    this.handler?.endReceived()
  }

  private isStopped(): boolean {
    return this.isPaused || this.hasClosed
  }
}
