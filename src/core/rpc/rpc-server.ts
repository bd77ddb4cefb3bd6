/**
 * The client side of a node: ports, protocols, services.
 *
 * `bind` takes the ports, so that one in use is noticed before the node touches its data; `serve` begins to answer once
 * the node is ready; `stop` ends what runs and lets go of the ports.
 */
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Random } from '../base/random.ts'
import { StoreError } from '../errors/store-error.ts'
import type { StoreNode } from '../node/store-node.ts'
import {
  ClientPort,
  groupByAddress,
  type ClientPortHandlers,
  type SecurerFactory,
} from './client-port.ts'
import { gatewayHttpRoutes } from './gateway/gateway.ts'
import { jsonSizeBytesMax } from './gateway/request-source.ts'
import { Http1Server } from './http1-server.ts'
import { Http2Exchange } from './http2-exchange.ts'
import { HttpRouter, type HttpRoute } from './http-router.ts'
import { Http2Transport, type Http2TransportOptions } from './http2-transport.ts'
import { admitCall, requiresLeader } from './interceptors.ts'
import { LeaderLossMonitor } from './leader-loss-monitor.ts'
import type { ListenUrl } from './listen-url.ts'
import type { SlowCall } from './metrics/call-counts.ts'
import { ClientCounts } from './metrics/client-counts.ts'
import type { HealthCounts, ProcessFigures } from './metrics/metric-source.ts'
import { metricsRoutes } from './metrics/metrics-route.ts'
import { probeRoutes } from './probe-routes.ts'
import { profileRoutes } from './profile-routes.ts'
import { ResponseHeaders } from './response-header.ts'
import type { CallContext, StreamCall } from './rpc-call.ts'
import { ServingState } from './serving-state.ts'
import { serviceTable } from './service-table.ts'
import { statusOfError } from './status-mapping.ts'
import type { WebSocketOptions } from './web-socket-server.ts'

/** What the server takes from its surroundings. */
export interface RpcEnvironment {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** What the system tells of this process. */
  readonly processFigures: () => Promise<ProcessFigures>
  /** Makes the TLS of ports that want it. */
  readonly createSecurer?: SecurerFactory | undefined
  /** Called with a bug or a storage fault that surfaced while serving. The process must not go on. */
  readonly onFatal: (error: unknown) => void
}

export interface RpcServerOptions {
  /** Largest request that may enter the log, in bytes. */
  readonly requestSizeBytesMax: number
  /** Most compares or operations in one list of a transaction. */
  readonly txnOperationCountMax: number
  /** HTTP/2 streams at once per connection. */
  readonly concurrentStreamsMax: number
  /** Shortest time between two pings of a client. */
  readonly keepaliveMinTimeMs: number
  /** Silence after which a client is pinged; 0: never. */
  readonly keepaliveIntervalMs: number
  /** Wait for the answer to such a ping. */
  readonly keepaliveTimeoutMs: number
  /** Origins of pages that may use HTTP; `*` stands for all. */
  readonly allowedOrigins: readonly string[]
  /** Host names that HTTP requests without TLS may ask for; `*` stands for all. */
  readonly allowedHosts: readonly string[]
  /** Calls can be made in JSON, too. */
  readonly hasGateway: boolean
  /** Profiles of this process can be had over HTTP. */
  readonly hasProfiles: boolean
  /** How long calls take is counted for each method. */
  readonly countsTimes: boolean
  /** Unary calls that take longer are told of in the log. */
  readonly unaryWarningMs: number
  /** The health service says that nothing is served while the database is defragmented. */
  readonly isUnhealthyWhileDefragmenting: boolean
  /** Time between two notifications of progress to a watcher that asked for them. */
  readonly watchProgressIntervalMs: number
  readonly electionMs: number
}

/** etcd's values for what is not set. */
export const rpcServerDefaults: RpcServerOptions = {
  requestSizeBytesMax: 1_572_864,
  txnOperationCountMax: 128,
  concurrentStreamsMax: 4_294_967_295,
  keepaliveMinTimeMs: 5_000,
  keepaliveIntervalMs: 7_200_000,
  keepaliveTimeoutMs: 20_000,
  allowedOrigins: ['*'],
  allowedHosts: ['*'],
  hasGateway: true,
  hasProfiles: false,
  countsTimes: false,
  unaryWarningMs: 300,
  isUnhealthyWhileDefragmenting: false,
  watchProgressIntervalMs: 600_000,
  electionMs: 1_000,
}

/** Where to listen. */
export interface ListenUrls {
  /** For clients: gRPC, and HTTP unless that has URLs of its own. */
  readonly clients: readonly ListenUrl[]
  /** For HTTP alone. */
  readonly http?: readonly ListenUrl[]
  /** For metrics and health alone. */
  readonly metrics?: readonly ListenUrl[]
}

