/**
 * How much a write may grow the store, estimated before it is made. Source: etcd, `quota.go`: 256 bytes for a pair's
 * records beside its key and value; 64 for a lease; a transaction costs the dearer of its branches, nested ones included.
 */
import type { PutRequest, RequestOp, TxnRequest } from '../proto/gen/rpc.ts'

const pairOverheadBytes = 256

/** Of a lease's record, in bytes. */
export const costOfLeaseGrant = 64

/** In bytes. */
export function costOfPut(request: PutRequest): number {
  return pairOverheadBytes + request.key.length + request.value.length
}

/** In bytes; 0 for a transaction that only reads and deletes. */
export function costOfTxn(request: TxnRequest): number {
  return Math.max(costOfBranch(request.success), costOfBranch(request.failure))
}

function costOfBranch(operations: readonly RequestOp[]): number {
  let costBytes = 0
  for (const { request } of operations) {
    if (request?.$case === 'requestPut') costBytes += costOfPut(request.value)
    else if (request?.$case === 'requestTxn') costBytes += costOfTxn(request.value)
  }
  return costBytes
}
