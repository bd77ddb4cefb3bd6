import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import {
  createServer as createNetServer,
  type AddressInfo,
  type Server as NetServer,
  type Socket,
} from 'node:net'
import { assert } from '../base/assert.ts'
import { StoreError } from '../errors/store-error.ts'
import type { Logger } from '../base/logger.ts'
import type { TlsFiles } from '../io/tls-files.ts'
import { TlsServer } from '../io/tls-server.ts'
import { parsePeerUrl, peerUrlProblem } from './peer-url.ts'

// A connection that says nothing is closed; one in the middle of a stream or a snapshot has no limit here.
const headersTimeoutMs = 10_000
const keepAliveTimeoutMs = 60_000

/** What listens under one URL: the port, and what answers on it. Without TLS they are the same. */
interface Listening {
  readonly door: NetServer
  readonly server: Server
  /** Connections as they came in, where a handshake lies between them and the server. */
  readonly sockets: ReadonlySet<Socket>
}

/** The listeners of the peer port: one HTTP server per URL, all with the same handler. */
export class PeerListener {
  private readonly logger: Logger
  private readonly tls: TlsFiles | undefined
  private readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  private readonly listening: Listening[] = []
  private readonly urls: string[] = []

  constructor(
    environment: { readonly logger: Logger; readonly tls: TlsFiles | undefined },
    handle: (request: IncomingMessage, response: ServerResponse) => void,
  ) {
    this.logger = environment.logger
    this.tls = environment.tls
    this.handle = handle
  }

  /** URLs really listened on, with the ports that were taken. */
  get boundUrls(): readonly string[] {
    return this.urls
  }

  /**
   * Listens on all URLs; when one fails, on none.
   *
   * @throws StoreError  `memberBadUrls`: a URL cannot be used
   * @throws Error       the system's, when a port is in use
   */
  async listen(urls: readonly string[]): Promise<void> {
    try {
      for (const url of urls) await this.listenOn(url)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Stops listening, lets running answers end for a moment, then closes every connection. */
  async close(): Promise<void> {
    const closed = this.listening.map(
      ({ door, server }) =>
        new Promise<void>((resolve) => {
          door.close(() => {
            resolve()
          })
          server.closeIdleConnections()
        }),
    )
    const grace = setTimeout(() => {
      for (const { server, sockets } of this.listening) {
        server.closeAllConnections()
        for (const socket of sockets) socket.destroy()
      }
    }, closeGraceMs)
    await Promise.all(closed)
    clearTimeout(grace)
    this.listening.length = 0
  }

  private listenOn(text: string): Promise<void> {
    const problem = peerUrlProblem(text)
    if (problem !== undefined) {
      throw new StoreError('memberBadUrls', { url: text, reason: problem })
    }
    const url = parsePeerUrl(text)
    assert(url !== undefined, 'a URL without a problem can be parsed')
    const server = createServer({ noDelay: true, keepAlive: true, requestTimeout: 0 })
    server.headersTimeout = headersTimeoutMs
    server.keepAliveTimeout = keepAliveTimeoutMs
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      request.on('error', (error) => {
        this.logger.debug('peer request ended early', { reason: error.message })
      })
      response.on('error', (error) => {
        this.logger.debug('peer response ended early', { reason: error.message })
      })
      this.handle(request, response)
    })
    server.on('clientError', (error: Error, socket: Socket) => {
      this.rejectConnection(error, socket)
    })
    const sockets = new Set<Socket>()
    const door = url.isSecure ? this.secureDoorOf(server, sockets, text) : server
    this.listening.push({ door, server, sockets })
    return new Promise((resolve, reject) => {
      door.once('error', reject)
      door.listen({ host: url.host, port: url.port }, () => {
        door.off('error', reject)
        door.on('error', (error) => {
          this.logger.warn('peer listener failed to accept', { reason: error.message })
        })
        const { port } = door.address() as AddressInfo
        const host = url.host.includes(':') ? `[${url.host}]` : url.host
        this.urls.push(`${url.isSecure ? 'https' : 'http'}://${host}:${port}`)
        resolve()
      })
    })
  }

  /** A port whose connections reach the server after their handshake. */
  private secureDoorOf(server: Server, sockets: Set<Socket>, text: string): NetServer {
    if (this.tls === undefined) {
      throw new Error(`cannot listen on TLS for ${text}: KeyFile and CertFile are not presented`)
    }
    const tls = new TlsServer(this.tls, {
      logger: this.logger,
      protocols: ['http/1.1'],
      rejectedMessage: 'rejected connection on peer endpoint',
      checksOrigin: true,
      onSecured: (socket) => {
        server.emit('connection', socket)
      },
    })
    // Its limits on time hold from here on: the server itself listens to nothing.
    server.emit('listening')
    const door = createNetServer({ noDelay: true, keepAlive: true }, (socket) => {
      // What breaks is told to whoever reads, by the close.
      socket.on('error', () => undefined)
      sockets.add(socket)
      socket.once('close', () => {
        sockets.delete(socket)
      })
      tls.accept(socket)
    })
    door.once('close', () => {
      tls.close()
      server.close()
    })
    return door
  }

  private rejectConnection(error: NodeJS.ErrnoException, socket: Socket): void {
    const fields = { remote: socket.remoteAddress ?? '', reason: error.message }
    // Resets are peers that went away; only what was no HTTP is worth a look.
    if (error.code === 'ECONNRESET') this.logger.debug('peer connection was reset', fields)
    else this.logger.warn('rejected connection on peer endpoint', fields)
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
    else socket.destroy()
  }
}

/** Enough for a last message (a hand-over of leadership) to leave a socket. */
const closeGraceMs = 200
