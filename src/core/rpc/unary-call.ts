/**
 * One unary call over one HTTP/2 stream: one message in, one message or a status out.
 *
 * It is made for every request, so it holds little and makes nothing that an ordinary call does not need: a message that
 * arrives in one piece is handed on where it lies, and its answer leaves as one piece. Whatever a client sends after its
 * message is ignored, as grpc-go does.
 *
 * @see gRPC over HTTP/2, "Requests" and "Responses"
 */
import type { CancelListener } from '../base/cancellation.ts'
import type { Timer } from '../base/clock.ts'
import type { Settler } from '../base/settler.ts'
import type { CallForm } from './call-route.ts'
import { grpcStatusNumbers } from '../errors/error-table.ts'
import {
  compressFrame,
  gzipResponseFields,
  okTrailers,
  responseFields,
  statusTrailers,
} from './grpc-response.ts'
import { errorCodes } from './http2/http2-error.ts'
import type { ServerStream, StreamHandler } from './http2/server-stream.ts'
import { deadlineMsMax, type CallHost } from './call-host.ts'
import { MessageReader } from './message-reader.ts'
import type {
  AnswerInPieces,
  AnswerRest,
  ClientIdentity,
  UnaryExchange,
  UnaryMethod,
} from './rpc-call.ts'
import type { AuthInfo } from '../node/node-surface.ts'
import type { MethodCounts } from './metrics/call-counts.ts'
import { statusOfError, WireError } from './status-mapping.ts'

const prefixSizeBytes = 5

/** One call. Created when its headers have arrived; it ends exactly once. */
export class UnaryCall implements UnaryExchange, StreamHandler {
  requester: AuthInfo | undefined
  private readonly stream: ServerStream
  private readonly host: CallHost
  private readonly method: UnaryMethod
  private readonly counts: MethodCounts
  private readonly beganAtMs: number
  private readonly isGzip: boolean
  private reader: MessageReader | undefined
  private hasStarted = false
  private isDecided = false
  private hasBeenCanceled = false
  /** Of the answer: it is made while the client takes it. */
  private rest: AnswerRest | undefined
  private cancelListener: CancelListener | undefined
  private deadline: Timer | undefined

