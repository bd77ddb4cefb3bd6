/** The Lease service. */
import type { StoreNode } from '../node/store-node.ts'
import { asLeaseId } from '../node/node-surface.ts'
import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from '../proto/gen/rpc.ts'
import { identifyCaller } from './access-guard.ts'
import { decodeStreamMessage, frameOf, streamMethod, unaryMethod } from './method.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { RpcMethod, StreamCall } from './rpc-call.ts'
import { okStatus, statusOfError } from './status-mapping.ts'

/** The methods of `etcdserverpb.Lease`. */
export function leaseService(
  node: StoreNode,
  headers: ResponseHeaders,
): ReadonlyMap<string, RpcMethod> {
  const header = (): ReturnType<ResponseHeaders['message']> => headers.message(node.currentRevision)
  return new Map<string, RpcMethod>([
    [
      'LeaseGrant',
      unaryMethod(LeaseGrantRequest, async ({ ID, TTL }, call) => {
        const lease = await node.leases.grant({ id: ID, ttlSeconds: TTL }, call.requester)
        return frameOf(LeaseGrantResponse, {
          header: header(),
          ID: lease.id,
          TTL: BigInt(lease.ttlSeconds),
          error: '',
        })
      }),
    ],
    [
      'LeaseRevoke',
      unaryMethod(LeaseRevokeRequest, async ({ ID }, call) => {
        await node.leases.revoke(ID, call.requester)
        return frameOf(LeaseRevokeResponse, { header: header() })
      }),
    ],
    [
      'LeaseTimeToLive',
      unaryMethod(LeaseTimeToLiveRequest, async ({ ID, keys }, call) => {
        const time = await node.leases.timeToLive(asLeaseId(ID), keys, call.requester)
        return frameOf(LeaseTimeToLiveResponse, {
          header: header(),
          ID,
          TTL: BigInt(time.remainingSeconds),
          grantedTTL: BigInt(time.grantedSeconds),
          keys: [...time.keys],
        })
      }),
    ],
    [
      'LeaseLeases',
      unaryMethod(LeaseLeasesRequest, (_request, call) =>
        Promise.resolve(
          frameOf(LeaseLeasesResponse, {
            header: header(),
            leases: node.leases.list(call.requester).map((ID) => ({ ID })),
          }),
        ),
      ),
    ],
    [
      'LeaseKeepAlive',
      streamMethod((call) => {
        new KeepAliveStream(node, headers, call).open()
      }),
    ],
  ])
}

/** Questions that may wait on one stream; its client is not read from beyond. */
const waitingRenewalsMax = 64

/** One stream of renewals: each is answered before the next one begins, in the order of asking. */
class KeepAliveStream {
  private readonly node: StoreNode
  private readonly headers: ResponseHeaders
  private readonly call: StreamCall
  private readonly waiting: bigint[] = []
  private isRenewing = false
  private hasHalfClosed = false

  constructor(node: StoreNode, headers: ResponseHeaders, call: StreamCall) {
    this.node = node
    this.headers = headers
    this.call = call
  }

  open(): void {
    this.call.read(
      (message) => {
        this.add(message)
      },
      () => {
        this.hasHalfClosed = true
        this.endWhenDone()
      },
    )
  }

  private add(message: Uint8Array): void {
    try {
      this.waiting.push(decodeStreamMessage(LeaseKeepAliveRequest, message).ID)
    } catch (error) {
      this.call.end(statusOfError(error))
      return
    }
    if (this.waiting.length >= waitingRenewalsMax) this.call.setReading(false)
    this.renewNext()
  }

  private renewNext(): void {
    if (this.isRenewing || this.call.hasEnded) return
    const id = this.waiting.shift()
    if (id === undefined) {
      this.call.setReading(true)
      this.endWhenDone()
      return
    }
    this.isRenewing = true
    // The answer speaks of the state before the renewal, as etcd's does.
    const header = this.headers.message(this.node.currentRevision)
    this.renew(id).then(
      (ttlSeconds) => {
        this.call.send(frameOf(LeaseKeepAliveResponse, { header, ID: id, TTL: BigInt(ttlSeconds) }))
        this.isRenewing = false
        this.renewNext()
      },
      (error: unknown) => {
        this.call.end(statusOfError(error))
      },
    )
  }

  /** In the name of whoever the token stands for now: users change while streams are open. */
  private async renew(id: bigint): Promise<number> {
    const requester = await identifyCaller(this.node, this.call)
    return this.node.leases.renew(asLeaseId(id), requester)
  }

  private endWhenDone(): void {
    if (this.hasHalfClosed && !this.isRenewing && this.waiting.length === 0) {
      this.call.end(okStatus)
    }
  }
}
