/**
 * gRPC over HTTP/2 on sockets that somebody else accepted.
 *
 * The codec in `http2` does the framing; this file does what is gRPC's: paths to methods, one message in and one out for unary
 * calls, refusals with etcd's texts, a limit on pings, and the orderly end. A gRPC library is not used because its codes
 * and texts for refused calls are its own and cannot be changed, and clients of etcd compare them.
 */
import type { Socket } from 'node:net'
import { assertNever } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { StoreError } from '../errors/store-error.ts'
import type { CallHost } from './call-host.ts'
import { CallRoutes, type CallRoute } from './call-route.ts'
import { responseFields, statusTrailers } from './grpc-response.ts'
import { Http2Call } from './http2-call.ts'
import type { KeepaliveOptions } from './http2/connection-guard.ts'
import { ServerConnection } from './http2/server-connection.ts'
import type { ServerStream } from './http2/server-stream.ts'
import { TurnEnd } from './http2/turn-end.ts'
import { CallCounts, type CallTiming } from './metrics/call-counts.ts'
import { PingLimit } from './ping-limit.ts'
import {
  plainClient,
  type CallContext,
  type ClientIdentity,
  type ServiceTable,
  type StreamCall,
} from './rpc-call.ts'
import { UnaryCall } from './unary-call.ts'
import { isFatal, statusOfError, WireError, type RpcStatus } from './status-mapping.ts'

export interface Http2TransportOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly services: ServiceTable
  /** Decides before a call reaches its method; the error it throws is the answer. */
  readonly admit: (call: CallContext, isServedByLearner: () => boolean) => void
  /** Told of every stream that was admitted. */
  readonly onStreamAdmitted: (call: StreamCall) => void
  readonly timing?: CallTiming
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

/** Serves calls on the sockets it is given. */
export class Http2Transport {
  /** Of every call, since the start. */
  readonly counts: CallCounts
  /** Bytes of connections that are gone. */
  private readonly pastTraffic = { receivedBytes: 0, sentBytes: 0 }
  private readonly sockets = new Set<Socket>()
  private readonly options: Http2TransportOptions
  /** Open connections; who waits for the end of one is told by its function. */
  private readonly connections = new Map<ServerConnection, () => void>()
  private readonly streamCalls = new Set<Http2Call>()
  private readonly routes: CallRoutes
  private readonly turnEnd: TurnEnd
  private isStopping = false

  constructor(options: Http2TransportOptions) {
    this.options = options
    this.turnEnd = new TurnEnd(options.clock)
    this.counts = new CallCounts(options.services, options.timing)
    this.routes = new CallRoutes(options.services, this.counts)
  }

  /** Takes over a socket on which an HTTP/2 preface is waiting. */
  accept(socket: Socket, identity: ClientIdentity = plainClient): void {
    const { clock, logger, keepaliveMinTimeMs, concurrentStreamsMax, keepalive } = this.options
    if (this.isStopping) {
      socket.destroy()
      return
    }
    const client = new Client(this.options, identity, new PingLimit(clock, keepaliveMinTimeMs))
    const connection = new ServerConnection(socket, {
      clock,
      turnEnd: this.turnEnd,
      concurrentStreamsMax,
      ...(keepalive === undefined ? {} : { keepalive }),
      onStream: (stream) => {
        this.serveStream(stream, client)
      },
      onPing: () => (client.pings.accept(client.openCallCount > 0) ? undefined : 'too_many_pings'),
      onClose: () => {
        const tell = this.connections.get(connection)
        this.connections.delete(connection)
        this.sockets.delete(socket)
        this.pastTraffic.receivedBytes += socket.bytesRead
        this.pastTraffic.sentBytes += socket.bytesWritten
        this.turnEnd.connectionCount = this.connections.size
        tell?.()
      },
      onFailure: (reason) => {
        logger.debug('connection failed', { reason })
      },
    })
    this.sockets.add(socket)
    this.connections.set(connection, () => undefined)
    this.turnEnd.connectionCount = this.connections.size
  }

  /** Bytes that went over connections of HTTP/2, frames and all. */
  traffic(): { readonly receivedBytes: number; readonly sentBytes: number } {
    let { receivedBytes, sentBytes } = this.pastTraffic
    for (const socket of this.sockets) {
      receivedBytes += socket.bytesRead
      sentBytes += socket.bytesWritten
    }
    return { receivedBytes, sentBytes }
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
    const route = this.routes.routeOf(stream.head)
    switch (route.kind) {
      case 'unary':
        client.openCallCount++
        // The stream holds it.
        new UnaryCall(stream, client, route)
        return
      case 'stream':
        this.openStreamCall(stream, client, route)
        return
      case 'unserved':
        client.noteFrameSent()
        refuse(stream, { httpStatus: 200, status: route.error.status })
        return
      case 'notGrpc':
        if (this.options.onHttp?.(stream, client.identity) === true) return
        refuse(stream, route)
        return
      case 'malformed':
        refuse(stream, route)
        return
      default:
        assertNever(route, 'route')
    }
  }

  private openStreamCall(
    stream: ServerStream,
    client: Client,
    route: Extract<CallRoute, { readonly kind: 'stream' }>,
  ): void {
    const { method } = route
    client.openCallCount++
    const call = new Http2Call(stream, client, route)
    try {
      client.admit(call, () => method.isServedByLearner)
      this.streamCalls.add(call)
      call.onEnd(() => this.streamCalls.delete(call))
      this.options.onStreamAdmitted(call)
      method.handle(call)
    } catch (error) {
      client.reportFailure(error)
      call.end(statusOfError(error))
    }
  }
}

/** One client's connection, as its calls see it. */
class Client implements CallHost {
  readonly clock: Clock
  readonly identity: ClientIdentity
  readonly messageSizeBytesMax: number
  readonly pings: PingLimit
  openCallCount = 0
  private readonly options: Http2TransportOptions

  constructor(options: Http2TransportOptions, identity: ClientIdentity, pings: PingLimit) {
    this.options = options
    this.clock = options.clock
    this.messageSizeBytesMax = options.messageSizeBytesMax
    this.identity = identity
    this.pings = pings
  }

  admit(call: CallContext, isServedByLearner: () => boolean): void {
    this.options.admit(call, isServedByLearner)
  }

  noteFrameSent(): void {
    this.pings.noteFrameSent()
  }

  noteClosed(): void {
    this.openCallCount--
  }

  reportFailure(error: unknown): void {
    if (isFatal(error)) this.options.onFatal(error)
    else if (!(error instanceof StoreError) && !(error instanceof WireError)) {
      this.options.logger.error('call failed unexpectedly', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
  }
}

/** Answers a stream that never became a call. */
function refuse(
  stream: ServerStream,
  answer: { readonly httpStatus: number; readonly status: RpcStatus },
): void {
  if (answer.httpStatus === 200) {
    stream.respondAndEnd([...responseFields, ...statusTrailers(answer.status)])
    return
  }
  stream.respondAndEnd([
    { name: ':status', value: String(answer.httpStatus) },
    { name: 'content-type', value: 'application/grpc' },
    ...statusTrailers(answer.status),
  ])
}
