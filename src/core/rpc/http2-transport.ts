/**
 * gRPC over HTTP/2 on sockets that somebody else accepted.
 *
 * Node's HTTP/2 does the framing; this file does what is gRPC's: paths to methods, one message in and one out for unary
 * calls, refusals with etcd's texts, a limit on pings, and the orderly end. A gRPC library is not used because its codes
 * and texts for refused calls are its own and cannot be changed, and clients of etcd compare them.
 */
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { StoreError } from '../errors/store-error.ts'
import { encodeGrpcMessage, Http2Call } from './http2-call.ts'
import { PingLimit } from './ping-limit.ts'
import type { CallContext, RpcMethod, ServiceTable, StreamCall, UnaryMethod } from './rpc-call.ts'
import { isFatal, statusOfError, WireError, type RpcStatus } from './status-mapping.ts'

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR } = constants

export interface Http2TransportOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly services: ServiceTable
  /** Decides before a call reaches its method; the error it throws is the answer. */
  readonly admit: (call: CallContext, isServedByLearner: () => boolean) => void
  /** Told of every stream that was admitted. */
  readonly onStreamAdmitted: (call: StreamCall) => void
  /** Largest message taken, in bytes. */
  readonly messageSizeBytesMax: number
  /** Streams at once per connection. */
  readonly concurrentStreamsMax: number
  /** Shortest time between two pings of a client. */
  readonly keepaliveMinTimeMs: number
  /** Called with a bug or a storage fault that surfaced in a call. */
  readonly onFatal: (error: unknown) => void
}

/** Room for requests of the largest size without a round trip per 64 KiB. */
const streamWindowSizeBytes = 1_048_576
const connectionWindowSizeBytes = 4_194_304
/** Watch streams may each hold a few MiB; Node refuses new streams above this. In MB, as Node counts it. */
const sessionMemoryMb = 256

/** One client's connection. */
interface Connection {
  readonly session: ServerHttp2Session
  readonly pings: PingLimit
  openCallCount: number
}

/** Serves calls on the sockets it is given. */
export class Http2Transport {
  private readonly options: Http2TransportOptions
  private readonly server: Http2Server
  private readonly connections = new Map<ServerHttp2Session, Connection>()
  private readonly streamCalls = new Set<Http2Call>()
  private isStopping = false

  constructor(options: Http2TransportOptions) {
    this.options = options
    this.server = createServer({
      maxSessionMemory: sessionMemoryMb,
      settings: {
        maxConcurrentStreams: options.concurrentStreamsMax,
        initialWindowSize: streamWindowSizeBytes,
        enablePush: false,
      },
    })
    this.server.on('session', (session) => {
      this.addConnection(session)
    })
    this.server.on('stream', (stream, headers) => {
      this.serveStream(stream, headers)
    })
    this.server.on('sessionError', (error) => {
      options.logger.debug('connection failed', { reason: error.message })
    })
  }

  /** Takes over a socket on which an HTTP/2 preface is waiting. */
  accept(socket: Socket): void {
    this.server.emit('connection', socket)
  }

  /**
   * No new calls: streams end with `status`, unary calls may finish. Resolves when all connections are gone, at the
   * latest after `graceMs`.
   */
  async stop(status: RpcStatus, graceMs: number): Promise<void> {
    this.isStopping = true
    const closed = [...this.connections.keys()].map(
      (session) =>
        new Promise<void>((resolve) => {
          session.once('close', resolve)
          session.close()
        }),
    )
    for (const call of this.streamCalls) call.end(status)
    const timer = this.options.clock.setTimer(graceMs, () => {
      for (const session of this.connections.keys()) session.destroy()
    })
    await Promise.all(closed)
    timer.cancel()
  }

  private addConnection(session: ServerHttp2Session): void {
    if (this.isStopping) {
      session.destroy()
      return
    }
    const pings = new PingLimit(this.options.clock, this.options.keepaliveMinTimeMs)
    const connection: Connection = { session, pings, openCallCount: 0 }
    this.connections.set(session, connection)
    session.setLocalWindowSize(connectionWindowSizeBytes)
    session.once('close', () => this.connections.delete(session))
    session.on('error', (error: Error) => {
      this.options.logger.debug('connection failed', { reason: error.message })
    })
    session.on('ping', () => {
      if (pings.accept(connection.openCallCount > 0)) return
      this.options.logger.debug('connection closed', { reason: 'too many pings' })
      session.goaway(NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from('too_many_pings'))
      session.destroy(undefined, NGHTTP2_NO_ERROR)
    })
  }

