/**
 * Routes that answer over WebSocket, for pages in a browser that want to talk and listen at once.
 *
 * A route sees an ordinary POST: each message of the client is a line of the request's content, each line of the answer a
 * message. A page cannot set headers, so its token comes as a protocol, `Bearer, TOKEN`, or as the cookie `token`; of the
 * other headers none reaches the route but those that tell which page asks. Nothing tells the status of the answer, and the
 * connection ends without a word of goodbye when the answer does: so it is with etcd.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer as Handshake } from 'ws'
import type { Clock } from '../base/clock.ts'
import { errorAnswer, splitTarget, type HttpAnswer, type HttpExchange } from './http-exchange.ts'
import type { HttpRouter } from './http-router.ts'
import { endLingering } from './http2/lingering-end.ts'
import type { ClientIdentity } from './rpc-call.ts'

export interface WebSocketOptions {
  readonly clock: Clock
  /** A client that sends a larger message is sent away, in bytes. */
  readonly messageSizeBytesMax: number
}

/** A request to go on by another protocol. */
export interface UpgradeRequest {
  readonly request: IncomingMessage
  readonly socket: Duplex
  /** What came after the request. */
  readonly head: Buffer
  readonly client: ClientIdentity
}

/** Messages that have arrived and were not taken; above it the client has to wait, in bytes. */
const waitingBytesMax = 65_536
/** Written content that nobody has taken; above it the route had better wait, in bytes. */
const queuedBytesMax = 65_536
const newline = 0x0a
const version = '13'
/** Sixteen bytes as the handshake wants them told. */
const keyPattern = /^[+/0-9A-Za-z]{22}==$/
const tokenProtocol = 'Bearer'
const tokenCookie = 'token'

/** Whether a request asks to go on over WebSocket. */
export function isWebSocketRequest({
  headers,
}: {
  readonly headers: IncomingHttpHeaders
}): boolean {
  return hasToken(headers.connection, 'upgrade') && hasToken(headers.upgrade, 'websocket')
}

/** What is wrong with such a request, as an answer; undefined when nothing is. */
export function findHandshakeFault({ method, headers }: IncomingMessage): HttpAnswer | undefined {
  const told = { 'sec-websocket-version': version }
  if (method !== 'GET') return errorAnswer(405, 'Method Not Allowed\n', told)
  const isRight =
    hasToken(headers['sec-websocket-version'], version) &&
    keyPattern.test(headers['sec-websocket-key'] ?? '')
  return isRight ? undefined : errorAnswer(400, 'Bad Request\n', told)
}

/** Talks WebSocket on connections whose request for it was found to be right. */
export class WebSocketServer {
  private readonly router: HttpRouter
  private readonly options: WebSocketOptions
  private readonly handshake: Handshake
  private readonly sockets = new Set<WebSocket>()

  constructor(router: HttpRouter, options: WebSocketOptions) {
    this.router = router
    this.options = options
    this.handshake = new Handshake({
      noServer: true,
      clientTracking: false,
      WebSocket: TersePeer,
      perMessageDeflate: false,
      // What is no text is no JSON either, and is answered as such.
      skipUTF8Validation: true,
      autoPong: false,
      maxPayload: options.messageSizeBytesMax,
      handleProtocols: () => tokenProtocol,
    })
  }

  /** Takes over a connection. */
  accept(upgrade: UpgradeRequest): void {
    const { request, socket, head } = upgrade
    const headers = headersOf(request)
    // The library knows no lists of them.
    request.headers.upgrade = 'websocket'
    request.headers['sec-websocket-version'] = version
    // Any text is a token, and etcd answers with the one name that it knows.
    const protocols = request.headers['sec-websocket-protocol']
    if (protocols?.startsWith(tokenProtocol) === true)
      request.headers['sec-websocket-protocol'] = tokenProtocol
    else delete request.headers['sec-websocket-protocol']
    this.handshake.handleUpgrade(request, socket, head, (peer) => {
      this.sockets.add(peer)
      peer.on('close', () => this.sockets.delete(peer))
      void this.router.serve(
        new WebSocketExchange(peer, { upgrade, headers, clock: this.options.clock }),
      )
    })
  }

  /** Ends all connections at once. */
  close(): void {
    for (const peer of this.sockets) peer.terminate()
  }
}

/** As with etcd, the answer to a close has its code, and not its reason. */
class TersePeer extends WebSocket {
  override close(code?: number): void {
    super.close(code)
  }
}

