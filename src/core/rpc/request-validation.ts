/**
 * What is refused before it costs anything. The order of the checks is etcd's: a request with two mistakes is told the
 * same one by both.
 *
 * @see etcd v3 API, KV messages
 */
import { bytesOfLatin1, compareBytes, latin1Of } from '../base/bytes.ts'
import { StoreError } from '../errors/store-error.ts'
import { keyRangeOfWire } from '../node/node-surface.ts'
import {
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type Compare,
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
} from '../proto/gen/rpc.ts'

const sortOrders: ReadonlySet<number> = new Set([
  RangeRequest_SortOrder.NONE,
  RangeRequest_SortOrder.ASCEND,
  RangeRequest_SortOrder.DESCEND,
])
const sortTargets: ReadonlySet<number> = new Set([
  RangeRequest_SortTarget.KEY,
  RangeRequest_SortTarget.VERSION,
  RangeRequest_SortTarget.CREATE,
  RangeRequest_SortTarget.MOD,
  RangeRequest_SortTarget.VALUE,
])

/** @throws StoreError  `emptyKey`, `invalidSortOption` */
export function checkRange(request: RangeRequest): void {
  if (request.key.length === 0) throw new StoreError('emptyKey')
  if (!sortOrders.has(request.sortOrder) || !sortTargets.has(request.sortTarget)) {
    throw new StoreError('invalidSortOption', {
      sortOrder: request.sortOrder,
      sortTarget: request.sortTarget,
    })
  }
}

/** @throws StoreError  `emptyKey`, `valueProvided`, `leaseProvided` */
export function checkPut(request: PutRequest): void {
  if (request.key.length === 0) throw new StoreError('emptyKey')
  if (request.ignoreValue && request.value.length > 0) throw new StoreError('valueProvided')
  if (request.ignoreLease && request.lease !== 0n) throw new StoreError('leaseProvided')
}

/** @throws StoreError  `emptyKey` */
export function checkDeleteRange(request: DeleteRangeRequest): void {
  if (request.key.length === 0) throw new StoreError('emptyKey')
}

/**
 * Checks a whole transaction: counts, then every compare and operation of both branches, then keys written twice.
 *
 * @param operationCountMax  most entries in one list; each level of nesting takes its longest list off the allowance
 *   of the levels below
 * @throws StoreError  `tooManyOps`, `emptyKey`, `valueProvided`, `leaseProvided`, `invalidSortOption`, `keyNotFound`,
 *   `duplicateKey`
 */
export function checkTxn(request: TxnRequest, operationCountMax: number): void {
  checkTxnParts(request, operationCountMax)
  // Both branches are looked at, each for itself: only one of them will run.
  for (const operations of [request.success, request.failure]) {
    if (!isAscendingPuts(operations)) collectWrites(operations)
  }
}

function checkTxnParts(request: TxnRequest, operationCountMax: number): void {
  const operationCount = Math.max(
    request.compare.length,
    request.success.length,
    request.failure.length,
  )
  if (operationCount > operationCountMax) {
    throw new StoreError('tooManyOps', { operationCount, operationCountMax })
  }
  for (const compare of request.compare) checkCompare(compare)
  for (const operation of request.success)
    checkOperation(operation, operationCountMax - operationCount)
  for (const operation of request.failure)
    checkOperation(operation, operationCountMax - operationCount)
}

function checkCompare(compare: Compare): void {
  if (compare.key.length === 0) throw new StoreError('emptyKey')
}

function checkOperation({ request }: RequestOp, operationCountMax: number): void {
  // An operation with nothing in it is answered with this text by etcd too.
  if (request === undefined) throw new StoreError('keyNotFound')
  switch (request.$case) {
    case 'requestRange':
      checkRange(request.value)
      return
    case 'requestPut':
      checkPut(request.value)
      return
    case 'requestDeleteRange':
      checkDeleteRange(request.value)
      return
    case 'requestTxn':
      checkTxnParts(request.value, operationCountMax)
      return
  }
}

/** What one branch writes. Keys are byte strings of one UTF-16 unit per byte, so that a Set can hold them. */
interface BranchWrites {
  readonly putKeys: Set<string>
  readonly deletedRanges: { readonly start: Uint8Array; readonly end: Uint8Array | undefined }[]
}

/**
 * Puts and deleted ranges of a branch, nested transactions included.
 *
 * The order of the comparisons is etcd's, with its gaps: what an earlier nested transaction puts is not held against
 * what a later one deletes, and a delete without an upper bound covers nothing.
 *
 * @throws StoreError  `duplicateKey` for two puts on one key, or a put in a range that the same branch deletes
 */
function collectWrites(operations: readonly RequestOp[]): BranchWrites {
  const writes: BranchWrites = { putKeys: new Set(), deletedRanges: [] }
  for (const { request } of operations) {
    if (request?.$case !== 'requestDeleteRange') continue
    const range = keyRangeOfWire(request.value.key, request.value.rangeEnd)
    if (range.end === 'unbounded') continue
    writes.deletedRanges.push({ start: range.start, end: range.end })
  }
  for (const { request } of operations) {
    if (request?.$case !== 'requestTxn') continue
    const nested = joinExclusive(
      collectWrites(request.value.success),
      collectWrites(request.value.failure),
    )
    for (const key of nested.putKeys) {
      refuseDuplicate(writes, key)
      writes.putKeys.add(key)
    }
    writes.deletedRanges.push(...nested.deletedRanges)
  }
  for (const { request } of operations) {
    if (request?.$case !== 'requestPut') continue
    const key = latin1Of(request.value.key)
    refuseDuplicate(writes, key)
    writes.putKeys.add(key)
  }
  return writes
}

/** Whether a branch only puts, keys in ascending order, as a load does: then none is written twice. */
function isAscendingPuts(operations: readonly RequestOp[]): boolean {
  let previous: Uint8Array | undefined
  for (const { request } of operations) {
    if (request?.$case !== 'requestPut') return false
    const { key } = request.value
    if (previous !== undefined && compareBytes(previous, key) >= 0) return false
    previous = key
  }
  return true
}

/** Two branches of one transaction: only one of them runs, so they may write the same keys. */
function joinExclusive(success: BranchWrites, failure: BranchWrites): BranchWrites {
  return {
    putKeys: new Set([...success.putKeys, ...failure.putKeys]),
    deletedRanges: [...success.deletedRanges, ...failure.deletedRanges],
  }
}

function refuseDuplicate(writes: BranchWrites, key: string): void {
  if (writes.putKeys.has(key)) throw new StoreError('duplicateKey')
  if (writes.deletedRanges.length === 0) return
  const keyBytes = bytesOfLatin1(key)
  for (const { start, end } of writes.deletedRanges) {
    const order = compareBytes(keyBytes, start)
    const isCovered =
      end === undefined ? order === 0 : order >= 0 && compareBytes(keyBytes, end) < 0
    if (isCovered) throw new StoreError('duplicateKey')
  }
}