  constructor(
    stream: ServerStream,
    host: CallHost,
    route: {
      readonly form: CallForm
      readonly method: UnaryMethod
      readonly counts: MethodCounts
    },
  ) {
    this.stream = stream
    this.host = host
    const { form, counts } = route
    this.method = route.method
    this.counts = counts
    this.beganAtMs = counts.begin()
    this.isGzip = form.isGzip
    stream.serve(this)
    const { timeoutMs } = form
    if (timeoutMs === undefined || timeoutMs > deadlineMsMax) return
    this.deadline = host.clock.setTimer(timeoutMs, () => {
      this.expire()
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

  dataReceived(chunk: Buffer): void {
    if (this.hasStarted || this.isDecided) return
    if (this.reader === undefined && this.isWholeMessage(chunk)) {
      this.start(chunk.subarray(prefixSizeBytes))
      return
    }
    this.reader ??= new MessageReader({
      messageSizeBytesMax: this.host.messageSizeBytesMax,
      encoding: this.isGzip ? 'gzip' : 'identity',
    })
    this.reader.push(chunk)
    try {
      const message = this.reader.next()
      if (message !== undefined) {
        this.stream.noteKept(0)
        this.start(message)
        return
      }
      this.reader.settle()
      this.stream.noteKept(this.reader.memoryBytes)
    } catch (error) {
      this.fail(error)
    }
  }

  endReceived(): void {
    if (this.hasStarted || this.isDecided) return
    const isCutShort = this.reader !== undefined && this.reader.bufferedBytes > 0
    this.fail(new WireError('unknown', isCutShort ? 'unexpected EOF' : 'EOF'))
  }

  drained(): void {
    this.sendRest()
  }

  closed(): void {
    this.rest?.release()
    this.rest = undefined
    this.cancel()
    if (!this.isDecided) this.decide(grpcStatusNumbers.canceled)
    this.host.noteClosed()
  }

  /** Answers with one message, framed already, and OK. */
  succeed(frame: Uint8Array): void {
    if (this.isDecided) return
    this.counts.sentMessageCount++
    this.decide(grpcStatusNumbers.ok)
    if (this.stream.isClosed) return
    this.host.noteFrameSent()
    if (this.isGzip) this.stream.answer(gzipResponseFields, compressFrame(frame), okTrailers)
    else this.stream.answer(responseFields, frame, okTrailers)
  }

  /** A compressed answer must be whole: how long it becomes is not known before. */
  get pieces(): Settler<AnswerInPieces> | undefined {
    if (this.isGzip) return undefined
    return {
      succeed: (answer) => {
        this.succeedInPieces(answer)
      },
      fail: (error) => {
        this.fail(error)
      },
    }
  }

  private succeedInPieces({ pieces, rest }: AnswerInPieces): void {
    if (this.isDecided || this.stream.isClosed) {
      rest?.release()
      if (!this.isDecided) this.decide(grpcStatusNumbers.ok)
      return
    }
    this.decide(grpcStatusNumbers.ok)
    this.host.noteFrameSent()
    this.rest = rest
    if (rest !== undefined) this.stream.promiseMore()
    this.stream.respond(responseFields)
    for (const piece of pieces) this.stream.write(piece)
    if (rest === undefined) this.stream.finish(okTrailers)
    else this.sendRest()
  }

  /** Makes as much of the rest as there is room for. */
  private sendRest(): void {
    while (this.rest !== undefined && !this.stream.isClosed && this.stream.queuedBytes === 0) {
      const { rest } = this
      let pieces: readonly Uint8Array[]
      try {
        pieces = rest.read()
      } catch (error) {
        this.breakOff(error)
        return
      }
      if (rest.isDone) this.rest = undefined
      for (const piece of pieces) this.stream.write(piece)
      if (rest.isDone) this.stream.finish(okTrailers)
    }
  }

  /** Half an answer cannot become an error any more. */
  private breakOff(error: unknown): void {
    this.rest?.release()
    this.rest = undefined
    this.host.reportFailure(error)
    this.stream.reset(errorCodes.internalError)
  }

  /** Answers with the status of the error, in a single header block as gRPC servers in Go do. */
  fail(error: unknown): void {
    this.host.reportFailure(error)
    if (this.isDecided) return
    const status = statusOfError(error)
    this.decide(status.code)
    if (this.stream.isClosed) return
    this.host.noteFrameSent()
    this.stream.respondAndEnd([...responseFields, ...statusTrailers(status)])
  }

  private start(message: Uint8Array): void {
    this.hasStarted = true
    this.counts.receivedMessageCount++
    this.reader = undefined
    const { method } = this
    try {
      this.host.admit(this, () => method.isServedByLearner(message))
      method.handle(message, this)
    } catch (error) {
      this.fail(error)
    }
  }

  /** Whether the chunk is one uncompressed message of allowed size and nothing else. */
  private isWholeMessage(chunk: Buffer): boolean {
    if (chunk.length < prefixSizeBytes || chunk[0] !== 0) return false
    const lengthBytes = chunk.readUInt32BE(1)
    return (
      lengthBytes === chunk.length - prefixSizeBytes && lengthBytes <= this.host.messageSizeBytesMax
    )
  }

  /** Ends the call without a status, as grpc-go does. */
  private expire(): void {
    this.cancel()
    if (this.isDecided) return
    this.decide(grpcStatusNumbers.deadlineExceeded)
    this.stream.reset(errorCodes.cancel)
  }

  private cancel(): void {
    if (this.isDecided || this.hasBeenCanceled) return
    this.hasBeenCanceled = true
    const listener = this.cancelListener
    this.cancelListener = undefined
    listener?.canceled()
  }

  /** @param code  of gRPC, for the count */
  private decide(code: number): void {
    this.isDecided = true
    this.counts.countEnd(code, this.beganAtMs)
    this.deadline?.cancel()
    this.deadline = undefined
    if (this.reader === undefined) return
    this.reader = undefined
    this.stream.noteKept(0)
  }
}
