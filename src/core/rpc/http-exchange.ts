/**
 * One HTTP request and its answer, whichever version of HTTP it came by.
 *
 * Routes see this and nothing of HTTP/1 or HTTP/2, so that each of them is written once.
 */
import type { ClientIdentity } from './rpc-call.ts'

export interface HttpExchange {
  readonly method: string
  /** Path without the query, as it was sent. */
  readonly path: string
  readonly query: URLSearchParams
  /** The host asked for, with its port if it has one; empty when the request names none. */
  readonly host: string
  readonly client: ClientIdentity
  /** Value of a header by its name in lower case. */
  findHeader(name: string): string | undefined
  /** What the client sends, as it arrives. No faster than it is taken. Read at most once. */
  readonly body: AsyncIterable<Uint8Array>
  /** Aborted when the client goes away before the answer is complete. */
  readonly signal: AbortSignal
  /** Begins the answer. Header names are in lower case. */
  begin(status: number, headers: Readonly<Record<string, string>>): void
  /** Adds to the answer. @returns false when it is better to wait for {@link drained} */
  write(bytes: Uint8Array): boolean
  /** Resolves when what was written has left, or nobody waits for it any more. */
  drained(): Promise<void>
  /** Completes the answer. What the client has not yet sent is not read any more. */
  end(): void
}

/** An answer that is complete. */
export interface HttpAnswer {
  readonly status: number
  readonly body: string | Uint8Array
  /** Plain text when absent. */
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What Go's servers call text. */
export const plainText = 'text/plain; charset=utf-8'
/** For whatever there is not. */
export const notFoundAnswer: HttpAnswer = errorAnswer(404, '404 page not found\n')

/** An answer in plain text that browsers are told not to take for anything else, as Go's servers tell them. */
export function errorAnswer(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return { status, body, headers: { ...headers, 'x-content-type-options': 'nosniff' } }
}

/** The request's content is larger than its reader allows. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge'
  private readonly pieces: AsyncIterator<Uint8Array>

  constructor(pieces: AsyncIterator<Uint8Array>) {
    super('http: request body too large')
    this.pieces = pieces
  }

  /**
   * Reads on and drops it: a connection that is closed with content unread takes the answer with it, because the client's
   * system then drops what it has received.
   */
  async drain(): Promise<void> {
    let sizeBytes = 0
    while (sizeBytes < drainBytesMax) {
      const result = await this.pieces.next()
      if (result.done === true) return
      sizeBytes += result.value.length
    }
  }
}

/** How much of a content that is too large is read all the same. */
const drainBytesMax = 67_108_864

/** Path and query of a request target, which may name the host too. */
export function splitTarget(target: string): readonly [path: string, query: URLSearchParams] {
  const withoutHost = target.replace(/^https?:\/\/[^/?#]*/i, '')
  const mark = withoutHost.indexOf('?')
  const path = mark < 0 ? withoutHost : withoutHost.slice(0, mark)
  const query = mark < 0 ? '' : withoutHost.slice(mark + 1)
  return [path === '' ? '/' : path, new URLSearchParams(query)]
}

/** Sends a whole answer. To HEAD without its content. */
export function sendAnswer(exchange: HttpExchange, answer: HttpAnswer): void {
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  exchange.begin(answer.status, {
    ...answer.headers,
    'content-type': answer.contentType ?? plainText,
    'content-length': String(body.length),
  })
  if (exchange.method !== 'HEAD' && body.length > 0) exchange.write(body)
  exchange.end()
}

/**
 * All that the client sends.
 * @throws BodyTooLarge  it is more than `sizeBytesMax`
 * @throws Error  the client went away
 */
export async function readBody(exchange: HttpExchange, sizeBytesMax: number): Promise<Buffer> {
  const received: Uint8Array[] = []
  let sizeBytes = 0
  // By hand: a loop that is left ends the connection, and with it the answer.
  const pieces = exchange.body[Symbol.asyncIterator]()
  for (;;) {
    const result = await pieces.next()
    if (result.done === true) return Buffer.concat(received)
    sizeBytes += result.value.length
    if (sizeBytes > sizeBytesMax) throw new BodyTooLarge(pieces)
    received.push(result.value)
  }
}
