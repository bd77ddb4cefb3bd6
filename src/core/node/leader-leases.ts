/**
 * Questions about leases between members: a node that does not lead asks the one that does, on its peer port.
 *
 * Paths, messages and status codes are etcd's, so that its members can ask ours and ours can ask them.
 *
 *     POST /leases            LeaseKeepAliveRequest → LeaseKeepAliveResponse
 *     POST /leases/internal   LeaseInternalRequest → LeaseInternalResponse
 *     404  there is no such lease
 *     408  what was committed before the question is not applied yet
 */
import { failpointPause } from '../base/failpoints.ts'
import { leaseId, type LeaseId, type NodeId } from '../base/ids.ts'
import { StoreError } from '../errors/store-error.ts'
import type { Member } from '../membership/member.ts'
import { LeaseInternalRequest, LeaseInternalResponse } from '../proto/gen/lease.ts'
import { LeaseKeepAliveRequest, LeaseKeepAliveResponse, ResponseHeader } from '../proto/gen/rpc.ts'
import type { LeaderLeases, LeaseRequests, LeaseTime } from './lease-requests.ts'

/** One question to a member's peer port and its answer. */
export interface PeerAnswer {
  readonly status: number
  readonly body: Uint8Array
}

/** By POST unless told otherwise. Rejects when the member cannot be reached. */
export type AskPeer = (
  peerUrl: string,
  path: string,
  body: Uint8Array,
  method?: 'GET' | 'POST',
) => Promise<PeerAnswer>

export const leasePaths = { renew: '/leases', timeToLive: '/leases/internal' } as const

/** Asks the leader over its peer URLs, the first that answers. */
export function remoteLeases(
  ask: AskPeer,
  findMember: (id: NodeId) => Member | undefined,
): LeaderLeases {
  const askLeader = async (
    leader: NodeId,
    path: string,
    body: Uint8Array,
  ): Promise<Uint8Array | undefined> => {
    let failure: unknown
    for (const url of findMember(leader)?.peerUrls ?? []) {
      try {
        const answer = await ask(url, path, body)
        if (answer.status === 200) return answer.body
        if (answer.status === 404) return undefined
        failure = new Error(`HTTP status ${answer.status}`)
      } catch (error) {
        failure = error
      }
    }
    throw new StoreError('timeout', { path }, { cause: failure })
  }
  return {
    renew: async (leader, id) => {
      const question = LeaseKeepAliveRequest.encode({ ID: id }).finish()
      const body = await askLeader(leader, leasePaths.renew, question)
      return body === undefined ? 0 : Number(LeaseKeepAliveResponse.decode(body).TTL)
    },
    timeToLive: async (leader, id, wantsKeys) => {
      const question = LeaseInternalRequest.encode({
        LeaseTimeToLiveRequest: { ID: id, keys: wantsKeys },
      }).finish()
      const body = await askLeader(leader, leasePaths.timeToLive, question)
      return body === undefined ? unknownLease : timeOf(body)
    },
  }
}

const unknownLease: LeaseTime = { remainingSeconds: -1, grantedSeconds: 0, keys: [] }

function timeOf(body: Uint8Array): LeaseTime {
  const answer = LeaseInternalResponse.decode(body).LeaseTimeToLiveResponse
  if (answer === undefined) return unknownLease
  return {
    remainingSeconds: Number(answer.TTL),
    grantedSeconds: Number(answer.grantedTTL),
    keys: answer.keys,
  }
}

/** Answers a question of another member. */
export async function answerLeaseQuestion(
  leases: LeaseRequests,
  path: string,
  body: Uint8Array,
): Promise<PeerAnswer> {
  try {
    return path === leasePaths.renew
      ? await answerRenewal(leases, body)
      : await answerTime(leases, body)
  } catch (error) {
    if (error instanceof StoreError && error.code === 'timeout') return textAnswer(408, lateText)
    return textAnswer(400, error instanceof Error ? error.message : String(error))
  }
}

/** There, but empty: etcd fills it in, and dies where there is none. */
const emptyHeader: ResponseHeader = ResponseHeader.create()

const lateText = 'waiting for node to catch up its applied index has timed out'
const notLeaderText = 'not a primary lessor'

async function answerRenewal(leases: LeaseRequests, body: Uint8Array): Promise<PeerAnswer> {
  const { ID } = LeaseKeepAliveRequest.decode(body)
  await failpointPause('beforeServeHTTPLeaseRenew')
  const ttlSeconds = await leases.renewHere(leaseId(ID))
  if (ttlSeconds === undefined) return textAnswer(400, notLeaderText)
  if (ttlSeconds === 0) return missing(leaseId(ID))
  const answer = { header: emptyHeader, ID, TTL: BigInt(ttlSeconds) }
  return { status: 200, body: LeaseKeepAliveResponse.encode(answer).finish() }
}

async function answerTime(leases: LeaseRequests, body: Uint8Array): Promise<PeerAnswer> {
  const asked = LeaseInternalRequest.decode(body).LeaseTimeToLiveRequest
  const id = leaseId(asked?.ID ?? 0n)
  await failpointPause('beforeLookupWhenForwardLeaseTimeToLive')
  const time = await leases.timeToLiveHere(id, asked?.keys ?? false)
  if (time === undefined) return textAnswer(400, notLeaderText)
  if (time.remainingSeconds < 0) return missing(id)
  const answer = LeaseInternalResponse.encode({
    LeaseTimeToLiveResponse: {
      header: emptyHeader,
      ID: id,
      TTL: BigInt(time.remainingSeconds),
      grantedTTL: BigInt(time.grantedSeconds),
      keys: [...time.keys],
    },
  })
  return { status: 200, body: answer.finish() }
}

function missing(id: LeaseId): PeerAnswer {
  return textAnswer(404, new StoreError('leaseNotFound', { lease: id }).message)
}

function textAnswer(status: number, text: string): PeerAnswer {
  return { status, body: new TextEncoder().encode(`${text}\n`) }
}
