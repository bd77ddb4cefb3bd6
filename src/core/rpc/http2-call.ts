/**
 * One gRPC call over one HTTP/2 stream: reads messages, answers with messages and a status in the trailers.
 *
 * An answer without messages is a single header block, as gRPC servers in Go send it. What a caller sends after its call
 * was decided is not read but reset.
 *
 * @see gRPC over HTTP/2, "Requests" and "Responses"
 */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { gzipSync } from 'node:zlib'
import type { Clock, Timer } from '../base/clock.ts'
import { StoreError } from '../errors/store-error.ts'
import { MessageReader } from './message-reader.ts'
import type { StreamCall } from './rpc-call.ts'
import { okStatus, statusOfError, WireError, type RpcStatus } from './status-mapping.ts'

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants

/** What all calls of a server share. */
export interface CallOptions {
  readonly clock: Clock
  /** Largest message taken, in bytes. */
  readonly messageSizeBytesMax: number
  /** A header or data frame was sent: pings that follow are no flood. */
  readonly onFrameSent: () => void
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
export function encodeGrpcMessage(text: string): string {
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
export class Http2Call implements StreamCall {
  private readonly stream: ServerHttp2Stream
  private readonly headers: IncomingHttpHeaders
  private readonly options: CallOptions
  private readonly reader: MessageReader
  private readonly isGzip: boolean
  private abortController: AbortController | undefined
  private abortReason: Error | undefined
  private deadline: Timer | undefined
  private isDecided = false
  private areHeadersSent = false
  private isReading = true
  private hasHalfClosed = false
  private trailers: Record<string, string> | undefined
  private onMessage: ((message: Uint8Array) => void) | undefined
  private onHalfClose: (() => void) | undefined
  private endListeners: (() => void)[] = []

  /** @throws WireError  malformed timeout or unknown compression */
  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, options: CallOptions) {
    this.stream = stream
    this.headers = headers
    this.options = options
    this.isGzip = this.findMetadata('grpc-encoding') === 'gzip'
    this.reader = new MessageReader({
      messageSizeBytesMax: options.messageSizeBytesMax,
      encoding: this.isGzip ? 'gzip' : 'identity',
    })
    stream.once('close', () => {
      this.abort(new StoreError('contextCanceled'))
      this.finish()
    })
    this.startDeadline()
  }

  findMetadata(key: string): string | undefined {
    const value = this.headers[key]
    return Array.isArray(value) ? value[0] : value
  }

  get signal(): AbortSignal {
    if (this.abortController === undefined) {
      this.abortController = new AbortController()
      if (this.abortReason !== undefined) this.abortController.abort(this.abortReason)
    }
    return this.abortController.signal
  }

  get hasEnded(): boolean {
    return this.isDecided
  }

  get queuedBytes(): number {
    return this.stream.writableLength
  }

  onDrain(listener: () => void): void {
    this.stream.on('drain', listener)
  }

  onEnd(listener: () => void): void {
    this.endListeners.push(listener)
  }

  read(onMessage: (message: Uint8Array) => void, onHalfClose: () => void): void {
    this.onMessage = onMessage
    this.onHalfClose = onHalfClose
    this.stream.on('data', (chunk: Buffer) => {
      if (this.isDecided) return
      this.reader.push(chunk)
      this.deliver()
    })
    this.stream.once('end', () => {
      this.hasHalfClosed = true
      this.deliver()
    })
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
    if (this.isDecided || this.stream.destroyed) return
    this.openResponse()
    this.stream.write(frame)
    this.options.onFrameSent()
  }

  /** Answers a unary call: one message and OK. */
  answer(frame: Uint8Array): void {
    if (this.isDecided || this.stream.destroyed) return
    this.openResponse()
    this.decide(okStatus)
    this.stream.end(this.isGzip ? compressFrame(frame) : frame)
    this.options.onFrameSent()
  }

  end(status: RpcStatus): void {
    if (this.isDecided) return
    this.decide(status)
    if (this.stream.destroyed) return
    this.options.onFrameSent()
    if (this.areHeadersSent) {
      this.stream.end()
      return
    }
    this.stream.respond({ ...responseHeaders, ...statusTrailers(status) }, { endStream: true })
    this.stopReceiving()
  }

  /** The rest of what the caller sends is of no interest and must not fill its window. */
  private stopReceiving(): void {
    if (!this.hasHalfClosed && !this.stream.readableEnded) this.stream.close(NGHTTP2_NO_ERROR)
  }

  /** Ends the call without a status, as an expired deadline does. */
  private reset(reason: Error): void {
    this.abort(reason)
    if (this.isDecided) return
    this.decide(statusOfError(reason))
    this.stream.close(NGHTTP2_CANCEL)
  }

  private deliver(): void {
    try {
      while (this.isReading && !this.isDecided) {
        const message = this.reader.next()
        if (message === undefined) break
        this.onMessage?.(message)
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
      this.reset(new StoreError('contextDeadlineExceeded'))
    })
  }

  private openResponse(): void {
    if (this.areHeadersSent) return
    this.areHeadersSent = true
    this.stream.once('wantTrailers', () => {
      this.stream.sendTrailers(this.trailers ?? okTrailers)
      // A reset in the same turn would overtake the trailers.
      this.options.clock.nextTurn(() => {
        this.stopReceiving()
      })
    })
    this.stream.respond(this.isGzip ? gzipResponseHeaders : responseHeaders, waitForTrailers)
  }

  private decide(status: RpcStatus): void {
    this.isDecided = true
    this.trailers = status === okStatus ? okTrailers : statusTrailers(status)
    this.deadline?.cancel()
    this.finish()
  }

  private abort(reason: Error): void {
    if (this.isDecided || this.abortReason !== undefined) return
    this.abortReason = reason
    this.abortController?.abort(reason)
  }

  private finish(): void {
    this.isDecided = true
    this.deadline?.cancel()
    const listeners = this.endListeners
    this.endListeners = []
    for (const listener of listeners) listener()
  }
}

const responseHeaders = { ':status': 200, 'content-type': 'application/grpc' }
const gzipResponseHeaders = { ...responseHeaders, 'grpc-encoding': 'gzip' }
const okTrailers = { 'grpc-status': '0', 'grpc-message': '' }
const waitForTrailers = { waitForTrailers: true }

function statusTrailers(status: RpcStatus): Record<string, string> {
  return { 'grpc-status': String(status.code), 'grpc-message': encodeGrpcMessage(status.message) }
}

/** The same frame with its message compressed and flagged so. */
function compressFrame(frame: Uint8Array): Uint8Array {
  const compressed = gzipSync(frame.subarray(5))
  const prefix = Buffer.alloc(5)
  prefix[0] = 1
  prefix.writeUInt32BE(compressed.length, 1)
  return Buffer.concat([prefix, compressed])
}
