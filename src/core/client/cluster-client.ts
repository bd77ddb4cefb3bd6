/** The members of a cluster as the cluster itself lists them. */

import { nodeId, type NodeId } from '../base/ids.ts'
import { ClusterDefinition } from '../proto/gen/rpc.ts'
import { headerOf, type ResponseHeader } from './key-value.ts'
import { callWithRetry, type CallEnvironment } from './retry-policy.ts'
import { bindMethod } from './rpc-method.ts'

export interface ClusterMember {
  readonly id: NodeId
  /** Empty for a member that was added and has not started. */
  readonly name: string
  readonly peerUrls: readonly string[]
  readonly clientUrls: readonly string[]
  readonly isLearner: boolean
}

export interface MemberList {
  readonly header: ResponseHeader
  readonly members: readonly ClusterMember[]
}

const memberList = bindMethod(ClusterDefinition, ClusterDefinition.methods.memberList)

export class ClusterClient {
  private readonly environment: CallEnvironment

  constructor(environment: CallEnvironment) {
    this.environment = environment
  }

  /**
   * @param options  `isLinearizable: false` answers also while there is no leader, from what one member knows
   */
  async listMembers(options: {
    readonly isLinearizable: boolean
    readonly timeoutMs?: number
    readonly signal?: AbortSignal
  }): Promise<MemberList> {
    const response = await callWithRetry(
      this.environment,
      memberList,
      { linearizable: options.isLinearizable },
      {
        kind: 'read',
        signal: options.signal,
        ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      },
    )
    return {
      header: headerOf(response.header),
      members: response.members.map((member) => ({
        id: nodeId(member.ID),
        name: member.name,
        peerUrls: member.peerURLs,
        clientUrls: member.clientURLs,
        isLearner: member.isLearner,
      })),
    }
  }
}
