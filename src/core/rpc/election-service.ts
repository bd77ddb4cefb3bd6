/** The Election service: whoever created the oldest key below a name leads, until it resigns or its lease ends. */
import { copyBytes, equalBytes } from '../base/bytes.ts'
import { assert } from '../base/assert.ts'
import type { StoreNode } from '../node/store-node.ts'
import {
  CampaignRequest,
  CampaignResponse,
  type LeaderKey,
  LeaderRequest,
  LeaderResponse,
  ProclaimRequest,
  ProclaimResponse,
  ResignRequest,
  ResignResponse,
} from '../proto/gen/election.ts'
import { KeyValue } from '../proto/gen/kv.ts'
import { ElectionObservation } from './election-observation.ts'
import {
  deleteOf,
  InnerClient,
  isCreatedAt,
  putOf,
  rangeOf,
  type InnerClientOptions,
} from './inner-client.ts'
import { frameOf, streamMethod, unaryMethod } from './method.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { CallContext, RpcMethod } from './rpc-call.ts'
import { WireError } from './status-mapping.ts'
import { leaseOf, WaitingLine } from './waiting-line.ts'

/** The methods of `v3electionpb.Election`. */
export function electionService(
  node: StoreNode,
  headers: ResponseHeaders,
  options: InnerClientOptions,
): ReadonlyMap<string, RpcMethod> {
  const clientOf = (call: CallContext): InnerClient => new InnerClient(node, call, options)
  const header = (revision: number): ReturnType<ResponseHeaders['message']> =>
    headers.message(revision)
  return new Map<string, RpcMethod>([
    [
      'Campaign',
      unaryMethod(CampaignRequest, async (request, call) => {
        const { leader, revision } = await campaign(clientOf(call), {
          ...request,
          name: copyBytes(request.name),
          value: copyBytes(request.value),
        })
        return frameOf(CampaignResponse, { header: header(revision), leader })
      }),
    ],
    [
      'Proclaim',
      unaryMethod(ProclaimRequest, async ({ leader, value }, call) => {
        const kept = keptLeader(leader)
        const keptValue = copyBytes(value)
        const client = clientOf(call)
        const lease = await leaseOf(client, kept.lease)
        const revision = await proclaim(client, { ...kept, lease }, keptValue)
        return frameOf(ProclaimResponse, { header: header(revision) })
      }),
    ],
    [
      'Leader',
      unaryMethod(LeaderRequest, async ({ name }, call) => {
        const { keyValues, revision } = await new WaitingLine(clientOf(call), name).findOldest()
        const [leader] = keyValues
        if (leader === undefined) throw new WireError('unknown', 'election: no leader')
        return frameOf(LeaderResponse, {
          header: header(revision),
          kv: KeyValue.decode(leader.encoded),
        })
      }),
    ],
    [
      'Observe',
      streamMethod((call) => {
        new ElectionObservation(clientOf(call), headers, call).open()
      }),
    ],
    [
      'Resign',
      unaryMethod(ResignRequest, async ({ leader }, call) => {
        const { key, rev, lease } = keptLeader(leader)
        const client = clientOf(call)
        // Granted although nothing is put with it: etcd's does the same.
        await leaseOf(client, lease)
        const { revision } = await client.txn({
          compare: [isCreatedAt(key, rev)],
          success: [deleteOf(key)],
          failure: [],
        })
        return frameOf(ResignResponse, { header: header(revision) })
      }),
    ],
  ])
}

async function campaign(
  client: InnerClient,
  wish: CampaignRequest,
): Promise<{ readonly leader: LeaderKey; readonly revision: number }> {
  const { name, value } = wish
  const line = new WaitingLine(client, name)
  const lease = await leaseOf(client, wish.lease)
  const key = line.keyOf(lease)
  const entered = await client.txnToTheEnd({
    compare: [isCreatedAt(key, 0n)],
    success: [putOf({ key, value, lease })],
    failure: [rangeOf({ key })],
  })
  const leader: LeaderKey = { name, key, rev: BigInt(entered.revision), lease }
  const resign = (): Promise<void> => client.withdraw(key, [isCreatedAt(key, leader.rev)])
  if (!entered.hasSucceeded) {
    const [found] = entered.responses
    assert(found?.kind === 'range', 'a range is answered as one')
    const [own] = found.keyValues
    assert(own !== undefined, 'a key that has a create revision is there')
    leader.rev = BigInt(own.createRevision)
    if (!equalBytes(own.value, value)) {
      try {
        await proclaim(client, leader, value)
      } catch (error) {
        await resign()
        throw error
      }
    }
  }
  try {
    await line.waitForOlder(Number(leader.rev))
  } catch (error) {
    if (client.call.isCanceled) await resign()
    throw error
  }
  return { leader, revision: entered.revision }
}

/** @returns the revision of the put. @throws WireError  the key is not there any more, or is another one */
async function proclaim(
  client: InnerClient,
  { key, rev, lease }: LeaderKey,
  value: Uint8Array,
): Promise<number> {
  const { hasSucceeded, revision } = await client.txn({
    compare: [isCreatedAt(key, rev)],
    success: [putOf({ key, value, lease })],
    failure: [],
  })
  if (!hasSucceeded) throw new WireError('unknown', 'election: not leader')
  return revision
}

/** The request's bytes do not outlive the turn. @throws WireError  there is none */
function keptLeader(leader: LeaderKey | undefined): LeaderKey {
  if (leader === undefined) {
    throw new WireError('unknown', '"leader" field must be provided')
  }
  return { ...leader, name: copyBytes(leader.name), key: copyBytes(leader.key) }
}
