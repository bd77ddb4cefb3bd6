/**
 * Stands before the methods while calls have to say who makes them: finds out who calls, and lets only root do what only
 * root may.
 *
 * What depends on keys is decided where the keys are known: while entries are applied, and beside each read. As long as
 * the checks are off this costs a call one look at a flag.
 */
import type { AuthInfo } from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import type {
  CallContext,
  RpcMethod,
  ServiceTable,
  StreamCall,
  UnaryExchange,
  UnaryMethod,
} from './rpc-call.ts'
import { statusOfError } from './status-mapping.ts'

/** Who may call a method, as far as that does not depend on what is asked. */
type Demand =
  /** Everybody; not even a wrong token matters, or it matters to what the method itself calls. */
  | 'nobody'
  /** Decided further on. */
  | 'anybody'
  /** Whoever says who he is. */
  | 'user'
  | 'root'

/** By service and method; the rest is decided further on. Source: etcd v3 API, "Permission per RPC". */
const demands: Readonly<Record<string, Demand>> = {
  'etcdserverpb.Auth/Authenticate': 'nobody',
  'etcdserverpb.Auth/AuthStatus': 'nobody',
  'grpc.health.v1.Health/Check': 'nobody',
  'grpc.health.v1.Health/Watch': 'nobody',
  'v3lockpb.Lock/Lock': 'nobody',
  'v3lockpb.Lock/Unlock': 'nobody',
  'v3electionpb.Election/Campaign': 'nobody',
  'v3electionpb.Election/Proclaim': 'nobody',
  'v3electionpb.Election/Leader': 'nobody',
  'v3electionpb.Election/Resign': 'nobody',
  'etcdserverpb.Lease/LeaseTimeToLive': 'user',
  'etcdserverpb.Lease/LeaseLeases': 'user',
  'etcdserverpb.Cluster/MemberList': 'user',
  'etcdserverpb.Cluster/MemberAdd': 'root',
  'etcdserverpb.Cluster/MemberRemove': 'root',
  'etcdserverpb.Cluster/MemberUpdate': 'root',
  'etcdserverpb.Cluster/MemberPromote': 'root',
  'etcdserverpb.Maintenance/Status': 'user',
  'etcdserverpb.Maintenance/Defragment': 'root',
  'etcdserverpb.Maintenance/Hash': 'root',
  'etcdserverpb.Maintenance/HashKV': 'root',
  'etcdserverpb.Maintenance/Snapshot': 'root',
  'etcdserverpb.Maintenance/MoveLeader': 'root',
  'etcdserverpb.Maintenance/Downgrade': 'root',
}

/** The same services behind the guard. */
export function guardServices(services: ServiceTable, node: StoreNode): ServiceTable {
  return new Map(
    [...services].map(([service, methods]) => [
      service,
      new Map(
        [...methods].map(([name, method]) => {
          const demand = demands[`${service}/${name}`] ?? 'anybody'
          return [name, demand === 'nobody' ? method : guardMethod(node, method, demand)]
        }),
      ),
    ]),
  )
}

function guardMethod(node: StoreNode, method: RpcMethod, demand: Demand): RpcMethod {
  if (method.kind === 'stream') {
    // Long-lived: who calls is found out for each of its messages, by rules that may have changed.
    if (demand === 'anybody') return method
    return {
      ...method,
      handle: (call: StreamCall) => {
        if (!node.auth.isEnabled) {
          method.handle(call)
          return
        }
        admit(node, call, demand)
          .then(() => {
            if (!call.hasEnded) method.handle(call)
          })
          .catch((error: unknown) => {
            call.end(statusOfError(error))
          })
      },
    }
  }
  return {
    kind: 'unary',
    isServedByLearner: (message) => method.isServedByLearner(message),
    handle: (message, call: UnaryExchange) => {
      if (!node.auth.isEnabled) {
        method.handle(message, call)
        return
      }
      // The message may lie in memory that the next read of the socket overwrites.
      const kept = message.slice()
      admit(node, call, demand)
        .then(() => {
          method.handle(kept, call)
        })
        .catch((error: unknown) => {
          call.fail(reasonOf(method, kept) ?? error)
        })
    },
  }
}

/** What etcd would have found wrong with a request before it asked who makes it. */
function reasonOf(method: UnaryMethod, message: Uint8Array): unknown {
  try {
    method.checkFirst?.(message)
    return undefined
  } catch (error) {
    return error
  }
}

/** @throws StoreError `invalidAuthToken`, `userEmpty`, `permissionDenied` and the like */
async function admit(node: StoreNode, call: CallContext, demand: Demand): Promise<void> {
  call.requester = await identifyCaller(node, call)
  if (demand === 'user') node.auth.checkUser(call.requester)
  if (demand === 'root') node.auth.checkRoot(call.requester)
}

/**
 * Who makes a call, as of now; undefined while nobody has to say so.
 * @throws StoreError `invalidAuthToken`, `contextCanceled`
 */
export function identifyCaller(node: StoreNode, call: CallContext): Promise<AuthInfo | undefined> {
  return node.auth.identify(
    { token: tokenOf(call), commonName: commonNameOf(call) },
    () => call.isCanceled,
  )
}

const bearerPrefix = 'Bearer '

function tokenOf(call: CallContext): string | undefined {
  const token = call.findMetadata('token') ?? call.findMetadata('authorization')
  return token?.startsWith(bearerPrefix) === true ? token.slice(bearerPrefix.length) : token
}

/** A request that came through the gateway bears the gateway's certificate, not its client's. */
function commonNameOf(call: CallContext): string | undefined {
  if (call.findMetadata('grpcgateway-accept') !== undefined) return undefined
  return call.client.commonName
}
