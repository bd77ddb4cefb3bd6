/**
 * gRPC over HTTP/2 on sockets that somebody else accepted.
 *
 * The codec in `http2` does the framing; this file does what is gRPC's: paths to methods, one message in and one out for unary
 * calls, refusals with etcd's texts, a limit on pings, and the orderly end. A gRPC library is not used because its codes
 * and texts for refused calls are its own and cannot be changed, and clients of etcd compare them.
 */
import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { StoreError } from '../errors/store-error.ts'
import { Http2Call, statusTrailers } from './http2-call.ts'
import type { KeepaliveOptions } from './http2/connection-guard.ts'
import { ServerConnection } from './http2/server-connection.ts'
import type { ServerStream } from './http2/server-stream.ts'
import { PingLimit } from './ping-limit.ts'
import {
  plainClient,
  type CallContext,
  type ClientIdentity,
  type RpcMethod,
  type ServiceTable,
  type StreamCall,
  type UnaryMethod,
} from './rpc-call.ts'
import { isFatal, statusOfError, WireError, type RpcStatus } from './status-mapping.ts'

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
  /** How clients that are silent are asked for a sign of life; they are not when absent. */
  readonly keepalive?: KeepaliveOptions
  /** Offers a request that is not gRPC. @returns false: nobody takes it, and it is refused */
  readonly onHttp?: (stream: ServerStream, client: ClientIdentity) => boolean
  /** Called with a bug or a storage fault that surfaced in a call. */
  readonly onFatal: (error: unknown) => void
}

/** One client's connection. */
interface Client {
  readonly identity: ClientIdentity
  readonly pings: PingLimit
  openCallCount: number
}

/** Serves calls on the sockets it is given. */
export class Http2Transport {
  private readonly options: Http2TransportOptions
  /** Open connections; who waits for the end of one is told by its function. */
  private readonly connections = new Map<ServerConnection, () => void>()
  private readonly streamCalls = new Set<Http2Call>()
  private isStopping = false

  constructor(options: Http2TransportOptions) {
    this.options = options
  }

  /** Takes over a socket on which an HTTP/2 preface is waiting. */
  accept(socket: Socket, identity: ClientIdentity = plainClient): void {
    const { clock, logger, keepaliveMinTimeMs, concurrentStreamsMax, keepalive } = this.options
    if (this.isStopping) {
      socket.destroy()
      return
    }
    const client: Client = {
      identity,
      pings: new PingLimit(clock, keepaliveMinTimeMs),
      openCallCount: 0,
    }
    const connection = new ServerConnection(socket, {
      clock,
      concurrentStreamsMax,
      ...(keepalive === undefined ? {} : { keepalive }),
      onStream: (stream) => {
        this.serveStream(stream, client)
      },
      onPing: () => (client.pings.accept(client.openCallCount > 0) ? undefined : 'too_many_pings'),
      onClose: () => {
        const tell = this.connections.get(connection)
        this.connections.delete(connection)
        tell?.()
      },
      onFailure: (reason) => {
        logger.debug('connection failed', { reason })
      },
    })
    this.connections.set(connection, () => undefined)
  }

  /**
   * No new calls: streams end with `status`, unary calls may finish. Resolves when all connections are gone, at the
   * latest after `graceMs`.
   */
  async stop(status: RpcStatus, graceMs: number): Promise<void> {
    this.isStopping = true
    const closed = [...this.connections.keys()].map(
      (connection) =>
        new Promise<void>((resolve) => {
          this.connections.set(connection, resolve)
          connection.close()
        }),
    )
    for (const call of this.streamCalls) call.end(status)
    const timer = this.options.clock.setTimer(graceMs, () => {
      for (const connection of [...this.connections.keys()]) connection.destroy()
    })
    await Promise.all(closed)
    timer.cancel()
  }

  private serveStream(stream: ServerStream, client: Client): void {
    const contentType = stream.head.fields.get('content-type') ?? ''
    if (!isGrpcContentType(contentType)) {
      if (this.options.onHttp?.(stream, client.identity) === true) return
      refuse(stream, { httpStatus: 415, status: contentTypeStatus(contentType) })
      return
    }
    try {
      this.openCall(stream, client)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      refuse(stream, { httpStatus: 400, status: error.status })
    }
  }

  private openCall(stream: ServerStream, client: Client): void {
    const call = new Http2Call(stream, {
      clock: this.options.clock,
      client: client.identity,
      messageSizeBytesMax: this.options.messageSizeBytesMax,
      onFrameSent: () => {
        client.pings.noteFrameSent()
      },
      onClosed: () => {
        client.openCallCount--
        this.streamCalls.delete(call)
      },
    })
    client.openCallCount++
    try {
      this.dispatch(call, stream.head.path)
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
  stream: ServerStream,
  answer: { readonly httpStatus: number; readonly status: RpcStatus },
): void {
  stream.respondAndEnd([
    { name: ':status', value: String(answer.httpStatus) },
    { name: 'content-type', value: 'application/grpc' },
    ...statusTrailers(answer.status),
  ])
}
