/** HTTP/1 on sockets that somebody else accepted. */
import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { splitTarget, type HttpExchange } from './http-exchange.ts'
import type { HttpRouter } from './http-router.ts'
import { plainClient, type ClientIdentity } from './rpc-call.ts'
import {
  findHandshakeFault,
  isWebSocketRequest,
  WebSocketServer,
  type UpgradeRequest,
  type WebSocketOptions,
} from './web-socket-server.ts'

const keepAliveMs = 60_000
/** A client has this long for the head of a request. */
const headersMsMax = 30_000
/** As HTTP/2 allows it. */
const headersSizeBytesMax = 65_536
/** Requests that come on one connection at once: each waits for those before it. */
const connectionRequestsMax = 0

/** Answers requests of HTTP/1, and those that it leads to. */
export class Http1Server {
  private readonly router: HttpRouter
  private readonly server: Server
  private readonly webSockets: WebSocketServer
  private readonly clients = new WeakMap<object, ClientIdentity>()

  constructor(router: HttpRouter, options: WebSocketOptions) {
    this.router = router
    this.webSockets = new WebSocketServer(router, options)
    this.server = createServer({
      keepAliveTimeout: keepAliveMs,
      headersTimeout: headersMsMax,
      maxHeaderSize: headersSizeBytesMax,
      // A watch through the gateway is one request, and may last for days.
      requestTimeout: 0,
    })
    this.server.maxRequestsPerSocket = connectionRequestsMax
    this.server.on('request', (request, response) => {
      void router.serve(new Http1Exchange(request, response, this.clientOf(request)))
    })
    this.server.on('upgrade', (request, socket, head) => {
      this.upgrade({ request, socket, head, client: this.clientOf(request) })
    })
  }

  /** Takes over a socket on which a request is waiting. */
  accept(socket: Socket, client: ClientIdentity): void {
    this.clients.set(socket, client)
    this.server.emit('connection', socket)
  }

  /** Ends idle connections at once; a request that is being answered is the last of its connection. */
  close(): void {
    this.server.close()
    this.server.closeAllConnections()
    this.webSockets.close()
  }

  private clientOf({ socket }: IncomingMessage): ClientIdentity {
    return this.clients.get(socket) ?? plainClient
  }

  private upgrade(upgrade: UpgradeRequest): void {
    const { request, client } = upgrade
    const [path] = splitTarget(request.url ?? '/')
    const { method = '', headers } = request
    const isTaken =
      isWebSocketRequest(request) &&
      this.router.takesWebSocket({ method, path, host: headers.host ?? '', client })
    if (!isTaken) {
      this.serveAsItIs(upgrade)
      return
    }
    const fault = findHandshakeFault(request)
    if (fault === undefined) {
      this.webSockets.accept(upgrade)
      return
    }
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(request.socket)
    response.on('finish', () => upgrade.socket.end())
    this.router.answer(new Http1Exchange(request, response, client), fault)
  }

  /**
   * Answers a request as if it had not asked to go on by another protocol, which is its client's to accept. Clients of
   * HTTP/2 ask so when they do not know whether the server speaks it.
   */
  private serveAsItIs({ request, socket, head }: UpgradeRequest): void {
    const lines = [`${request.method ?? ''} ${request.url ?? ''} HTTP/${request.httpVersion}`]
    const { rawHeaders } = request
    for (let position = 0; position + 1 < rawHeaders.length; position += 2) {
      const name = rawHeaders[position] ?? ''
      const value = rawHeaders[position + 1] ?? ''
      const kept = name.toLowerCase() === 'connection' ? withoutUpgrade(value) : value
      if (name.toLowerCase() !== 'upgrade' && kept !== '') lines.push(`${name}: ${kept}`)
    }
    // As it was read: one character for each byte.
    socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
    this.server.emit('connection', socket)
  }
}

function withoutUpgrade(connection: string): string {
  const words = connection.split(',').map((word) => word.trim())
  return words.filter((word) => !/^(?:upgrade|http2-settings)$/i.test(word)).join(', ')
}

class Http1Exchange implements HttpExchange {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly client: ClientIdentity
  private readonly request: IncomingMessage
  private readonly response: ServerResponse
  private abortController: AbortController | undefined

  constructor(request: IncomingMessage, response: ServerResponse, client: ClientIdentity) {
    this.request = request
    this.response = response
    this.client = client
    this.method = request.method ?? ''
    const [path, query] = splitTarget(request.url ?? '/')
    this.path = path
    this.query = query
    // The close tells the same.
    request.on('error', () => undefined)
    response.on('error', () => undefined)
  }

  get host(): string {
    return this.request.headers.host ?? ''
  }

  get body(): AsyncIterable<Uint8Array> {
    return this.request as AsyncIterable<Uint8Array>
  }

  get signal(): AbortSignal {
    if (this.abortController === undefined) {
      const controller = new AbortController()
      this.abortController = controller
      const abort = (): void => {
        if (!this.response.writableFinished) controller.abort()
      }
      if (this.response.destroyed) abort()
      else this.response.once('close', abort)
    }
    return this.abortController.signal
  }

  findHeader(name: string): string | undefined {
    const value = this.request.headers[name]
    return typeof value === 'string' ? value : value?.join(', ')
  }

  begin(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.response.destroyed || this.response.headersSent) return
    // What is still to come is not told from the next request by whoever refused to read it.
    if (status === 413) this.response.shouldKeepAlive = false
    this.response.writeHead(status, headers)
    // A stream's first message may be far away.
    if (headers['content-length'] === undefined) this.response.flushHeaders()
  }

  write(bytes: Uint8Array): boolean {
    return this.response.destroyed || this.response.write(bytes)
  }

  drained(): Promise<void> {
    const { response } = this
    if (response.destroyed || !response.writableNeedDrain) return Promise.resolve()
    return new Promise((resolve) => {
      const tell = (): void => {
        response.off('drain', tell)
        response.off('close', tell)
        resolve()
      }
      response.on('drain', tell)
      response.on('close', tell)
    })
  }

  end(): void {
    // What is still to come cannot be told from the next request: the connection is of no more use.
    if (!this.request.complete && !this.response.headersSent) this.response.shouldKeepAlive = false
    if (!this.response.destroyed) this.response.end()
  }
}
