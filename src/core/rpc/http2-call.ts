/**
 * One gRPC call over one HTTP/2 stream: reads messages, answers with messages and a status in the trailers.
 *
 * An answer without messages is a single header block, as gRPC servers in Go send it. What a caller sends after its call
 * was decided is not read but reset.
 *
 * @see gRPC over HTTP/2, "Requests" and "Responses"
 */
import { gzipSync } from 'node:zlib'
import type { CancelListener } from '../base/cancellation.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { HeaderBlock } from './http2/hpack-encoder.ts'
import { errorCodes } from './http2/http2-error.ts'
import type { ServerStream, StreamHandler } from './http2/server-stream.ts'
import { MessageReader } from './message-reader.ts'
import type { ClientIdentity, StreamCall } from './rpc-call.ts'
import { okStatus, statusOfError, WireError, type RpcStatus } from './status-mapping.ts'

/** What all calls of a server share. */
export interface CallOptions {
  readonly clock: Clock
  readonly client: ClientIdentity
  /** Largest message taken, in bytes. */
  readonly messageSizeBytesMax: number
  /** A header or data frame was sent: pings that follow are no flood. */
  readonly onFrameSent: () => void
  /** The call's stream is gone. Comes once, last of all. */
  readonly onClosed: (call: Http2Call) => void
}

/** Units of a `grpc-timeout`, in milliseconds. */
const timeoutUnitsMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
}

/**
 * Milliseconds of a `grpc-timeout` value; undefined when it is malformed.
 * @see gRPC over HTTP/2: at most eight digits and a unit
 */
export function parseGrpcTimeoutMs(value: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value)
  if (match === null) return undefined
  return Number(match[1]) * (timeoutUnitsMs[match[2] ?? ''] ?? 0)
}

/** Text as `grpc-message` carries it: bytes outside printable ASCII and the percent sign as %XX. */
function encodeGrpcMessage(text: string): string {
  if (/^[\x20-\x24\x26-\x7e]*$/.test(text)) return text
  let encoded = ''
  for (const byte of Buffer.from(text, 'utf8')) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25
    encoded += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

/** One call. Created when its headers have arrived; it ends exactly once. */
export class Http2Call implements StreamCall, StreamHandler {
  private readonly stream: ServerStream
  private readonly options: CallOptions
  private readonly reader: MessageReader
  private readonly isGzip: boolean
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

  /** @throws WireError  malformed timeout or unknown compression */
  constructor(stream: ServerStream, options: CallOptions) {
    this.stream = stream
    this.options = options
    this.isGzip = this.findMetadata('grpc-encoding') === 'gzip'
    this.reader = new MessageReader({
      messageSizeBytesMax: options.messageSizeBytesMax,
      encoding: this.isGzip ? 'gzip' : 'identity',
    })
    this.startDeadline()
    stream.serve(this)
  }

  get client(): ClientIdentity {
    return this.options.client
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
    this.options.clock.nextTurn(() => {
      this.deliver()
    })
  }

  dataReceived(chunk: Buffer): void {
    if (this.isDecided) return
    this.reader.push(chunk)
    this.deliver()
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
    this.finish()
    this.options.onClosed(this)
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
  }

  send(frame: Uint8Array): void {
    if (this.isDecided || this.stream.isClosed) return
    this.openResponse()
    this.stream.write(frame)
    this.options.onFrameSent()
  }

  /** Answers a unary call: one message and OK. */
  answer(frame: Uint8Array): void {
    if (this.isDecided || this.stream.isClosed) return
    this.openResponse()
    this.decide()
    this.stream.write(this.isGzip ? compressFrame(frame) : frame)
    this.stream.finish(okTrailers)
    this.options.onFrameSent()
  }

  end(status: RpcStatus): void {
    if (this.isDecided) return
    this.decide()
    if (this.stream.isClosed) return
    this.options.onFrameSent()
    const trailers = status === okStatus ? okTrailers : statusTrailers(status)
    if (this.areHeadersSent) this.stream.finish(trailers)
    else this.stream.respondAndEnd([...responseFields, ...trailers])
  }

  /** Ends the call without a status, as an expired deadline does. */
  private reset(): void {
    this.cancel()
    if (this.isDecided) return
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

  private startDeadline(): void {
    const value = this.findMetadata('grpc-timeout')
    if (value === undefined) return
    const timeoutMs = parseGrpcTimeoutMs(value)
    if (timeoutMs === undefined) {
      throw new WireError('internal', `malformed grpc-timeout: ${value}`)
    }
    // Node's timers hold 31 bits; a longer deadline outlives any call.
    if (timeoutMs > 0x7fff_ffff) return
    this.deadline = this.options.clock.setTimer(timeoutMs, () => {
      this.reset()
    })
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
    const listeners = this.endListeners
    this.endListeners = []
    for (const listener of listeners) listener()
  }
}

const responseFields: HeaderBlock = [
  { name: ':status', value: '200', isCommon: true },
  { name: 'content-type', value: 'application/grpc', isCommon: true },
]
const gzipResponseFields: HeaderBlock = [
  ...responseFields,
  { name: 'grpc-encoding', value: 'gzip', isCommon: true },
]
const okTrailers: HeaderBlock = [
  { name: 'grpc-status', value: '0', isCommon: true },
  { name: 'grpc-message', value: '', isCommon: true },
]

/** The fields that tell a status. */
export function statusTrailers(status: RpcStatus): HeaderBlock {
  return [
    { name: 'grpc-status', value: String(status.code) },
    { name: 'grpc-message', value: encodeGrpcMessage(status.message) },
  ]
}

/** The same frame with its message compressed and flagged so. */
function compressFrame(frame: Uint8Array): Uint8Array {
  const compressed = gzipSync(frame.subarray(5))
  const prefix = Buffer.alloc(5)
  prefix[0] = 1
  prefix.writeUInt32BE(compressed.length, 1)
  return Buffer.concat([prefix, compressed])
}