class WebSocketExchange implements HttpExchange {
  readonly method = 'POST'
  readonly path: string
  readonly query: URLSearchParams
  readonly host: string
  readonly client: ClientIdentity
  readonly body: AsyncIterable<Uint8Array>
  private readonly headers: ReadonlyMap<string, string>
  private readonly peer: WebSocket
  private readonly socket: Duplex
  private readonly clock: Clock
  private readonly abortController = new AbortController()
  private readonly waiting: Buffer[] = []
  private waitingBytes = 0
  /** The beginning of a line of the answer. */
  private line: Uint8Array[] = []
  private queuedBytes = 0
  private isOver = false
  /** Whoever waits for content, or for room. */
  private wakeReader: (() => void) | undefined
  private wakeWriter: (() => void) | undefined

  constructor(
    peer: WebSocket,
    {
      upgrade,
      headers,
      clock,
    }: {
      readonly upgrade: UpgradeRequest
      readonly headers: ReadonlyMap<string, string>
      readonly clock: Clock
    },
  ) {
    const { request, socket, client } = upgrade
    this.peer = peer
    this.socket = socket
    this.client = client
    this.headers = headers
    this.clock = clock
    const [path, query] = splitTarget(request.url ?? '/')
    this.path = path
    this.query = query
    this.host = request.headers.host ?? ''
    this.body = this.pieces()
    peer.on('message', (data: Buffer) => {
      this.take(data)
    })
    peer.on('ping', (data: Buffer) => {
      // Whoever does not read gets no more of them.
      if (this.queuedBytes + peer.bufferedAmount <= queuedBytesMax) peer.pong(data)
    })
    peer.on('close', () => {
      this.close()
    })
    // The close tells the same.
    peer.on('error', () => undefined)
  }

  get signal(): AbortSignal {
    return this.abortController.signal
  }

  findHeader(name: string): string | undefined {
    return this.headers.get(name)
  }

  begin(): void {
    // There is no way to tell a status or headers.
  }

  write(bytes: Uint8Array): boolean {
    let start = 0
    for (;;) {
      const end = bytes.indexOf(newline, start)
      if (end < 0) break
      this.line.push(bytes.subarray(start, end))
      this.sendLine()
      start = end + 1
    }
    if (start < bytes.length) this.line.push(bytes.subarray(start))
    return this.hasGone || this.queuedBytes <= queuedBytesMax
  }

  drained(): Promise<void> {
    if (this.hasGone || this.queuedBytes === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.wakeWriter = resolve
    })
  }

  end(): void {
    if (this.isOver) return
    this.sendLine()
    this.isOver = true
    this.waiting.length = 0
    this.peer.resume()
    if (this.queuedBytes === 0) endLingering(this.socket, this.clock)
  }

  private get hasGone(): boolean {
    return this.peer.readyState !== WebSocket.OPEN
  }

  private sendLine(): void {
    const line = this.line.length === 1 ? this.line[0] : Buffer.concat(this.line)
    this.line = []
    if (line === undefined || line.length === 0) return
    this.queuedBytes += line.length
    this.peer.send(line, { binary: false }, () => {
      this.queuedBytes -= line.length
      if (this.queuedBytes > 0) return
      this.wakeWriter?.()
      if (this.isOver) endLingering(this.socket, this.clock)
    })
  }

  private take(message: Buffer): void {
    if (this.isOver) return
    this.waiting.push(message, Buffer.of(newline))
    this.waitingBytes += message.length
    if (this.waitingBytes > waitingBytesMax) this.peer.pause()
    this.wakeReader?.()
  }

  private close(): void {
    if (!this.isOver) this.abortController.abort()
    this.isOver = true
    this.waiting.length = 0
    this.wakeReader?.()
    this.wakeWriter?.()
  }

  private async *pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const pieces = this.waiting.splice(0)
      this.waitingBytes = 0
      if (pieces.length > 0) yield Buffer.concat(pieces)
      else if (this.isOver) return
      else {
        this.peer.resume()
        await new Promise<void>((resolve) => {
          this.wakeReader = resolve
        })
      }
    }
  }
}

/** The few headers that reach the route. */
function headersOf(request: IncomingMessage): ReadonlyMap<string, string> {
  const { origin, referer, cookie = '' } = request.headers
  const headers = new Map<string, string>()
  if (origin !== undefined) headers.set('origin', origin)
  if (referer !== undefined) headers.set('referer', referer)
  const { 'sec-websocket-protocol': protocols = '' } = request.headers
  if (protocols !== '') {
    const [, token] = /Bearer,(.*)/.exec(protocols) ?? []
    headers.set('authorization', token === undefined ? '' : `Bearer ${token.trim()}`)
  }
  const [, token] = new RegExp(`(?:^|;)\\s*${tokenCookie}="?([^;"]*)`).exec(cookie) ?? []
  if (token !== undefined) headers.set('authorization', `Bearer ${token.trim()}`)
  return headers
}

/** Whether a header that is a list has a word in it. */
function hasToken(header: string | undefined, token: string): boolean {
  return (header ?? '').split(',').some((word) => word.trim().toLowerCase() === token)
}
