/** The Lock service: named locks that end with the lease they were taken with. */
import { assert } from '../base/assert.ts'
import { copyBytes } from '../base/bytes.ts'
import { StoreError } from '../errors/store-error.ts'
import type { TxnResult } from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import { LockRequest, LockResponse, UnlockRequest, UnlockResponse } from '../proto/gen/lock.ts'
import {
  InnerClient,
  isCreatedAt,
  putOf,
  rangeOf,
  type InnerClientOptions,
} from './inner-client.ts'
import { frameOf, unaryMethod } from './method.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { RpcMethod } from './rpc-call.ts'
import { WireError } from './status-mapping.ts'
import { leaseOf, WaitingLine } from './waiting-line.ts'

/** The methods of `v3lockpb.Lock`. */
export function lockService(
  node: StoreNode,
  headers: ResponseHeaders,
  options: InnerClientOptions,
): ReadonlyMap<string, RpcMethod> {
  return new Map<string, RpcMethod>([
    [
      'Lock',
      unaryMethod(LockRequest, async ({ name, lease }, call) => {
        const client = new InnerClient(node, call, options)
        const { key, revision } = await lock(client, { name: copyBytes(name), lease })
        return frameOf(LockResponse, { header: headers.message(revision), key })
      }),
    ],
    [
      'Unlock',
      unaryMethod(UnlockRequest, async ({ key }, call) => {
        const client = new InnerClient(node, call, options)
        const { revision } = await client.deleteKey(copyBytes(key))
        return frameOf(UnlockResponse, { header: headers.message(revision) })
      }),
    ],
  ])
}

/** @returns the key, and the revision at which it was seen to hold the lock */
async function lock(
  client: InnerClient,
  wish: { readonly name: Uint8Array; readonly lease: bigint },
): Promise<{ readonly key: Uint8Array; readonly revision: number }> {
  const line = new WaitingLine(client, wish.name)
  const lease = await leaseOf(client, wish.lease)
  const key = line.keyOf(lease)
  const entered = await client.txnToTheEnd({
    compare: [isCreatedAt(key, 0n)],
    success: [putOf({ key, lease }), rangeOf(line.oldest)],
    failure: [rangeOf({ key }), rangeOf(line.oldest)],
  })
  const isNew = entered.hasSucceeded
  const createRevision = isNew ? entered.revision : createRevisionIn(entered, 0)
  if (client.call.isCanceled) {
    // What an earlier call has taken with this lease stays.
    if (isNew) await client.withdraw(key)
    throw new StoreError('contextCanceled')
  }
  if (createRevisionIn(entered, 1) === createRevision) return { key, revision: entered.revision }
  try {
    await line.waitForOlder(createRevision)
    const own = await client.range({ key })
    if (own.keyValues.length > 0) return { key, revision: own.revision }
  } catch (error) {
    await client.withdraw(key)
    throw error
  }
  throw new WireError('unknown', 'mutex: session is expired')
}

/** Where the one pair that an operation found was created. */
function createRevisionIn(result: TxnResult, position: number): number {
  const found = result.responses[position]
  assert(found?.kind === 'range', 'a range is answered as one')
  const [pair] = found.keyValues
  assert(pair !== undefined, 'the own key is there, so a key is')
  return pair.createRevision
}
