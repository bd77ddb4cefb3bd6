/**
 * One gRPC call that stays open, over one HTTP/2 stream: reads messages, answers with messages and a status in the trailers.
 *
 * An answer without messages is a single header block, as gRPC servers in Go send it. What a caller sends after its call
 * was decided is not read but reset.
 *
 * @see gRPC over HTTP/2, "Requests" and "Responses"
 */
import type { CancelListener } from '../base/cancellation.ts'
import type { Timer } from '../base/clock.ts'
import { grpcStatusNumbers } from '../errors/error-table.ts'
import { deadlineMsMax, type CallHost } from './call-host.ts'
import type { CallForm } from './call-route.ts'
import { gzipResponseFields, okTrailers, responseFields, statusTrailers } from './grpc-response.ts'
import { errorCodes } from './http2/http2-error.ts'
import type { ServerStream, StreamHandler } from './http2/server-stream.ts'
import type { AuthInfo } from '../node/node-surface.ts'
import { countFrames, type MethodCounts } from './metrics/call-counts.ts'
import { MessageReader } from './message-reader.ts'
import type { ClientIdentity, StreamCall } from './rpc-call.ts'
import { okStatus, statusOfError, WireError, type RpcStatus } from './status-mapping.ts'

/** One call. Created when its headers have arrived; it ends exactly once. */
export class Http2Call implements StreamCall, StreamHandler {
  requester: AuthInfo | undefined
  private readonly stream: ServerStream
  private readonly host: CallHost
  private readonly reader: MessageReader
  private readonly isGzip: boolean
  private readonly counts: MethodCounts
  private readonly beganAtMs: number
  /** Of the message that was begun. */
  private missingBytes = 0
  private cancelListener: CancelListener | undefined
  private hasBeenCanceled = false
  private deadline: Timer | undefined
  private isDecided = false
  private areHeadersSent = false
  private isReading = true
  private hasHalfClosed = false
  private onMessage: ((message: Uint8Array) => void) | undefined
  private onHalfClose: (() => void) | undefined
  private drainListener: (() => void) | undefined
  private endListeners: (() => void)[] = []

  constructor(
    stream: ServerStream,
    host: CallHost,
    route: { readonly form: CallForm; readonly counts: MethodCounts },
  ) {
    const { form, counts } = route
    this.counts = counts
    this.beganAtMs = counts.begin()
    this.stream = stream
    this.host = host
    this.isGzip = form.isGzip
    this.reader = new MessageReader({
      messageSizeBytesMax: host.messageSizeBytesMax,
      encoding: this.isGzip ? 'gzip' : 'identity',
    })
    stream.serve(this)
    const { timeoutMs } = form
    if (timeoutMs === undefined || timeoutMs > deadlineMsMax) return
    this.deadline = host.clock.setTimer(timeoutMs, () => {
      this.reset()
    })
  }

  get client(): ClientIdentity {
    return this.host.identity
  }

  findMetadata(key: string): string | undefined {
    return this.stream.head.fields.get(key)
  }

  get isCanceled(): boolean {
    return this.hasBeenCanceled
  }

  setCancelListener(listener: CancelListener | undefined): void {
    this.cancelListener = listener
  }

  get hasEnded(): boolean {
    return this.isDecided
  }

  get queuedBytes(): number {
    return this.stream.queuedBytes
  }

  onDrain(listener: () => void): void {
    this.drainListener = listener
  }

  onEnd(listener: () => void): void {
    this.endListeners.push(listener)
  }

  read(onMessage: (message: Uint8Array) => void, onHalfClose: () => void): void {
    this.onMessage = onMessage
    this.onHalfClose = onHalfClose
    if (this.reader.bufferedBytes === 0 && !this.hasHalfClosed) return
    this.host.clock.nextTurn(() => {
      this.deliver()
      this.settle()
    })
  }

  dataReceived(chunk: Buffer): void {
    if (this.isDecided) return
    this.reader.push(chunk)
    this.deliver()
    this.settle()
  }

  endReceived(): void {
    this.hasHalfClosed = true
    this.deliver()
  }

  drained(): void {
    this.drainListener?.()
  }

  closed(): void {
    this.cancel()
    if (!this.isDecided) this.counts.countEnd(grpcStatusNumbers.canceled, this.beganAtMs)
    this.finish()
    this.host.noteClosed()
  }

  setReading(isReading: boolean): void {
    if (this.isReading === isReading) return
    this.isReading = isReading
    if (!isReading) {
      this.stream.pause()
      return
    }
    this.stream.resume()
    this.deliver()
    this.settle()
  }

  send(frame: Uint8Array): void {
    if (this.isDecided || this.stream.isClosed) return
    this.openResponse()
    this.stream.write(frame)
    this.missingBytes = countFrames(this.counts, this.missingBytes, frame)
    this.host.noteFrameSent()
  }

  end(status: RpcStatus): void {
    if (this.isDecided) return
    this.counts.countEnd(status.code, this.beganAtMs)
    this.decide()
    if (this.stream.isClosed) return
    this.host.noteFrameSent()
    const trailers = status === okStatus ? okTrailers : statusTrailers(status)
    if (this.areHeadersSent) this.stream.finish(trailers)
    else this.stream.respondAndEnd([...responseFields, ...trailers])
  }

  /** Ends the call without a status, as an expired deadline does. */
  private reset(): void {
    this.cancel()
    if (this.isDecided) return
    this.counts.countEnd(grpcStatusNumbers.deadlineExceeded, this.beganAtMs)
    this.decide()
    this.stream.reset(errorCodes.cancel)
  }

  private deliver(): void {
    // It waits for a reader.
    if (this.onMessage === undefined) return
    try {
      while (this.isReading && !this.isDecided) {
        const message = this.reader.next()
        if (message === undefined) break
        this.counts.receivedMessageCount++
        this.onMessage(message)
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.end(error.status)
      return
    }
    if (!this.hasHalfClosed || !this.isReading || this.isDecided) return
    if (this.reader.bufferedBytes > 0) {
      this.end(statusOfError(new WireError('unknown', 'unexpected EOF')))
      return
    }
    const { onHalfClose } = this
    this.onHalfClose = undefined
    onHalfClose?.()
  }

  /** Lets go of the chunk that was read, and tells the connection what is kept of it. */
  private settle(): void {
    if (this.isDecided) return
    this.reader.settle()
    this.stream.noteKept(this.reader.memoryBytes)
  }

  private openResponse(): void {
    if (this.areHeadersSent) return
    this.areHeadersSent = true
    this.stream.respond(this.isGzip ? gzipResponseFields : responseFields)
  }

  private decide(): void {
    this.isDecided = true
    this.finish()
  }

  private cancel(): void {
    if (this.isDecided || this.hasBeenCanceled) return
    this.hasBeenCanceled = true
    const listener = this.cancelListener
    this.cancelListener = undefined
    listener?.canceled()
  }

  private finish(): void {
    this.isDecided = true
    this.deadline?.cancel()
    this.reader.clear()
    this.stream.noteKept(0)
    const listeners = this.endListeners
    this.endListeners = []
    for (const listener of listeners) listener()
  }
}
