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
import { ClientPort } from './client-port.ts'
import { HttpEndpoints } from './http-endpoints.ts'
import { Http2Transport } from './http2-transport.ts'
import { admitCall, requiresLeader } from './interceptors.ts'
import { LeaderLossMonitor } from './leader-loss-monitor.ts'
import type { ListenUrl } from './listen-url.ts'
import { ResponseHeaders } from './response-header.ts'
import { serviceTable } from './service-table.ts'
import { statusOfError } from './status-mapping.ts'

/** What the server takes from its surroundings. */
export interface RpcEnvironment {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
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
  private endpoints: HttpEndpoints | undefined
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
      for (const url of listenUrls) ports.push(await ClientPort.bind(url, environment.clock))
    } catch (error) {
      for (const port of ports) port.close()
      throw error
    }
    return new RpcServer(environment, ports)
  }

  /** Where it listens, with the ports that were chosen for 0. */
  get urls(): readonly string[] {
    return this.ports.map((port) => port.url)
  }

  /** Begins to answer, connections that waited first. */
  serve(node: StoreNode, options: RpcServerOptions): void {
    const { clock, random, logger, onFatal } = this.environment
    const headers = new ResponseHeaders(node)
    const messageSizeBytesMax = options.requestSizeBytesMax + messageOverheadBytes
    const leaderLoss = new LeaderLossMonitor(clock, node, options.electionMs)
    const transport = new Http2Transport({
      clock,
      logger,
      services: serviceTable(node, headers, {
        kv: { txnOperationCountMax: options.txnOperationCountMax },
        watch: {
          clock,
          random,
          logger,
          progressIntervalMs: options.watchProgressIntervalMs,
          fragmentSizeBytes: messageSizeBytesMax,
        },
      }),
      admit: (call, isServedByLearner) => {
        admitCall(node, call, isServedByLearner)
      },
      onStreamAdmitted: (call) => {
        if (requiresLeader(call)) call.onEnd(leaderLoss.add(call))
      },
      messageSizeBytesMax,
      concurrentStreamsMax: options.concurrentStreamsMax,
      keepaliveMinTimeMs: options.keepaliveMinTimeMs,
      onFatal,
    })
    const endpoints = new HttpEndpoints(node, { logger, onFatal })
    this.transport = transport
    this.endpoints = endpoints
    this.leaderLoss = leaderLoss
    for (const port of this.ports) {
      port.serve({
        onHttp2: (socket) => {
          transport.accept(socket)
        },
        onHttp1: (socket) => {
          endpoints.accept(socket)
        },
      })
    }
  }

  /**
   * Refuses new connections, ends open streams with `server stopped`, lets unary calls finish for `graceMs` at most,
   * then closes everything.
   */
  async stop(graceMs: number): Promise<void> {
    for (const port of this.ports) port.close()
    this.leaderLoss?.dispose()
    this.endpoints?.close()
    await this.transport?.stop(statusOfError(new StoreError('stopped')), graceMs)
  }
}
