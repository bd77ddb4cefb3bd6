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
import { ClientPort, groupByAddress, type SecurerFactory } from './client-port.ts'
import { gatewayHttpRoutes } from './gateway/gateway.ts'
import { Http1Server } from './http1-server.ts'
import { Http2Exchange } from './http2-exchange.ts'
import { HttpRouter, type HttpRoute } from './http-router.ts'
import { Http2Transport } from './http2-transport.ts'
import { admitCall, requiresLeader } from './interceptors.ts'
import { LeaderLossMonitor } from './leader-loss-monitor.ts'
import type { ListenUrl } from './listen-url.ts'
import type { HealthCounts, ProcessFigures } from './metrics/metric-source.ts'
import { metricsRoutes } from './metrics/metrics-route.ts'
import { probeRoutes } from './probe-routes.ts'
import { ResponseHeaders } from './response-header.ts'
import type { CallContext, StreamCall } from './rpc-call.ts'
import { serviceTable } from './service-table.ts'
import { statusOfError } from './status-mapping.ts'

/** What the server takes from its surroundings. */
export interface RpcEnvironment {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Makes the TLS of ports that want it. */
  /** What the system tells of this process. */
  readonly processFigures: () => Promise<ProcessFigures>
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
  watchProgressIntervalMs: 600_000,
  electionMs: 1_000,
}

/** What a message may be larger than the largest request: fields around it, and answers on their way back. */
const messageOverheadBytes = 524_288

/** Ports taken, and what answers on them. */
export class RpcServer {
  private readonly environment: RpcEnvironment
  private readonly ports: readonly ClientPort[]
  private transport: Http2Transport | undefined
  private http1: Http1Server | undefined
  private leaderLoss: LeaderLossMonitor | undefined

  private constructor(environment: RpcEnvironment, ports: readonly ClientPort[]) {
    this.environment = environment
    this.ports = ports
  }

  /** Takes all ports or none. @throws Error  the system's, for the first that cannot be had */
  static async bind(
    environment: RpcEnvironment,
    listenUrls: readonly ListenUrl[],
  ): Promise<RpcServer> {
    const ports: ClientPort[] = []
    try {
      for (const urls of groupByAddress(listenUrls)) {
        ports.push(await ClientPort.bind(urls, environment))
      }
    } catch (error) {
      for (const port of ports) port.close()
      throw error
    }
    return new RpcServer(environment, ports)
  }

  /** Where it listens, with the ports that were chosen for 0. */
  get urls(): readonly string[] {
    return this.ports.flatMap((port) => port.urls)
  }

  /** Begins to answer, connections that waited first. */
  serve(node: StoreNode, options: RpcServerOptions): void {
    const { clock, random, logger, onFatal } = this.environment
    const headers = new ResponseHeaders(node)
    const { allowedOrigins, allowedHosts } = options
    const messageSizeBytesMax = options.requestSizeBytesMax + messageOverheadBytes
    const leaderLoss = new LeaderLossMonitor(clock, node, options.electionMs)
    const services = serviceTable(node, headers, {
      kv: { txnOperationCountMax: options.txnOperationCountMax },
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
      admit: (call: CallContext, isServedByLearner: () => boolean): void => {
        admitCall(node, call, isServedByLearner)
      },
      onStreamAdmitted: (call: StreamCall): void => {
        if (requiresLeader(call)) call.onEnd(leaderLoss.add(call))
      },
      onFatal,
    }
    const router = new HttpRouter([], { logger, allowedOrigins, allowedHosts, onFatal })
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
    const gateway = options.hasGateway
      ? gatewayHttpRoutes({
          ...calls,
          counts: transport.counts,
          isAuthEnabled: () => node.auth.isEnabled,
        })
      : []
    for (const route of [...this.monitoringRoutes(node, transport), ...gateway]) router.add(route)
    const http1 = new Http1Server(router)
    this.transport = transport
    this.http1 = http1
    this.leaderLoss = leaderLoss
    for (const port of this.ports) {
      port.serve({
        onHttp2: (socket, client) => {
          transport.accept(socket, client)
        },
        onHttp1: (socket, client) => {
          http1.accept(socket, client)
        },
      })
    }
  }

  /** What monitoring asks for: probes and metrics. */
  private monitoringRoutes(node: StoreNode, transport: Http2Transport): readonly HttpRoute[] {
    const { processFigures } = this.environment
    const health: HealthCounts = { successCount: 0, failureCount: 0 }
    const metrics = metricsRoutes(async () => ({
      memberId: node.memberId,
      node: node.figures(),
      calls: transport.counts,
      traffic: transport.traffic(),
      health,
      process: await processFigures(),
    }))
    return [...probeRoutes(node, health), ...metrics]
  }

  /**
   * Refuses new connections, ends open streams with `server stopped`, lets unary calls finish for `graceMs` at most,
   * then closes everything.
   */
  async stop(graceMs: number): Promise<void> {
    for (const port of this.ports) port.close()
    this.leaderLoss?.dispose()
    this.http1?.close()
    await this.transport?.stop(statusOfError(new StoreError('stopped')), graceMs)
  }
}
