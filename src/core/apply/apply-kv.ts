/** Single puts and deletes against an open write view. Source: etcd v3 API, Put and DeleteRange. */
import { leaseId, noLease, type LeaseId } from '../base/ids.ts'
import { StoreError } from '../errors/store-error.ts'
import { keyRangeOfWire } from '../mvcc/key-range.ts'
import type { WriteView } from '../mvcc/write-view.ts'
import type { StoredKeyValue } from '../mvcc/stored-key-value.ts'
import type { DeleteRangeRequest, PutRequest } from '../proto/gen/rpc.ts'
import type { DeleteRangeResult, PutResult } from './apply-result.ts'

/** Whether a lease exists, asked for every put that names one. */
export type LeaseLookup = (lease: LeaseId) => boolean

/** What a put is checked and carried out against. */
export interface PutContext {
  readonly view: WriteView
  readonly isLeaseKnown: LeaseLookup
}

/**
 * Everything about a put that can fail, before anything is written.
 * @throws StoreError `emptyKey`, `leaseNotFound`, `keyNotFound` (a field is to be kept of a pair that is not there)
 */
export function checkPut(context: PutContext, request: PutRequest): void {
  if (request.key.length === 0) throw new StoreError('emptyKey')
  if (request.lease !== 0n && !context.isLeaseKnown(leaseId(request.lease))) {
    throw new StoreError('leaseNotFound', { lease: request.lease })
  }
  if (request.ignoreValue || request.ignoreLease) {
    if (findCurrent(context.view, request.key) === undefined) throw new StoreError('keyNotFound')
  }
}

/** Writes one pair that {@link checkPut} allowed. The revision in the result is that of this operation. */
export function applyPut(view: WriteView, request: PutRequest): PutResult {
  const kept =
    request.ignoreValue || request.ignoreLease ? findCurrent(view, request.key) : undefined
  const value = request.ignoreValue ? (kept?.value ?? request.value) : request.value
  const lease = request.ignoreLease ? (kept?.lease ?? noLease) : leaseId(request.lease)
  const outcome = view.put(request.key, value, lease)
  return {
    kind: 'put',
    previous: request.prevKv ? outcome.previous : undefined,
    revision: view.revision,
  }
}

/** @throws StoreError `emptyKey` */
export function checkDeleteRange(request: DeleteRangeRequest): void {
  if (request.key.length === 0) throw new StoreError('emptyKey')
}

/** Deletes a range; without an effect when nothing is in it. */
export function applyDeleteRange(view: WriteView, request: DeleteRangeRequest): DeleteRangeResult {
  const deleted = view.deleteRange(keyRangeOfWire(request.key, request.rangeEnd), {
    isKeysOnly: !request.prevKv,
  })
  return {
    kind: 'deleteRange',
    deletedCount: deleted.length,
    previous: request.prevKv ? deleted : [],
    revision: view.revision,
  }
}

function findCurrent(view: WriteView, key: Uint8Array): StoredKeyValue | undefined {
  const read = view.readRange({ start: key, end: undefined }, { revision: 0, limit: 1 })
  return read.keyValues[0]
}
