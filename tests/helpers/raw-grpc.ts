/**
 * gRPC calls byte by byte, for requests that no library would send: malformed messages, wrong headers, streams left
 * open.
 */
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { connect as connectSocket } from 'node:net'

/** What came of a call. */
export interface RawAnswer {
  readonly httpStatus: number
  /** `grpc-status`; -1 when the stream ended without one. */
  readonly code: number
  /** `grpc-message`, decoded. */
  readonly text: string
  /** Messages without their prefix. */
  readonly messages: readonly Uint8Array[]
  readonly headers: IncomingHttpHeaders
  /** HTTP/2 error code the stream was reset with; 0 for an orderly end. */
  readonly resetCode: number
}

/** A message with gRPC's prefix. */
export function framed(message: Uint8Array, flags = 0): Uint8Array {
  const prefix = Buffer.alloc(5)
  prefix[0] = flags
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** Splits bytes into whole messages; what remains stays in `rest`. */
export function splitFrames(bytes: Buffer): { messages: Uint8Array[]; rest: Buffer } {
  const messages: Uint8Array[] = []
  let offset = 0
  while (offset + 5 <= bytes.length) {
    const end = offset + 5 + bytes.readUInt32BE(offset + 1)
    if (end > bytes.length) break
    messages.push(new Uint8Array(bytes.subarray(offset + 5, end)))
    offset = end
  }
  return { messages, rest: bytes.subarray(offset) }
}

/** Collects chunks and gives out whole messages, without copying what is still growing. */
class FrameCollector {
  readonly messages: Uint8Array[] = []
  private chunks: Buffer[] = []
  private sizeBytes = 0
  private neededBytes = 5

  push(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.sizeBytes += chunk.length
    if (this.sizeBytes < this.neededBytes) return
    const { messages, rest } = splitFrames(Buffer.concat(this.chunks))
    this.messages.push(...messages)
    this.chunks = [rest]
    this.sizeBytes = rest.length
    this.neededBytes = rest.length < 5 ? 5 : 5 + rest.readUInt32BE(1)
  }
}

/**
 * What a connection may keep, in MB. With Node's own limit of 10 a body above it makes the client refuse the server's
 * answer, and the call never ends.
 */
const maxSessionMemory = 1_000

/** One connection to a server. */
export class RawGrpcClient {
  private readonly session: ClientHttp2Session

  /** @param url  `http://host:port`, or `unix://path` for a socket file */
  constructor(url: string) {
    const path = /^unix:\/\/(.*)$/.exec(url)?.[1]
    this.session =
      path === undefined
        ? connect(url, { maxSessionMemory })
        : connect('http://localhost', {
            maxSessionMemory,
            createConnection: () => connectSocket({ path }),
          })
    // A connection that breaks fails the calls on it.
    this.session.on('error', () => undefined)
  }

  /** Whether calls can still be opened. */
  get isOpen(): boolean {
    return !this.session.closed && !this.session.destroyed
  }

  /** Opens a call and leaves both directions open. */
  open(path: string, headers: OutgoingHttpHeaders = {}): RawCall {
    return new RawCall(
      this.session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      }),
    )
  }

  /** Sends one body (framed by the caller), half-closes and waits for the end. */
  async call(
    path: string,
    body: Uint8Array | undefined,
    headers: OutgoingHttpHeaders = {},
  ): Promise<RawAnswer> {
    const call = this.open(path, headers)
    call.end(body)
    return call.answer
  }

  ping(): void {
    this.session.ping(() => undefined)
  }

  /** Resolves with the text of the GOAWAY frame that ends the connection. */
  readonly goaway = new Promise<{ code: number; text: string }>((resolve) => {
    queueMicrotask(() => {
      this.session.once('goaway', (code: number, _lastStream: number, data?: Buffer) => {
        resolve({ code, text: data?.toString() ?? '' })
      })
    })
  })

  close(): void {
    this.session.destroy()
  }
}

/** A call in progress. */
export class RawCall {
  readonly answer: Promise<RawAnswer>
  private readonly stream: ClientHttp2Stream
  private readonly frames = new FrameCollector()
  private readonly waiting: (() => void)[] = []
  private takenCount = 0
  private hasEnded = false

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream
    this.answer = new Promise((resolve) => {
      let headers: IncomingHttpHeaders = {}
      let trailers: IncomingHttpHeaders = {}
      stream.on('response', (received) => {
        headers = received
      })
      stream.on('trailers', (received: IncomingHttpHeaders) => {
        trailers = received
      })
      stream.on('data', (chunk: Buffer) => {
        this.frames.push(chunk)
        for (const wake of this.waiting.splice(0)) wake()
      })
      // A reset is told by the code.
      stream.on('error', () => undefined)
      stream.on('close', () => {
        this.hasEnded = true
        for (const wake of this.waiting.splice(0)) wake()
        const status = trailers['grpc-status'] ?? headers['grpc-status']
        const message = trailers['grpc-message'] ?? headers['grpc-message'] ?? ''
        resolve({
          httpStatus: Number(headers[':status'] ?? 0),
          code: status === undefined ? -1 : Number(status),
          text: decodeURIComponent(String(message)),
          messages: this.frames.messages,
          headers,
          resetCode: stream.rstCode,
        })
      })
    })
  }

  send(message: Uint8Array): void {
    this.stream.write(framed(message))
  }

  write(bytes: Uint8Array): void {
    this.stream.write(bytes)
  }

  end(bytes?: Uint8Array): void {
    if (bytes === undefined) this.stream.end()
    else this.stream.end(bytes)
  }

  /** The next message, or undefined when the call has ended without one. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const message = this.frames.messages[this.takenCount]
      if (message !== undefined) {
        this.takenCount++
        return message
      }
      if (this.hasEnded) return undefined
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
  }

  /** Stops reading from the socket. */
  pause(): void {
    this.stream.pause()
  }

  resume(): void {
    this.stream.resume()
  }

  cancel(): void {
    this.stream.close(8)
  }
}
