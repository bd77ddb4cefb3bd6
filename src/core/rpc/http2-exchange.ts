/** Requests of HTTP/2 that are not gRPC, as routes see them. */
import type { HeaderBlock } from './http2/hpack-encoder.ts'
import type { ServerStream } from './http2/server-stream.ts'
import { WaitingBytes } from './http2/waiting-bytes.ts'
import { splitTarget, type HttpExchange } from './http-exchange.ts'
import type { ClientIdentity } from './rpc-call.ts'

/** Content that has arrived and was not taken; above it the client has to wait. */
const waitingBytesMax = 65_536
/** Written content that nobody has taken; above it the route had better wait. */
const queuedBytesMax = 65_536

/** One stream as an exchange. */
export class Http2Exchange implements HttpExchange {
  readonly path: string
  readonly query: URLSearchParams
  readonly client: ClientIdentity
  readonly body: AsyncIterable<Uint8Array>
  private readonly stream: ServerStream
  private readonly abortController = new AbortController()
  private readonly waiting = new WaitingBytes()
  private hasAllArrived = false
  private isOver = false
  /** Whoever waits for content, or for room. */
  private wakeReader: (() => void) | undefined
  private wakeWriter: (() => void) | undefined

  constructor(stream: ServerStream, client: ClientIdentity) {
    this.stream = stream
    this.client = client
    const [path, query] = splitTarget(stream.head.path)
    this.path = path
    this.query = query
    this.body = this.pieces()
    stream.serve({
      dataReceived: (chunk) => {
        this.take(chunk)
      },
      endReceived: () => {
        this.hasAllArrived = true
        this.wakeReader?.()
      },
      drained: () => {
        this.wakeWriter?.()
      },
      closed: () => {
        this.close()
      },
    })
  }

  get method(): string {
    return this.stream.head.method
  }

  get host(): string {
    return this.stream.head.authority || (this.findHeader('host') ?? '')
  }

  get signal(): AbortSignal {
    return this.abortController.signal
  }

  findHeader(name: string): string | undefined {
    return this.stream.head.fields.get(name)
  }

  begin(status: number, headers: Readonly<Record<string, string>>): void {
    const fields: HeaderBlock = [
      { name: ':status', value: String(status) },
      ...Object.entries(headers).map(([name, value]) => ({ name, value })),
    ]
    this.stream.respond(fields)
  }

  write(bytes: Uint8Array): boolean {
    this.stream.write(bytes)
    return this.stream.isClosed || this.stream.queuedBytes <= queuedBytesMax
  }

  drained(): Promise<void> {
    if (this.stream.isClosed || this.stream.queuedBytes === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.wakeWriter = resolve
    })
  }

  end(): void {
    this.isOver = true
    this.waiting.clear()
    this.stream.noteKept(0)
    this.stream.finish([])
  }

  private take(chunk: Buffer): void {
    if (this.isOver) return
    this.waiting.append(chunk)
    if (this.waiting.sizeBytes > waitingBytesMax) this.stream.pause()
    this.wakeReader?.()
    this.stream.noteKept(this.waiting.memoryBytes)
  }

  private close(): void {
    if (!this.isOver) this.abortController.abort()
    this.isOver = true
    this.waiting.clear()
    this.wakeReader?.()
    this.wakeWriter?.()
  }

  private async *pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.waiting.sizeBytes > 0) {
        const piece = this.waiting.take(this.waiting.sizeBytes)
        this.stream.noteKept(0)
        yield piece
        continue
      }
      if (this.hasAllArrived) return
      if (this.stream.isClosed) throw new Error('the client went away')
      this.stream.resume()
      await new Promise<void>((resolve) => {
        this.wakeReader = resolve
      })
      this.wakeReader = undefined
    }
  }
}
