/**
 * One client port for two protocols: a connection that begins with the HTTP/2 preface goes to gRPC, any other to HTTP/1.
 *
 * The second byte decides: the preface begins with `PR`, and no HTTP/1 method does.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { unlink } from 'node:fs/promises'
import type { Clock } from '../base/clock.ts'
import type { ListenUrl } from './listen-url.ts'

export interface ClientPortHandlers {
  /** Gets sockets whose first bytes wait unread. */
  readonly onHttp2: (socket: Socket) => void
  readonly onHttp1: (socket: Socket) => void
}

/** A connection that has said nothing after this long is closed. */
const silenceMsMax = 10_000
/** Connections that may wait until the node serves. */
const waitingSocketsMax = 1_024

/**
 * A port that was taken. Connections wait until {@link serve} is called, so that a port in use is noticed before
 * anything else is started.
 */
export class ClientPort {
  /** Where it listens; a port 0 is replaced by the one that was chosen. */
  readonly url: string
  private readonly server: Server
  private readonly clock: Clock
  private readonly waiting: Socket[] = []
  private readonly undecided = new Set<Socket>()
  private handlers: ClientPortHandlers | undefined

  private constructor(server: Server, clock: Clock, url: string) {
    this.server = server
    this.clock = clock
    this.url = url
  }

  /** @throws Error  the system's, as when the port is in use */
  static async bind(listenUrl: ListenUrl, clock: Clock): Promise<ClientPort> {
    const isSocketFile = listenUrl.scheme === 'unix'
    // Left behind by a process that was killed; a listening one keeps its name under a new file all the same.
    if (isSocketFile) await removeSocketFile(listenUrl.host)
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
          ? { path: listenUrl.host }
          : { host: bindHostOf(listenUrl.host), port: listenUrl.port, backlog: 1_024 },
        resolve,
      )
    })
    server.removeAllListeners('error')
    const port = new ClientPort(server, clock, boundUrl(listenUrl, server))
    server.off('connection', holdEarly)
    server.on('connection', (socket) => {
      port.accept(socket)
    })
    for (const socket of waitingEarly) port.accept(socket)
    return port
  }

  /** Hands over all connections from now on, and those that waited. */
  serve(handlers: ClientPortHandlers): void {
    this.handlers = handlers
    for (const socket of this.waiting.splice(0)) this.tell(socket, handlers)
  }

  /** Refuses new connections and drops those that nobody has taken over. */
  close(): void {
    this.server.close()
    for (const socket of this.waiting.splice(0)) socket.destroy()
    for (const socket of this.undecided) socket.destroy()
  }

  private accept(socket: Socket): void {
    socket.on('error', ignoreSocketError)
    if (this.handlers !== undefined) {
      this.tell(socket, this.handlers)
      return
    }
    if (this.waiting.length >= waitingSocketsMax) {
      socket.destroy()
      return
    }
    this.waiting.push(socket)
  }

  /** Waits for the two bytes that tell the protocols apart. */
  private tell(socket: Socket, handlers: ClientPortHandlers): void {
    this.undecided.add(socket)
    const timer = this.clock.setTimer(silenceMsMax, () => {
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
      if (head.length < 2 && head[0] === 0x50) return
      socket.off('readable', look)
      socket.off('close', forget)
      forget()
      // Whoever takes the socket has an error handler of its own.
      if (head[0] === 0x50 && head[1] === 0x52) handlers.onHttp2(socket)
      else handlers.onHttp1(socket)
    }
    socket.on('readable', look)
  }
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
