/**
 * One client port for everything: with and without TLS, gRPC and HTTP.
 *
 * What a client speaks is told by what it sends first. A TLS handshake begins with 22, the preface of HTTP/2 with `PR`, and
 * no method of HTTP/1 with either. A client that names its protocol in the handshake is believed.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { unlink } from 'node:fs/promises'
import type { Clock } from '../base/clock.ts'
import type { ListenUrl } from './listen-url.ts'
import { plainClient, type ClientIdentity } from './rpc-call.ts'

export interface ClientPortHandlers {
  /** Gets sockets whose first bytes wait unread. */
  readonly onHttp2: (socket: Socket, client: ClientIdentity) => void
  readonly onHttp1: (socket: Socket, client: ClientIdentity) => void
}

/** Does TLS on the connections of one port. */
export interface SocketSecurer {
  /** Takes over a socket. It is handed on by the function this was made with, unless the client is refused. */
  accept(socket: Socket): void
  /** Hands on nothing more. */
  close(): void
}

/** A connection after the handshake. */
export interface SecuredSocket {
  readonly socket: Socket
  /** `h2`, `http/1.1`, or undefined when the client named none. */
  readonly protocol: string | undefined
  readonly commonName: string | undefined
}

/** Makes the TLS of a port. */
export type SecurerFactory = (onSecured: (secured: SecuredSocket) => void) => SocketSecurer

export interface ClientPortOptions {
  readonly clock: Clock
  /** Needed for a port with a URL that wants TLS. */
  readonly createSecurer?: SecurerFactory | undefined
}

/** A connection that has said nothing after this long is closed. */
const silenceMsMax = 10_000
/** Connections that may wait until the node serves. */
const waitingSocketsMax = 1_024

const handshakeByte = 0x16
const prefaceBytes = [0x50, 0x52] as const

/**
 * A port that was taken. Connections wait until {@link serve} is called, so that a port in use is noticed before
 * anything else is started.
 */
export class ClientPort {
  /** Where it listens, once per scheme; a port 0 is replaced by the one that was chosen. */
  readonly urls: readonly string[]
  private readonly server: Server
  private readonly options: ClientPortOptions
  private readonly takesPlain: boolean
  private readonly takesTls: boolean
  private readonly waiting: Socket[] = []
  private readonly undecided = new Set<Socket>()
  private handlers: ClientPortHandlers | undefined
  private securer: SocketSecurer | undefined

  private constructor(
    server: Server,
    listenUrls: readonly ListenUrl[],
    options: ClientPortOptions,
  ) {
    this.server = server
    this.options = options
    this.urls = listenUrls.map((url) => boundUrl(url, server))
    this.takesTls = listenUrls.some(isTlsUrl)
    this.takesPlain = !listenUrls.every(isTlsUrl)
  }

