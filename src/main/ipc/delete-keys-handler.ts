/**
 * Deletes chosen keys, each only if nobody changed it since the user saw it.
 *
 * A transaction deletes a batch whole or not at all. When one is refused, its answer shows the keys as they are now; those
 * that changed are left out and reported, and the rest is tried again, until a batch goes through or nothing is left.
 */

import { latin1Of } from '../../core/base/bytes.ts'
import type { KeyValue as ClientKeyValue } from '../../core/client/key-value.ts'
import type { KvClient, TxnResult } from '../../core/client/kv-client.ts'
import { callChannels } from '../../preload/contract/channels.ts'
import {
  deleteKeysRequestSchema,
  type DeleteKeysReply,
  type DeleteKeysRequest,
} from '../../preload/contract/kv.ts'
import { commandLineOf } from '../connections/command-line.ts'
import type { IpcRouter } from './ipc-router.ts'
import { contractPairOf } from './key-conversion.ts'
import type { KvHandlerParts } from './kv-handlers.ts'

/** Compares, deletes and the other branch's reads each stay within the 128 operations that servers allow. */
const batchKeysMax = 100

type GuardedKey = DeleteKeysRequest['keys'][number]

interface BatchOutcome {
  readonly revision: number
  readonly deleted: readonly ClientKeyValue[]
  readonly skipped: readonly Uint8Array[]
}

export function registerDeleteKeys(router: IpcRouter, parts: KvHandlerParts): void {
  router.call(callChannels.kvDeleteKeys, deleteKeysRequestSchema, (request) =>
    deleteKeys(parts, request),
  )
}

async function deleteKeys(
  parts: KvHandlerParts,
  request: DeleteKeysRequest,
): Promise<DeleteKeysReply> {
  const connection = parts.connections.get(request.connectionId)
  connection.assertWritable()
  const distinct = [...new Map(request.keys.map((entry) => [latin1Of(entry.key), entry])).values()]
  const outcomes: BatchOutcome[] = []
  for (let first = 0; first < distinct.length; first += batchKeysMax) {
    const batch = distinct.slice(first, first + batchKeysMax)
    const keys = batch.map((entry) => entry.key)
    const start = {
      call: 'KV.Txn',
      ...(keys[0] === undefined ? {} : { key: keys[0] }),
      keyCount: keys.length,
      commandLine: keys.map((key) => commandLineOf('del', [key])).join('; '),
    }
    outcomes.push(
      await parts.operations.record(connection, start, () =>
        deleteBatch(connection.client.kv, batch),
      ),
    )
  }
  const headRevision = Math.max(0, ...outcomes.map((outcome) => outcome.revision))
  connection.noteRevision(headRevision)
  return {
    headRevision,
    deleted: outcomes.flatMap((outcome) => outcome.deleted.map(contractPairOf)),
    skipped: outcomes.flatMap((outcome) => outcome.skipped),
  }
}

async function deleteBatch(kv: KvClient, batch: readonly GuardedKey[]): Promise<BatchOutcome> {
  let remaining = batch
  const skipped: Uint8Array[] = []
  let revision = 0
  // Each refusal takes at least one key out, so there are at most as many rounds as keys.
  while (remaining.length > 0) {
    const result = await kv.txn({
      compares: remaining.map(({ key, expectedModRevision }) => ({
        key,
        relation: 'equal',
        operand: { kind: 'modRevision', modRevision: expectedModRevision },
      })),
      thenOperations: remaining.map(({ key }) => ({
        kind: 'delete',
        interval: { start: key },
        needsPrevious: true,
      })),
      elseOperations: remaining.map(({ key }) => ({
        kind: 'range',
        interval: { start: key },
        limit: 1,
      })),
    })
    revision = result.header.revision
    if (result.hasSucceeded) return { revision, deleted: deletedOf(result), skipped }
    const changed = remaining.filter((entry, position) => hasChanged(entry, result, position))
    // Refused although all keys are as expected: only a server that breaks its own rule does that.
    if (changed.length === 0) break
    skipped.push(...changed.map((entry) => entry.key))
    remaining = remaining.filter((entry) => !changed.includes(entry))
  }
  return { revision, deleted: [], skipped: batch.map((entry) => entry.key) }
}

function deletedOf(result: TxnResult): readonly ClientKeyValue[] {
  return result.results.flatMap((operation) =>
    operation.kind === 'delete' ? operation.previous : [],
  )
}

function hasChanged(entry: GuardedKey, result: TxnResult, position: number): boolean {
  const answer = result.results[position]
  const current = answer?.kind === 'range' ? answer.pairs[0] : undefined
  return (current?.modRevision ?? 0) !== entry.expectedModRevision
}
