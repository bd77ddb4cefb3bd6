/**
 * A connection to an etcd v3 cluster: any number of endpoints, one of which serves at a time.
 *
 * Begin here: `endpoint-pool.ts` chooses the endpoint, `retry-policy.ts` decides what may be repeated, and one client per
 * service turns wire messages into plain records. `status-to-error.ts` is the only place that judges failures.
 */

import type { Clock } from '../base/clock.ts'
import type { Disposable } from '../base/disposable.ts'
import type { Random } from '../base/random.ts'
import { AuthClient } from './auth-client.ts'
import { ClusterClient } from './cluster-client.ts'
import { Endpoint, type ClientTlsOptions, type EndpointSecurity } from './endpoint.ts'
import { EndpointPool } from './endpoint-pool.ts'
import {
  followCompaction,
  readKeyHistory,
  type HistoryEnd,
  type HistoryListener,
  type HistoryOptions,
} from './key-history.ts'
import { KvClient } from './kv-client.ts'
import { LeaseClient } from './lease-client.ts'
import { LoginSession, type Credentials } from './login.ts'
import { MaintenanceClient } from './maintenance-client.ts'
import type { CallEnvironment } from './retry-policy.ts'
import { WatchClient } from './watch-client.ts'

export interface ClientOptions {
  readonly clock: Clock
  readonly random: Random
  /** `http://host:port`, `https://host:port`, or `host:port`. At least one. */
  readonly endpoints: readonly string[]
  /** For endpoints with `https`; with it, `host:port` means them too. */
  readonly tls?: ClientTlsOptions
  /** The user to log in as, for clusters that check users. */
  readonly credentials?: Credentials
}

export class Client implements Disposable {
  readonly pool: EndpointPool
  readonly kv: KvClient
  readonly watch: WatchClient
  readonly lease: LeaseClient
  readonly cluster: ClusterClient
  readonly auth: AuthClient
  readonly maintenance: MaintenanceClient
  private readonly environment: CallEnvironment
  /** Absent for a client that does not log in. */
  readonly login: LoginSession | undefined
  private readonly security: EndpointSecurity
  /** Channels to members that are asked about themselves and are no endpoint of this connection. */
  private readonly memberEndpoints = new Map<string, Endpoint>()

  /** @throws StoreError `unreachable` when an endpoint is no address, or TLS cannot be had as asked for */
  constructor(options: ClientOptions) {
    const { credentials } = options
    this.login = credentials === undefined ? undefined : new LoginSession(credentials)
    this.security = { tls: options.tls, login: this.login }
    this.pool = new EndpointPool(options.clock, options.endpoints, this.security)
    this.environment = { clock: options.clock, random: options.random, pool: this.pool }
    this.kv = new KvClient(this.environment)
    this.watch = new WatchClient(this.environment)
    this.lease = new LeaseClient(this.environment)
    this.auth = new AuthClient(this.environment)
    this.cluster = new ClusterClient(this.environment)
    this.maintenance = new MaintenanceClient(this.environment)
  }

  /** Every readable change of one key; see `key-history.ts`. */
  history(
    key: Uint8Array,
    options: HistoryOptions,
    listener: HistoryListener,
  ): Promise<HistoryEnd> {
    return readKeyHistory({ environment: this.environment, kv: this.kv }, key, options, listener)
  }

  /** Tells whenever a compaction goes further than it had; see `key-history.ts`. */
  followCompaction(
    key: Uint8Array,
    options: Parameters<typeof followCompaction>[2],
    onCompacted: (revision: number) => void,
  ): Promise<void> {
    const sources = { environment: this.environment, kv: this.kv }
    return followCompaction(sources, key, options, onCompacted)
  }

  /**
   * The endpoint behind a member's advertised URL, for questions to that member alone.
   *
   * @returns undefined when the URL is of a kind that we cannot dial
   */
  findEndpoint(url: string): Endpoint | undefined {
    const own = this.pool.endpoints.find((endpoint) => endpoint.url === withoutSlash(url))
    if (own !== undefined) return own
    const known = this.memberEndpoints.get(url)
    if (known !== undefined) return known
    if (!/^https?:\/\/[^/]+:[0-9]+\/?$/.test(url)) return undefined
    const endpoint = new Endpoint(url, this.security)
    this.memberEndpoints.set(url, endpoint)
    return endpoint
  }

  dispose(): void {
    this.pool.dispose()
    for (const endpoint of this.memberEndpoints.values()) endpoint.dispose()
    this.memberEndpoints.clear()
  }
}

function withoutSlash(url: string): string {
  return url.endsWith('/') ? url.slice(0, -1) : url
}