/** What a port answers: `all` is gRPC and HTTP. */
type PortRole = 'all' | 'grpc' | 'http' | 'metrics'

/** Everything that is the same for all ports. */
type CallOptions = Omit<
  Http2TransportOptions,
  'concurrentStreamsMax' | 'keepaliveMinTimeMs' | 'keepalive' | 'onHttp'
>

/** What a message may be larger than the largest request: fields around it, and answers on their way back. */
const messageOverheadBytes = 524_288

/** What a port for metrics answers. */
const metricsPaths = /^\/(?:metrics|health|livez|readyz)(?:\/|$)/

/** Ports taken, and what answers on them. */
export class RpcServer {
  private readonly environment: RpcEnvironment
  private readonly ports: readonly { readonly role: PortRole; readonly port: ClientPort }[]
  private readonly clients = new ClientCounts()
  private transports: Http2Transport[] = []
  private http1Servers: Http1Server[] = []
  private leaderLoss: LeaderLossMonitor | undefined

  private constructor(environment: RpcEnvironment, ports: RpcServer['ports']) {
    this.environment = environment
    this.ports = ports
  }

  /** Takes all ports or none. @throws Error  the system's, for the first that cannot be had */
  static async bind(environment: RpcEnvironment, listenUrls: ListenUrls): Promise<RpcServer> {
    const { clients, http = [], metrics = [] } = listenUrls
    const wanted: readonly (readonly [PortRole, readonly ListenUrl[]])[] = [
      [http.length > 0 ? 'grpc' : 'all', clients],
      ['http', http],
      ['metrics', metrics],
    ]
    const ports: { readonly role: PortRole; readonly port: ClientPort }[] = []
    try {
      for (const [role, urlsOfRole] of wanted) {
        for (const urls of groupByAddress(urlsOfRole)) {
          ports.push({ role, port: await ClientPort.bind(urls, environment) })
        }
      }
    } catch (error) {
      for (const { port } of ports) port.close()
      throw error
    }
    return new RpcServer(environment, ports)
  }

  /** Where it listens for clients, with the ports that were chosen for 0. */
  get urls(): readonly string[] {
    return this.urlsOf((role) => role !== 'metrics')
  }

  /** Where it listens for nothing but metrics and health. */
  get metricsUrls(): readonly string[] {
    return this.urlsOf((role) => role === 'metrics')
  }

  /** Begins to answer, connections that waited first. */
  serve(node: StoreNode, options: RpcServerOptions): void {
    const { clock, random, logger, onFatal } = this.environment
    const headers = new ResponseHeaders(node)
    const { allowedOrigins, allowedHosts } = options
    const messageSizeBytesMax = options.requestSizeBytesMax + messageOverheadBytes
    const leaderLoss = new LeaderLossMonitor(clock, node, options.electionMs)
    const services = serviceTable(node, headers, {
      kv: {
        txnOperationCountMax: options.txnOperationCountMax,
        requestSizeBytesMax: options.requestSizeBytesMax,
      },
      serving: new ServingState(options.isUnhealthyWhileDefragmenting),
      watch: {
        clock,
        random,
        logger,
        progressIntervalMs: options.watchProgressIntervalMs,
        fragmentSizeBytes: messageSizeBytesMax,
      },
    })
    const calls = {
      clock,
      logger,
      services,
      messageSizeBytesMax,
      timing: {
        clock,
        countsTimes: options.countsTimes,
        unaryWarningMs: options.unaryWarningMs,
        onSlowUnary: (slow: SlowCall) => {
          tellOfSlowCall(logger, slow, clock.wallMs())
        },
      },
      admit: (call: CallContext, isServedByLearner: () => boolean): void => {
        admitCall(node, call, isServedByLearner)
        this.clients.of(call.findMetadata('client-api-version')).unaryCount++
      },
      onStreamAdmitted: (call: StreamCall): void => {
        // It was admitted as any call before.
        const counts = this.clients.of(call.findMetadata('client-api-version'))
        counts.unaryCount--
        counts.streamCount++
        if (requiresLeader(call)) call.onEnd(leaderLoss.add(call))
      },
      onFatal,
    }
    const router = new HttpRouter([], { logger, allowedOrigins, allowedHosts, onFatal })
    const transport = this.openTransport(calls, options, router)
    const gateway = options.hasGateway
      ? gatewayHttpRoutes({
          ...calls,
          counts: transport.counts,
          isAuthEnabled: () => node.auth.isEnabled,
        })
      : []
    const monitoring = this.monitoringRoutes(node, transport)
    const profiles = options.hasProfiles ? profileRoutes(clock, logger) : []
    for (const route of [...monitoring, ...gateway, ...profiles]) router.add(route)
    this.leaderLoss = leaderLoss
    this.servePorts({ calls, options, router, transport, monitoring })
  }

