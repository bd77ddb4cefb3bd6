/** The Cluster service: who belongs to the cluster, and changes of that. */
import { asNodeId, isPeerUrl, type Member } from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import { StoreError } from '../errors/store-error.ts'
import {
  MemberAddRequest,
  MemberAddResponse,
  MemberListRequest,
  MemberListResponse,
  MemberPromoteRequest,
  MemberPromoteResponse,
  MemberRemoveRequest,
  MemberRemoveResponse,
  MemberUpdateRequest,
  MemberUpdateResponse,
  type Member as WireMember,
} from '../proto/gen/rpc.ts'
import { checkedFirst, frameOf, unaryMethod } from './method.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { RpcMethod } from './rpc-call.ts'

/** The methods of `etcdserverpb.Cluster`. */
export function clusterService(
  node: StoreNode,
  headers: ResponseHeaders,
): ReadonlyMap<string, RpcMethod> {
  // Answers about the cluster carry no revision.
  const answer = (members: readonly Member[]) => ({
    header: headers.message(0),
    members: members.map(wireMemberOf),
  })
  return new Map<string, RpcMethod>([
    [
      'MemberList',
      unaryMethod(MemberListRequest, async (request, cancellation) => {
        const { linearizable: isLinearizable } = request
        const members = await node.listMembers({ cancellation, isLinearizable })
        return frameOf(MemberListResponse, answer(members))
      }),
    ],
    [
      'MemberAdd',
      checkedFirst(
        unaryMethod(MemberAddRequest, async ({ peerURLs, isLearner }) => {
          checkPeerUrls(peerURLs)
          const { member, members } = await node.members.add({ peerUrls: peerURLs, isLearner })
          return frameOf(MemberAddResponse, { ...answer(members), member: wireMemberOf(member) })
        }),
        MemberAddRequest,
        ({ peerURLs }) => {
          checkPeerUrls(peerURLs)
        },
      ),
    ],
    [
      'MemberRemove',
      unaryMethod(MemberRemoveRequest, async ({ ID }) =>
        frameOf(MemberRemoveResponse, answer(await node.members.remove(asNodeId(ID)))),
      ),
    ],
    [
      'MemberUpdate',
      unaryMethod(MemberUpdateRequest, async ({ ID, peerURLs }) =>
        frameOf(MemberUpdateResponse, answer(await node.members.update(asNodeId(ID), peerURLs))),
      ),
    ],
    [
      'MemberPromote',
      unaryMethod(MemberPromoteRequest, async ({ ID }) =>
        frameOf(MemberPromoteResponse, answer(await node.members.promote(asNodeId(ID)))),
      ),
    ],
  ])
}

/** @throws StoreError `memberBadUrls` */
function checkPeerUrls(urls: readonly string[]): void {
  const bad = urls.find((url) => !isPeerUrl(url))
  if (urls.length === 0 || bad !== undefined) throw new StoreError('memberBadUrls', { url: bad })
}

/** A member as clients see it. */
export function wireMemberOf(member: Member): WireMember {
  return {
    ID: member.id,
    name: member.name,
    peerURLs: [...member.peerUrls],
    clientURLs: [...member.clientUrls],
    isLearner: member.isLearner,
  }
}