  private serveStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', (error: Error) => {
      this.options.logger.debug('stream failed', { reason: error.message })
    })
    const connection =
      stream.session === undefined
        ? undefined
        : this.connections.get(stream.session as ServerHttp2Session)
    // Its connection has gone already.
    if (connection === undefined) return
    const contentType = headers['content-type'] ?? ''
    if (!isGrpcContentType(contentType)) {
      refuse(stream, { httpStatus: 415, status: contentTypeStatus(contentType) })
      return
    }
    try {
      this.openCall(stream, headers, connection)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      refuse(stream, { httpStatus: 400, status: error.status })
    }
  }

  private openCall(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    connection: Connection,
  ): void {
    const call = new Http2Call(stream, headers, {
      clock: this.options.clock,
      messageSizeBytesMax: this.options.messageSizeBytesMax,
      onFrameSent: () => {
        connection.pings.noteFrameSent()
      },
    })
    connection.openCallCount++
    stream.once('close', () => {
      connection.openCallCount--
      this.streamCalls.delete(call)
    })
    try {
      this.dispatch(call, headers[':path'] ?? '')
    } catch (error) {
      this.fail(call, error)
    }
  }

  private dispatch(call: Http2Call, path: string): void {
    const method = findMethod(this.options.services, path)
    const encoding = call.findMetadata('grpc-encoding') ?? 'identity'
    if (encoding !== 'identity' && encoding !== 'gzip') {
      throw new WireError(
        'unimplemented',
        `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`,
      )
    }
    if (method.kind === 'unary') {
      this.runUnary(call, method)
      return
    }
    this.options.admit(call, () => method.isServedByLearner)
    this.streamCalls.add(call)
    this.options.onStreamAdmitted(call)
    method.handle(call)
  }

  private runUnary(call: Http2Call, method: UnaryMethod): void {
    let hasStarted = false
    const start = async (message: Uint8Array): Promise<void> => {
      try {
        this.options.admit(call, () => method.isServedByLearner(message))
        call.answer(await method.handle(message, call))
      } catch (error) {
        this.fail(call, error)
      }
    }
    call.read(
      (message) => {
        // A second message is ignored, as grpc-go does.
        if (hasStarted) return
        hasStarted = true
        void start(message)
      },
      () => {
        if (!hasStarted) this.fail(call, new WireError('unknown', 'EOF'))
      },
    )
  }

  private fail(call: Http2Call, error: unknown): void {
    if (isFatal(error)) this.options.onFatal(error)
    else if (!(error instanceof StoreError) && !(error instanceof WireError)) {
      this.options.logger.error('call failed unexpectedly', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
    call.end(statusOfError(error))
  }
}

/**
 * The method behind `/package.Service/Method`.
 * @throws WireError  with grpc-go's texts
 */
function findMethod(services: ServiceTable, path: string): RpcMethod {
  const separator = path.lastIndexOf('/')
  if (!path.startsWith('/') || separator === 0) {
    throw new WireError('unimplemented', `malformed method name: "${path}"`)
  }
  const serviceName = path.slice(1, separator)
  const methodName = path.slice(separator + 1)
  const service = services.get(serviceName)
  if (service === undefined) {
    throw new WireError('unimplemented', `unknown service ${serviceName}`)
  }
  const method = service.get(methodName)
  if (method === undefined) {
    throw new WireError('unimplemented', `unknown method ${methodName} for service ${serviceName}`)
  }
  return method
}

function isGrpcContentType(contentType: string): boolean {
  if (!contentType.startsWith('application/grpc')) return false
  const rest = contentType.charAt('application/grpc'.length)
  return rest === '' || rest === '+' || rest === ';'
}

function contentTypeStatus(contentType: string): RpcStatus {
  return statusOfError(
    new WireError('invalidArgument', `invalid gRPC request content-type "${contentType}"`),
  )
}

/** Answers a stream that never became a call. */
function refuse(
  stream: ServerHttp2Stream,
  answer: { readonly httpStatus: number; readonly status: RpcStatus },
): void {
  stream.respond(
    {
      ':status': answer.httpStatus,
      'content-type': 'application/grpc',
      'grpc-status': String(answer.status.code),
      'grpc-message': encodeGrpcMessage(answer.status.message),
    },
    { endStream: true },
  )
  stream.close(NGHTTP2_NO_ERROR)
}
