/** Reads and writes of keys for the page. */

import type { Txn, TxnResult } from '../../core/client/kv-client.ts'
import { callChannels } from '../../preload/contract/channels.ts'
import {
  countRequestSchema,
  deleteRangeRequestSchema,
  getRequestSchema,
  putRequestSchema,
  rangeRequestSchema,
  type CountReply,
  type CountRequest,
  type DeleteRangeReply,
  type DeleteRangeRequest,
  type GetReply,
  type GetRequest,
  type PutReply,
  type PutRequest,
  type RangeReply,
  type RangeRequest,
} from '../../preload/contract/kv.ts'
import { commandLineOf } from '../connections/command-line.ts'
import type { ConnectionManager } from '../connections/connection-manager.ts'
import type { OperationLog } from '../connections/operation-log.ts'
import { HostError } from '../host-error.ts'
import { registerDeleteKeys } from './delete-keys-handler.ts'
import type { IpcRouter } from './ipc-router.ts'
import { columnsOf, contractPairOf, intervalAfter, intervalOf } from './key-conversion.ts'
import { registerTxn } from './txn-handler.ts'

/** What the handlers work on. */
export interface KvHandlerParts {
  readonly connections: ConnectionManager
  readonly operations: OperationLog
}

export function registerKvHandlers(router: IpcRouter, parts: KvHandlerParts): void {
  router.call(callChannels.kvRange, rangeRequestSchema, (request) => range(parts, request))
  router.call(callChannels.kvCount, countRequestSchema, (request) => count(parts, request))
  router.call(callChannels.kvGet, getRequestSchema, (request) => get(parts, request))
  router.call(callChannels.kvPut, putRequestSchema, (request) => put(parts, request))
  router.call(callChannels.kvDeleteRange, deleteRangeRequestSchema, (request) =>
    deleteRange(parts, request),
  )
  registerTxn(router, parts)
  registerDeleteKeys(router, parts)
}

async function range(parts: KvHandlerParts, request: RangeRequest): Promise<RangeReply> {
  if (request.after !== undefined && request.sort !== undefined) {
    throw new HostError('invalidRequest', 'A sorted list has no place to go on behind a key')
  }
  const connection = parts.connections.get(request.connectionId)
  const interval = intervalOf(request.range)
  const result = await connection.client.kv.range(
    request.after === undefined ? interval : intervalAfter(interval, request.after),
    {
      limit: request.limit,
      revision: request.revision,
      isKeysOnly: request.valueBytesMax === 0,
      ...(request.sort === undefined ? {} : { sort: request.sort }),
      ...(request.isSerializable === undefined ? {} : { isSerializable: request.isSerializable }),
    },
  )
  connection.noteRevision(result.header.revision)
  return {
    revision: request.revision === 0 ? result.header.revision : request.revision,
    headRevision: result.header.revision,
    count: result.count,
    hasMore: result.hasMore,
    columns: columnsOf(result.pairs, request.valueBytesMax),
  }
}

async function count(parts: KvHandlerParts, request: CountRequest): Promise<CountReply> {
  const connection = parts.connections.get(request.connectionId)
  const result = await connection.client.kv.range(intervalOf(request.range), {
    revision: request.revision,
    isCountOnly: true,
  })
  connection.noteRevision(result.header.revision)
  return { count: result.count, headRevision: result.header.revision }
}

async function get(parts: KvHandlerParts, request: GetRequest): Promise<GetReply> {
  const connection = parts.connections.get(request.connectionId)
  const { header, pair } = await connection.client.kv.get(request.key, {
    revision: request.revision,
  })
  connection.noteRevision(header.revision)
  return {
    headRevision: header.revision,
    ...(pair === undefined ? {} : { pair: contractPairOf(pair) }),
  }
}

async function put(parts: KvHandlerParts, request: PutRequest): Promise<PutReply> {
  const connection = parts.connections.get(request.connectionId)
  connection.assertWritable()
  const { kv } = connection.client
  const start = {
    call: request.expectedModRevision === undefined ? 'KV.Put' : 'KV.Txn',
    key: request.key,
    keyCount: 1,
    commandLine: commandLineOf('put', [request.key], '…'),
  }
  const outcome = await parts.operations.record(connection, start, async () => {
    if (request.expectedModRevision === undefined) {
      const options = request.lease === undefined ? {} : { lease: request.lease }
      const { header, previous } = await kv.put(request.key, request.value, options)
      return { revision: header.revision, result: undefined, previous }
    }
    const result = await kv.txn(guardedPut(request, request.expectedModRevision))
    return { revision: result.header.revision, result, previous: undefined }
  })
  connection.noteRevision(outcome.revision)
  if (outcome.result !== undefined) return putReplyOf(outcome.result)
  const { previous } = outcome
  return {
    kind: 'written',
    revision: outcome.revision,
    ...(previous === undefined ? {} : { previous: contractPairOf(previous) }),
  }
}

function guardedPut(request: PutRequest, modRevision: number): Txn {
  const { key, value } = request
  // A key that is to be created has no lease to keep.
  const lease = request.lease ?? (modRevision === 0 ? 0n : undefined)
  return {
    compares: [{ key, relation: 'equal', operand: { kind: 'modRevision', modRevision } }],
    thenOperations: [
      { kind: 'put', key, value, needsPrevious: true, ...(lease === undefined ? {} : { lease }) },
    ],
    elseOperations: [{ kind: 'range', interval: { start: key }, limit: 1 }],
  }
}

function putReplyOf(result: TxnResult): PutReply {
  const first = result.results[0]
  const { revision } = result.header
  if (result.hasSucceeded) {
    const previous = first?.kind === 'put' ? first.previous : undefined
    return {
      kind: 'written',
      revision,
      ...(previous === undefined ? {} : { previous: contractPairOf(previous) }),
    }
  }
  const current = first?.kind === 'range' ? first.pairs[0] : undefined
  return {
    kind: 'conflict',
    headRevision: revision,
    ...(current === undefined ? {} : { current: contractPairOf(current) }),
  }
}

async function deleteRange(
  parts: KvHandlerParts,
  request: DeleteRangeRequest,
): Promise<DeleteRangeReply> {
  const connection = parts.connections.get(request.connectionId)
  connection.assertWritable()
  const interval = intervalOf(request.range)
  const start = {
    call: 'KV.DeleteRange',
    key: interval.start,
    keyCount: 1,
    commandLine:
      commandLineOf('del', [
        interval.start,
        ...(interval.end instanceof Uint8Array ? [interval.end] : []),
      ]) + (interval.end === 'toLastKey' ? ' --from-key' : ''),
  }
  const reply = await parts.operations.record(connection, start, async () => {
    const { header, deletedCount } = await connection.client.kv.deleteRange(interval)
    return { revision: header.revision, deletedCount }
  })
  connection.noteRevision(reply.revision)
  return reply
}
