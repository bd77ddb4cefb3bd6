import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { StoreError } from '../errors/store-error.ts'
import type { Logger } from '../base/logger.ts'
import { peerUrlProblem } from './peer-url.ts'

// A connection that says nothing is closed; one in the middle of a stream or a snapshot has no limit here.
const headersTimeoutMs = 10_000
const keepAliveTimeoutMs = 60_000

/** The listeners of the peer port: one HTTP server per URL, all with the same handler. */
export class PeerListener {
  private readonly logger: Logger
  private readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  private readonly servers: Server[] = []
  private readonly urls: string[] = []

  constructor(
    logger: Logger,
    handle: (request: IncomingMessage, response: ServerResponse) => void,
  ) {
    this.logger = logger
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
    const closed = this.servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve()
          })
          server.closeIdleConnections()
        }),
    )
    const grace = setTimeout(() => {
      for (const server of this.servers) server.closeAllConnections()
    }, closeGraceMs)
    await Promise.all(closed)
    clearTimeout(grace)
    this.servers.length = 0
  }

  private listenOn(text: string): Promise<void> {
    const problem = peerUrlProblem(text)
    if (problem !== undefined) {
      throw new StoreError('memberBadUrls', { url: text, reason: problem })
    }
    const url = new URL(text)
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
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
    this.servers.push(server)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port: url.port === '' ? 80 : Number(url.port) }, () => {
        server.off('error', reject)
        server.on('error', (error) => {
          this.logger.warn('peer listener failed to accept', { reason: error.message })
        })
        const { port } = server.address() as AddressInfo
        this.urls.push(`http://${url.hostname}:${port}`)
        resolve()
      })
    })
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