  /** Connects each port with what answers there. */
  private servePorts(parts: {
    readonly calls: CallOptions
    readonly options: RpcServerOptions
    readonly router: HttpRouter
    readonly transport: Http2Transport
    readonly monitoring: readonly HttpRoute[]
  }): void {
    const { calls, options, router, transport } = parts
    const { logger, onFatal } = this.environment
    const webSocketOptions = {
      clock: this.environment.clock,
      // Somewhat larger ones are still told what is wrong with them.
      messageSizeBytesMax: 2 * jsonSizeBytesMax(calls.messageSizeBytesMax),
    }
    const http1 = this.openHttp1(router, webSocketOptions)
    // Where there is no gRPC, HTTP/2 is for whoever agreed on it by TLS.
    const httpOnly = (onlyRouter: HttpRouter, server: Http1Server): ClientPortHandlers => {
      const inner = this.openTransport({ ...calls, services: new Map() }, options, onlyRouter)
      return {
        onHttp2: (socket, client) => {
          if (client.isSecure) inner.accept(socket, client)
          else socket.destroy()
        },
        onHttp1: (socket, client) => {
          server.accept(socket, client)
        },
      }
    }
    const handlersOf = (role: PortRole): ClientPortHandlers => {
      if (role === 'http') return httpOnly(router, http1)
      if (role === 'metrics') {
        const routes = parts.monitoring.filter(({ path }) => metricsPaths.test(path))
        const metrics = new HttpRouter(routes, {
          logger,
          allowedOrigins: [],
          allowedHosts: ['*'],
          onFatal,
        })
        return httpOnly(metrics, this.openHttp1(metrics, webSocketOptions))
      }
      return {
        onHttp2: (socket, client) => {
          transport.accept(socket, client)
        },
        onHttp1: (socket, client) => {
          if (role === 'all') http1.accept(socket, client)
          else socket.destroy()
        },
      }
    }
    for (const { role, port } of this.ports) port.serve(handlersOf(role))
  }

  private openTransport(
    calls: CallOptions,
    options: RpcServerOptions,
    router: HttpRouter,
  ): Http2Transport {
    const transport = new Http2Transport({
      ...calls,
      concurrentStreamsMax: options.concurrentStreamsMax,
      keepaliveMinTimeMs: options.keepaliveMinTimeMs,
      keepalive: { intervalMs: options.keepaliveIntervalMs, timeoutMs: options.keepaliveTimeoutMs },
      onHttp: (stream, client) => {
        // Without TLS etcd takes all of HTTP/2 for gRPC, and refuses what is not with a text that clients know.
        if (!client.isSecure && router.find(stream.head.path.split('?', 1)[0] ?? '') === undefined)
          return false
        void router.serve(new Http2Exchange(stream, client))
        return true
      },
    })
    this.transports.push(transport)
    return transport
  }

  private openHttp1(router: HttpRouter, options: WebSocketOptions): Http1Server {
    const server = new Http1Server(router, options)
    this.http1Servers.push(server)
    return server
  }

  private urlsOf(isWanted: (role: PortRole) => boolean): readonly string[] {
    return this.ports.flatMap(({ role, port }) => (isWanted(role) ? port.urls : []))
  }

  /** What monitoring asks for: probes and metrics. */
  private monitoringRoutes(node: StoreNode, transport: Http2Transport): readonly HttpRoute[] {
    const { processFigures } = this.environment
    const health: HealthCounts = { successCount: 0, failureCount: 0, checks: [] }
    const metrics = metricsRoutes(async () => ({
      memberId: node.memberId,
      node: node.figures(),
      calls: transport.counts,
      traffic: transport.traffic(),
      health,
      clients: this.clients,
      process: await processFigures(),
    }))
    return [...probeRoutes(node, health), ...metrics]
  }

  /**
   * Refuses new connections, ends open streams with `server stopped`, lets unary calls finish for `graceMs` at most,
   * then closes everything.
   */
  async stop(graceMs: number): Promise<void> {
    for (const { port } of this.ports) port.close()
    this.leaderLoss?.dispose()
    for (const server of this.http1Servers) server.close()
    const status = statusOfError(new StoreError('stopped'))
    await Promise.all(this.transports.map((transport) => transport.stop(status, graceMs)))
  }
}

/** As etcd tells it, but for what was asked and by whom. */
function tellOfSlowCall(logger: Logger, { path, tookMs, code }: SlowCall, endWallMs: number): void {
  logger.warn('request stats', {
    'start time': new Date(endWallMs - tookMs).toISOString(),
    'time spent': `${tookMs.toFixed(3)}ms`,
    'response type': path,
    code,
  })
}
