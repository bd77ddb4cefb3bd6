/** Transactions as the page puts them together, with transactions inside of them. */

import {
  isReadOnlyTxn,
  type Txn,
  type TxnOperation as ClientOperation,
  type TxnOperationResult,
} from '../../core/client/kv-client.ts'
import { callChannels } from '../../preload/contract/channels.ts'
import {
  txnRequestSchema,
  type TxnOperation,
  type TxnOperationReply,
  type TxnReply,
  type TxnRequest,
} from '../../preload/contract/kv.ts'
import type { IpcRouter } from './ipc-router.ts'
import { contractPairOf, intervalOf } from './key-conversion.ts'
import type { KvHandlerParts } from './kv-handlers.ts'

export function registerTxn(router: IpcRouter, parts: KvHandlerParts): void {
  router.call(callChannels.kvTxn, txnRequestSchema, (request) => txn(parts, request))
}

async function txn(parts: KvHandlerParts, request: TxnRequest): Promise<TxnReply> {
  const connection = parts.connections.get(request.connectionId)
  const clientTxn = clientTxnOf(request)
  const run = async (): Promise<TxnReply> => {
    const { header, hasSucceeded, results } = await connection.client.kv.txn(clientTxn)
    connection.noteRevision(header.revision)
    const { revision, memberId, term } = header
    return { hasSucceeded, revision, memberId, term, replies: results.map(replyOf) }
  }
  if (isReadOnlyTxn(clientTxn)) return run()
  connection.assertWritable()
  const keyCount = writeCountOf(request)
  return parts.operations.record(
    connection,
    { call: 'KV.Txn', keyCount, commandLine: 'etcdctl txn' },
    run,
  )
}

type TxnParts = Pick<TxnRequest, 'compares' | 'thenOperations' | 'elseOperations'>

function clientTxnOf(parts: TxnParts): Txn {
  return {
    compares: parts.compares,
    thenOperations: parts.thenOperations.map(clientOperationOf),
    elseOperations: parts.elseOperations.map(clientOperationOf),
  }
}

function clientOperationOf(operation: TxnOperation): ClientOperation {
  switch (operation.kind) {
    case 'put': {
      const { key, value, lease = 0n, keepsLease = false } = operation
      return { kind: 'put', key, value, needsPrevious: true, ...(keepsLease ? {} : { lease }) }
    }
    case 'delete': {
      const { range, needsPrevious = true } = operation
      return { kind: 'delete', interval: intervalOf(range), needsPrevious }
    }
    case 'range': {
      const { range, ...options } = operation
      return { ...options, interval: intervalOf(range) }
    }
    case 'txn':
      return { kind: 'txn', ...clientTxnOf(operation) }
  }
}

/** Writes in both branches at every depth: as many as may be made. */
function writeCountOf({ thenOperations, elseOperations }: TxnParts): number {
  let count = 0
  for (const operation of [...thenOperations, ...elseOperations]) {
    if (operation.kind === 'txn') count += writeCountOf(operation)
    else if (operation.kind !== 'range') count++
  }
  return count
}

function replyOf(result: TxnOperationResult): TxnOperationReply {
  switch (result.kind) {
    case 'put': {
      const { previous } = result
      return {
        kind: 'put',
        ...(previous === undefined ? {} : { previous: contractPairOf(previous) }),
      }
    }
    case 'delete': {
      const { deletedCount, previous } = result
      return { kind: 'delete', deletedCount, deleted: previous.map(contractPairOf) }
    }
    case 'range': {
      const { count, hasMore, pairs } = result
      return { kind: 'range', count, hasMore, pairs: pairs.map(contractPairOf) }
    }
    case 'txn': {
      const { hasSucceeded, results } = result
      return { kind: 'txn', hasSucceeded, replies: results.map(replyOf) }
    }
  }
}