  /**
   * @param listenUrls  one or more with the same address, and different schemes
   * @throws Error  the system's, as when the port is in use
   */
  static async bind(
    listenUrls: readonly [ListenUrl, ...ListenUrl[]],
    options: ClientPortOptions,
  ): Promise<ClientPort> {
    const [{ scheme, host, port: portNumber }] = listenUrls
    const isSocketFile = scheme === 'unix' || scheme === 'unixs'
    // Left behind by a process that was killed; a listening one keeps its name under a new file all the same.
    if (isSocketFile) await removeSocketFile(host)
    const server = createServer({ noDelay: true })
    const waitingEarly: Socket[] = []
    const holdEarly = (socket: Socket): void => {
      waitingEarly.push(socket)
    }
    server.on('connection', holdEarly)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(
        isSocketFile
          ? { path: host }
          : { host: bindHostOf(host), port: portNumber, backlog: 1_024 },
        resolve,
      )
    })
    server.removeAllListeners('error')
    const port = new ClientPort(server, listenUrls, options)
    server.off('connection', holdEarly)
    server.on('connection', (socket) => {
      port.accept(socket)
    })
    for (const socket of waitingEarly) port.accept(socket)
    return port
  }

  /** The first of {@link urls}. */
  get url(): string {
    return this.urls[0] ?? ''
  }

  /** Hands over all connections from now on, and those that waited. */
  serve(handlers: ClientPortHandlers): void {
    this.handlers = handlers
    if (this.takesTls) {
      this.securer = this.options.createSecurer?.((secured) => {
        this.takeSecured(secured, handlers)
      })
    }
    for (const socket of this.waiting.splice(0)) this.serveSocket(socket, handlers)
  }

  /** Refuses new connections and drops those that nobody has taken over. */
  close(): void {
    this.server.close()
    this.securer?.close()
    for (const socket of this.waiting.splice(0)) socket.destroy()
    for (const socket of this.undecided) socket.destroy()
  }

  private accept(socket: Socket): void {
    socket.on('error', ignoreSocketError)
    if (this.handlers !== undefined) {
      this.serveSocket(socket, this.handlers)
      return
    }
    if (this.waiting.length >= waitingSocketsMax) {
      socket.destroy()
      return
    }
    this.waiting.push(socket)
  }

  private serveSocket(socket: Socket, handlers: ClientPortHandlers): void {
    if (this.takesPlain) this.tell(socket, plainClient, handlers)
    else this.secure(socket)
  }

  private secure(socket: Socket): void {
    if (this.securer === undefined) socket.destroy()
    else this.securer.accept(socket)
  }

  private takeSecured(
    { socket, protocol, commonName }: SecuredSocket,
    handlers: ClientPortHandlers,
  ): void {
    const client: ClientIdentity = { isSecure: true, commonName }
    if (protocol === 'h2') handlers.onHttp2(socket, client)
    else this.tell(socket, client, handlers)
  }

  /** Waits for the bytes that tell the protocols apart. */
  private tell(socket: Socket, client: ClientIdentity, handlers: ClientPortHandlers): void {
    this.undecided.add(socket)
    const timer = this.options.clock.setTimer(silenceMsMax, () => {
      socket.destroy()
    })
    const forget = (): void => {
      timer.cancel()
      this.undecided.delete(socket)
    }
    socket.once('close', forget)
    const look = (): void => {
      const head = socket.read() as Buffer | null
      if (head === null) return
      socket.unshift(head)
      if (head.length < 2 && head[0] === prefaceBytes[0]) return
      socket.off('readable', look)
      socket.off('close', forget)
      forget()
      this.handOver(socket, head, { client, handlers })
    }
    socket.on('readable', look)
  }

  /** Whoever takes the socket has an error handler of its own. */
  private handOver(
    socket: Socket,
    head: Buffer,
    to: { readonly client: ClientIdentity; readonly handlers: ClientPortHandlers },
  ): void {
    const { client, handlers } = to
    if (head[0] === handshakeByte) {
      // No protocol begins like this inside of TLS, or where there is none.
      if (this.takesTls && !client.isSecure) this.secure(socket)
      else socket.destroy()
    } else if (head[0] === prefaceBytes[0] && head[1] === prefaceBytes[1]) {
      handlers.onHttp2(socket, client)
    } else handlers.onHttp1(socket, client)
  }
}

/** URLs that share a port, together. */
export function groupByAddress(
  urls: readonly ListenUrl[],
): readonly (readonly [ListenUrl, ...ListenUrl[]])[] {
  const groups = new Map<string, [ListenUrl, ...ListenUrl[]]>()
  for (const url of urls) {
    // Each URL with port 0 gets a port of its own.
    const key =
      url.port === 0 && !url.scheme.startsWith('unix') ? url.text : `${url.host}:${url.port}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [url])
    else group.push(url)
  }
  return [...groups.values()]
}

/** Whether connections to this URL use TLS. */
export function isTlsUrl({ scheme }: ListenUrl): boolean {
  return scheme === 'https' || scheme === 'unixs'
}

/** A connection may break at any time; whoever reads from it learns by its close. */
function ignoreSocketError(): void {
  return undefined
}

/** The name resolves to both families, and Node would take the first; clients of etcd expect IPv4. */
function bindHostOf(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host
}

function boundUrl(listenUrl: ListenUrl, server: Server): string {
  const address = server.address()
  if (listenUrl.port !== 0 || address === null || typeof address === 'string') return listenUrl.text
  const host = listenUrl.host.includes(':') ? `[${listenUrl.host}]` : listenUrl.host
  return `${listenUrl.scheme}://${host}:${address.port}`
}

async function removeSocketFile(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
