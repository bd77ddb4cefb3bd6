/** Leases for the page. */

import { leaseId } from '../../core/base/ids.ts'
import { copyBytes } from '../../core/base/bytes.ts'
import { callChannels } from '../../preload/contract/channels.ts'
import {
  leaseGrantRequestSchema,
  leaseRequestSchema,
  type LeaseGrantReply,
  type LeaseGrantRequest,
  type LeaseLife,
  type LeaseList,
  type LeaseRequest,
} from '../../preload/contract/lease.ts'
import { leaseKeysMax } from '../../preload/contract/limits.ts'
import {
  connectionRequestSchema,
  type ConnectionRequest,
} from '../../preload/contract/primitives.ts'
import type { IpcRouter } from './ipc-router.ts'
import type { KvHandlerParts } from './kv-handlers.ts'

export function registerLeaseHandlers(router: IpcRouter, parts: KvHandlerParts): void {
  router.call(callChannels.leaseList, connectionRequestSchema, (request) => list(parts, request))
  router.call(callChannels.leaseLife, leaseRequestSchema, (request) => life(parts, request))
  router.call(callChannels.leaseGrant, leaseGrantRequestSchema, (request) => grant(parts, request))
}

async function list(parts: KvHandlerParts, request: ConnectionRequest): Promise<LeaseList> {
  const { client } = parts.connections.get(request.connectionId)
  return { leases: await client.lease.list() }
}

async function life(parts: KvHandlerParts, request: LeaseRequest): Promise<LeaseLife> {
  const { client } = parts.connections.get(request.connectionId)
  const { keys, ...times } = await client.lease.timeToLive(leaseId(request.lease))
  return {
    lease: request.lease,
    grantedTtlSeconds: times.grantedTtlSeconds,
    remainingTtlSeconds: times.remainingTtlSeconds,
    keyCount: keys.length,
    keys: keys.slice(0, leaseKeysMax).map(copyBytes),
  }
}

async function grant(parts: KvHandlerParts, request: LeaseGrantRequest): Promise<LeaseGrantReply> {
  const connection = parts.connections.get(request.connectionId)
  connection.assertWritable()
  const start = {
    call: 'Lease.LeaseGrant',
    keyCount: 0,
    commandLine: `etcdctl lease grant ${String(request.ttlSeconds)}`,
  }
  const granted = await parts.operations.record(connection, start, async () => ({
    ...(await connection.client.lease.grant(request.ttlSeconds)),
    revision: connection.info().headRevision,
  }))
  return { lease: granted.id, ttlSeconds: granted.ttlSeconds }
}
