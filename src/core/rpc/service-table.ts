/** All services by name. */
import type { StoreNode } from '../node/store-node.ts'
import { guardServices } from './access-guard.ts'
import { authService } from './auth-service.ts'
import { clusterService } from './cluster-service.ts'
import { electionService } from './election-service.ts'
import { healthService } from './health-service.ts'
import { kvService, type KvServiceOptions } from './kv-service.ts'
import { leaseService } from './lease-service.ts'
import { lockService } from './lock-service.ts'
import { maintenanceService } from './maintenance-service.ts'
import { rangeStreamMethod, type RangeStreamOptions } from './range-stream.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { ServiceTable } from './rpc-call.ts'
import { watchService } from './watch-service.ts'
import type { ServingState } from './serving-state.ts'
import type { WatchStreamOptions } from './watch-streams.ts'

export interface ServiceOptions {
  readonly kv: KvServiceOptions & RangeStreamOptions
  readonly watch: WatchStreamOptions
  readonly serving: ServingState
}

/** Service names with their packages, to methods by name. */
export function serviceTable(
  node: StoreNode,
  headers: ResponseHeaders,
  options: ServiceOptions,
): ServiceTable {
  const inner = {
    logger: options.watch.logger,
    txnOperationCountMax: options.kv.txnOperationCountMax,
  }
  const rangeStream = ['RangeStream', rangeStreamMethod(node, headers, options.kv)] as const
  const services: ServiceTable = new Map([
    ['etcdserverpb.KV', new Map([...kvService(node, headers, options.kv), rangeStream])],
    ['etcdserverpb.Watch', watchService(node, headers, options.watch)],
    ['etcdserverpb.Cluster', clusterService(node, headers)],
    ['etcdserverpb.Maintenance', maintenanceService(node, headers, options.serving)],
    ['etcdserverpb.Lease', leaseService(node, headers)],
    ['etcdserverpb.Auth', authService(node, headers)],
    ['v3lockpb.Lock', lockService(node, headers, inner)],
    ['v3electionpb.Election', electionService(node, headers, inner)],
    ['grpc.health.v1.Health', healthService(options.serving)],
  ])
  return guardServices(services, node)
}
