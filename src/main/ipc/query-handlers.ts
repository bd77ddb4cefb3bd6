/** Ranges with every option, from whoever serves or from one member alone. */

import type { Clock } from '../../core/base/clock.ts'
import type { Client } from '../../core/client/client.ts'
import type { Endpoint } from '../../core/client/endpoint.ts'
import type { RangeResult } from '../../core/client/kv-client.ts'
import { StoreError } from '../../core/errors/store-error.ts'
import { callChannels } from '../../preload/contract/channels.ts'
import {
  queryRangeRequestSchema,
  type QueryRangeReply,
  type QueryRangeRequest,
} from '../../preload/contract/query.ts'
import type { ConnectionManager } from '../connections/connection-manager.ts'
import type { IpcRouter } from './ipc-router.ts'
import { columnsOf, intervalOf } from './key-conversion.ts'

/** Time for a member to answer alone: others are not asked in its place, so there is no reason to give up early. */
const memberTimeoutMs = 5_000

/** What the handlers work on. */
export interface QueryHandlerParts {
  readonly connections: ConnectionManager
  readonly clock: Clock
}

export function registerQueryHandlers(router: IpcRouter, parts: QueryHandlerParts): void {
  router.call(callChannels.queryRange, queryRangeRequestSchema, (request) => range(parts, request))
}

async function range(
  { connections, clock }: QueryHandlerParts,
  request: QueryRangeRequest,
): Promise<QueryRangeReply> {
  const connection = connections.get(request.connectionId)
  const { client } = connection
  const { target, range: keyRange, valueBytesMax } = request
  const interval = intervalOf(keyRange)
  const endpoints = target.kind === 'member' ? await endpointsOfMember(client, target.memberId) : []
  const startedAtMs = clock.monotonicMs()
  const result =
    target.kind === 'active'
      ? await client.kv.range(interval, request)
      : await firstAnswer(endpoints, (endpoint) =>
          client.kv.rangeAt(endpoint, interval, { ...request, timeoutMs: memberTimeoutMs }),
        )
  const durationMs = clock.monotonicMs() - startedAtMs
  const { memberId, revision, term } = result.header
  if (target.kind === 'member' && memberId !== target.memberId) {
    throw unreachable('another member answers at the address of this one')
  }
  connection.noteRevision(revision)
  return {
    ...{ memberId, term, durationMs, headRevision: revision },
    revision: request.revision === 0 ? revision : request.revision,
    count: result.count,
    hasMore: result.hasMore,
    columns: columnsOf(result.pairs, request.isKeysOnly ? 0 : valueBytesMax),
  }
}

/** Where a member says that it listens for clients. */
async function endpointsOfMember(client: Client, memberId: bigint): Promise<readonly Endpoint[]> {
  const { members } = await client.cluster.listMembers({ isLinearizable: false })
  const member = members.find((one) => one.id === memberId)
  if (member === undefined) {
    throw unreachable('this member is not in the cluster any more')
  }
  const endpoints = member.clientUrls.flatMap((url) => client.findEndpoint(url) ?? [])
  if (endpoints.length === 0) {
    throw unreachable('this member tells no address that could be called from here')
  }
  return endpoints
}

/** One address after the other, until one of them can be reached; a refusal by the member itself is final. */
async function firstAnswer(
  endpoints: readonly Endpoint[],
  call: (endpoint: Endpoint) => Promise<RangeResult>,
): Promise<RangeResult> {
  let failure: unknown
  for (const endpoint of endpoints) {
    try {
      return await call(endpoint)
    } catch (error) {
      failure = error
      if (!(error instanceof StoreError) || error.code !== 'unreachable') break
    }
  }
  throw failure
}

function unreachable(serverText: string): StoreError {
  return new StoreError('unreachable', { serverText })
}
