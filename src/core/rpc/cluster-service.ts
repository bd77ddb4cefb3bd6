/** The Cluster service. Only listing is here yet; changes of membership are answered as unknown methods. */
import type { Member } from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import {
  MemberListRequest,
  MemberListResponse,
  type Member as WireMember,
} from '../proto/gen/rpc.ts'
import { frameOf, unaryMethod } from './method.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { RpcMethod } from './rpc-call.ts'

/** The methods of `etcdserverpb.Cluster`. */
export function clusterService(
  node: StoreNode,
  headers: ResponseHeaders,
): ReadonlyMap<string, RpcMethod> {
  return new Map<string, RpcMethod>([
    [
      'MemberList',
      unaryMethod(MemberListRequest, async (request, cancellation) => {
        const members = await node.listMembers({
          cancellation,
          isLinearizable: request.linearizable,
        })
        return frameOf(MemberListResponse, {
          // Answers about the cluster carry no revision.
          header: headers.message(0),
          members: members.map(wireMemberOf),
        })
      }),
    ],
  ])
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
