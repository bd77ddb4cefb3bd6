/**
 * Transactions: conditions, then one of two branches, all at one revision.
 *
 * The problem: there is no way back once something was written. The plain idea: three passes. (1) All conditions, those of
 * nested transactions on the chosen way included, are evaluated on the state before; they fix the path. (2) Everything on
 * the path that can fail is checked. (3) The operations run; none of them may fail any more. Example: a put that keeps the
 * value of a missing key fails in (2), so a delete in front of it has no effect. Source: etcd v3 API, Txn.
 */
import { assertNever } from '../base/assert.ts'
import { StoreError } from '../errors/store-error.ts'
import { isInRange, keyRangeOfWire, type KeyRange } from '../mvcc/key-range.ts'
import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from '../proto/gen/rpc.ts'
import {
  applyDeleteRange,
  applyPut,
  checkDeleteRange,
  checkPut,
  type PutContext,
} from './apply-kv.ts'
import type { OperationResult, RangeResult, TxnResult } from './apply-result.ts'
import { isConditionMet } from './compare.ts'
import { readRangeRequest, type RangeReader } from './range-request.ts'
import { clampToSafe } from './safe-number.ts'

/** The branch that runs, with the branches of nested transactions already chosen. */
export interface TxnPath {
  readonly hasSucceeded: boolean
  readonly steps: readonly TxnStep[]
}

export type TxnStep =
  | { readonly kind: 'range'; readonly request: RangeRequest }
  | { readonly kind: 'put'; readonly request: PutRequest }
  | { readonly kind: 'deleteRange'; readonly request: DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly path: TxnPath }

/** How deep transactions may nest; beyond, no request that passed validation can be. */
const nestingDepthMax = 128

/** What the checks of a path need to know beside the state of keys. */
export interface RevisionBounds {
  /** Before the transaction. */
  readonly current: number
  readonly compacted: number
}

/** @throws StoreError `emptyKey`, `tooManyOps` (nested beyond any sense), `keyNotFound` (an operation without content) */
export function choosePath(reader: RangeReader, request: TxnRequest, depth = 0): TxnPath {
  if (depth > nestingDepthMax) throw new StoreError('tooManyOps')
  const hasSucceeded = request.compare.every((condition) => isConditionMet(reader, condition))
  const operations = hasSucceeded ? request.success : request.failure
  return { hasSucceeded, steps: operations.map((operation) => stepOf(reader, operation, depth)) }
}

function stepOf(reader: RangeReader, operation: RequestOp, depth: number): TxnStep {
  const request = operation.request
  switch (request?.$case) {
    case 'requestRange':
      return { kind: 'range', request: request.value }
    case 'requestPut':
      return { kind: 'put', request: request.value }
    case 'requestDeleteRange':
      return { kind: 'deleteRange', request: request.value }
    case 'requestTxn':
      return { kind: 'txn', path: choosePath(reader, request.value, depth + 1) }
    case undefined:
      throw new StoreError('keyNotFound')
    default:
      return assertNever(request, 'operation')
  }
}

/**
 * Everything on the path that can fail.
 *
 * A put that keeps a field also fails when the same transaction deletes the key before: validation lets such a pair
 * through when the deleted range has no upper end, and in the third pass it would be too late.
 * @throws StoreError what the single operations throw, `compacted`, `futureRevision`
 */
export function checkPath(context: PutContext, path: TxnPath, bounds: RevisionBounds): void {
  checkSteps(context, path.steps, { bounds, deleted: [] })
}

interface PathState {
  readonly bounds: RevisionBounds
  readonly deleted: KeyRange[]
}

function checkSteps(context: PutContext, steps: readonly TxnStep[], state: PathState): void {
  for (const step of steps) {
    switch (step.kind) {
      case 'range':
        checkRangeStep(step.request, state.bounds)
        break
      case 'put':
        checkPut(context, step.request)
        if (
          (step.request.ignoreValue || step.request.ignoreLease) &&
          state.deleted.some((range) => isInRange(range, step.request.key))
        ) {
          throw new StoreError('keyNotFound')
        }
        break
      case 'deleteRange':
        checkDeleteRange(step.request)
        state.deleted.push(keyRangeOfWire(step.request.key, step.request.rangeEnd))
        break
      case 'txn':
        checkSteps(context, step.path.steps, state)
        break
      default:
        assertNever(step, 'step')
    }
  }
}

/** Unlike in a plain range, a negative revision counts as compacted. */
export function checkRangeStep(request: RangeRequest, bounds: RevisionBounds): void {
  if (request.key.length === 0) throw new StoreError('emptyKey')
  const revision = clampToSafe(request.revision)
  if (revision > bounds.current) {
    throw new StoreError('futureRevision', { requested: revision, current: bounds.current })
  }
  if (revision !== 0 && revision < bounds.compacted) {
    throw new StoreError('compacted', { requested: revision, compacted: bounds.compacted })
  }
}

/**
 * Runs a checked path.
 * @param needsResponses  false where nobody waits for the answer: ranges are not even read then
 */
export function applyPath(context: PutContext, path: TxnPath, needsResponses: boolean): TxnResult {
  const responses: OperationResult[] = []
  for (const step of path.steps) {
    switch (step.kind) {
      case 'range':
        if (needsResponses) responses.push(readRangeRequest(context.view, step.request))
        break
      case 'put':
        responses.push(applyPut(context.view, step.request))
        break
      case 'deleteRange':
        responses.push(applyDeleteRange(context.view, step.request))
        break
      case 'txn':
        responses.push(applyPath(context, step.path, needsResponses))
        break
      default:
        assertNever(step, 'step')
    }
  }
  return {
    kind: 'txn',
    hasSucceeded: path.hasSucceeded,
    responses,
    revision: context.view.revision,
  }
}

/** Whether a transaction cannot change anything: no operation in either branch but ranges. */
export function isReadOnlyTxn(request: TxnRequest): boolean {
  return everyOperation(request, (range) => range !== undefined)
}

/** Whether a read-only transaction accepts a local answer. One without any operation does. */
export function isSerializableTxn(request: TxnRequest): boolean {
  return everyOperation(request, (range) => range?.serializable === true)
}

function everyOperation(
  request: TxnRequest,
  holds: (range: RangeRequest | undefined) => boolean,
): boolean {
  return [request.success, request.failure].every((operations) =>
    operations.every(({ request: operation }) =>
      holds(operation?.$case === 'requestRange' ? operation.value : undefined),
    ),
  )
}

/** A transaction of reads, answered from one state without the log. @throws StoreError as the passes do */
export function readTxn(
  reader: RangeReader,
  request: TxnRequest,
  bounds: RevisionBounds,
): TxnResult {
  const path = choosePath(reader, request)
  const ranges: RangeRequest[] = []
  for (const step of path.steps) {
    if (step.kind !== 'range') throw new StoreError('keyNotFound')
    checkRangeStep(step.request, bounds)
    ranges.push(step.request)
  }
  const responses: RangeResult[] = ranges.map((range) => readRangeRequest(reader, range))
  return { kind: 'txn', hasSucceeded: path.hasSucceeded, responses, revision: bounds.current }
}

/** How many transactions lie within each other; 1 for one without a nested one. */
export function txnDepth(request: TxnRequest): number {
  let deepest = 0
  for (const operations of [request.success, request.failure]) {
    for (const { request: operation } of operations) {
      if (operation?.$case === 'requestTxn') deepest = Math.max(deepest, txnDepth(operation.value))
    }
  }
  return deepest + 1
}
