/** Reads and writes of keys. */

import {
  Compare_CompareResult,
  Compare_CompareTarget,
  KVDefinition,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type Compare as WireCompare,
  type DeleteRangeResponse,
  type PutResponse,
  type RangeRequest as WireRangeRequest,
  type RangeResponse,
  type RequestOp,
  type ResponseOp,
  type TxnRequest as WireTxnRequest,
  type TxnResponse,
} from '../proto/gen/rpc.ts'
import {
  headerOf,
  keyValueOf,
  safeNumber,
  wireInterval,
  type KeyInterval,
  type KeyValue,
  type ResponseHeader,
} from './key-value.ts'
import type { Endpoint } from './endpoint.ts'
import { attemptCall, callWithRetry, type CallEnvironment } from './retry-policy.ts'
import { readListedRange, type ListedRange } from './pair-list.ts'
import { bindMethod, type BoundMethod } from './rpc-method.ts'
import { StoreError } from '../errors/store-error.ts'

/** What pages are sorted by. */
export type SortTarget = 'key' | 'version' | 'createRevision' | 'modRevision' | 'value'

export interface RangeOptions {
  /** Most pairs; 0 or absent: all. */
  readonly limit?: number
  /** As of this revision; 0 or absent: the newest. */
  readonly revision?: number | undefined
  readonly isKeysOnly?: boolean | undefined
  readonly isCountOnly?: boolean | undefined
  /** Answered from what one member has, perhaps late. */
  readonly isSerializable?: boolean | undefined
  readonly sort?: { readonly by: SortTarget; readonly isDescending: boolean } | undefined
  /** Pairs outside of these revisions are left out; 0 or absent: no bound. */
  readonly minModRevision?: number | undefined
  readonly maxModRevision?: number | undefined
  readonly minCreateRevision?: number | undefined
  readonly maxCreateRevision?: number | undefined
  readonly signal?: AbortSignal
}

export interface RangeResult {
  readonly header: ResponseHeader
  readonly pairs: readonly KeyValue[]
  readonly hasMore: boolean
  /** Keys in the whole range, whatever the limit. */
  readonly count: number
}

export interface PutOptions {
  /** 0 for none; absent: the key keeps the lease that it has. */
  readonly lease?: bigint
}

export interface PutResult {
  readonly header: ResponseHeader
  readonly previous?: KeyValue
}

export interface DeleteResult {
  readonly header: ResponseHeader
  readonly deletedCount: number
  readonly previous: readonly KeyValue[]
}

/** A condition on one key, or on every key of `[key, end)`; all of a transaction must hold. */
export interface Compare {
  readonly key: Uint8Array
  readonly end?: KeyInterval['end']
  readonly relation: 'equal' | 'notEqual' | 'greater' | 'less'
  readonly operand:
    | { readonly kind: 'version'; readonly version: number }
    | { readonly kind: 'createRevision'; readonly createRevision: number }
    | { readonly kind: 'modRevision'; readonly modRevision: number }
    | { readonly kind: 'value'; readonly value: Uint8Array }
    | { readonly kind: 'lease'; readonly lease: bigint }
}

/** One step of a transaction. */
export type TxnOperation =
  | {
      readonly kind: 'put'
      readonly key: Uint8Array
      readonly value: Uint8Array
      /** 0 for none; absent: kept, which fails for a key that does not exist. */
      readonly lease?: bigint
      readonly needsPrevious?: boolean
    }
  | { readonly kind: 'delete'; readonly interval: KeyInterval; readonly needsPrevious?: boolean }
  | ({ readonly kind: 'range'; readonly interval: KeyInterval } & Omit<
      RangeOptions,
      'signal' | 'isSerializable'
    >)
  | ({ readonly kind: 'txn' } & Txn)

export interface Txn {
  readonly compares: readonly Compare[]
  readonly thenOperations: readonly TxnOperation[]
  readonly elseOperations: readonly TxnOperation[]
}

export type TxnOperationResult =
  | { readonly kind: 'put'; readonly previous?: KeyValue }
  | {
      readonly kind: 'delete'
      readonly deletedCount: number
      readonly previous: readonly KeyValue[]
    }
  | ({ readonly kind: 'range' } & Omit<RangeResult, 'header'>)
  | ({ readonly kind: 'txn' } & Omit<TxnResult, 'header'>)

export interface TxnResult {
  readonly header: ResponseHeader
  readonly hasSucceeded: boolean
  readonly results: readonly TxnOperationResult[]
}

/** A key that is made and deleted between every two steps of ours is somebody's game, not a value to be set. */
const putRoundsMax = 5

const methods = {
  range: bindMethod(KVDefinition, KVDefinition.methods.range),
  deleteRange: bindMethod(KVDefinition, KVDefinition.methods.deleteRange),
  txn: bindMethod(KVDefinition, KVDefinition.methods.txn),
}
const listedRange: BoundMethod<WireRangeRequest, ListedRange> = {
  ...methods.range,
  deserialize: readListedRange,
}

const sortTargets = {
  key: RangeRequest_SortTarget.KEY,
  version: RangeRequest_SortTarget.VERSION,
  createRevision: RangeRequest_SortTarget.CREATE,
  modRevision: RangeRequest_SortTarget.MOD,
  value: RangeRequest_SortTarget.VALUE,
} as const

const compareResults = {
  equal: Compare_CompareResult.EQUAL,
  notEqual: Compare_CompareResult.NOT_EQUAL,
  greater: Compare_CompareResult.GREATER,
  less: Compare_CompareResult.LESS,
} as const

export class KvClient {
  private readonly environment: CallEnvironment

  constructor(environment: CallEnvironment) {
    this.environment = environment
  }

  /** @throws StoreError `compacted`, `futureRevision`, `permissionDenied`, `unreachable` and what the cluster refuses */
  async range(interval: KeyInterval, options: RangeOptions = {}): Promise<RangeResult> {
    const response = await callWithRetry(
      this.environment,
      methods.range,
      wireRange(interval, options),
      { kind: 'read', signal: options.signal },
    )
    return { header: headerOf(response.header), ...rangeResultOf(response) }
  }

  /**
   * As `range`, for those who want few of the pairs.
   *
   * @throws StoreError  like `range`
   */
  listRange(interval: KeyInterval, options: RangeOptions = {}): Promise<ListedRange> {
    return callWithRetry(this.environment, listedRange, wireRange(interval, options), {
      kind: 'read',
      signal: options.signal,
    })
  }

  /**
   * Reads from one member alone, in one attempt.
   *
   * @throws StoreError  like `range`
   */
  async rangeAt(
    endpoint: Endpoint,
    interval: KeyInterval,
    options: RangeOptions & { readonly timeoutMs: number },
  ): Promise<RangeResult> {
    const result = await attemptCall(endpoint, methods.range, wireRange(interval, options), {
      timeoutMs: options.timeoutMs,
      needsLeader: false,
      signal: options.signal,
    })
    if (!result.ok) throw result.failure.error
    return { header: headerOf(result.response.header), ...rangeResultOf(result.response) }
  }

  /** The pair as of a revision (0: the newest), or undefined when the key did not exist then. */
  async get(
    key: Uint8Array,
    options: { readonly revision?: number; readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly header: ResponseHeader; readonly pair: KeyValue | undefined }> {
    const result = await this.range({ start: key }, options)
    return { header: result.header, pair: result.pairs[0] }
  }

  /**
   * Writes in any case.
   *
   * @throws StoreError  what the cluster refuses; with `isOutcomeUnknown` in the details when the answer was lost
   */
  async put(key: Uint8Array, value: Uint8Array, options: PutOptions = {}): Promise<PutResult> {
    const { lease } = options
    const put = { kind: 'put', key, value, needsPrevious: true } as const
    if (lease !== undefined) {
      const thenOperations = [{ ...put, lease }]
      return putResultOf(await this.txn({ compares: [], thenOperations, elseOperations: [] }))
    }
    // Keeping the lease is refused for a key that does not exist. Which of the two puts is right is decided by the server
    // in the step that writes; both in one transaction would send the value twice, beyond the limit of a large one.
    for (let round = 0; round < putRoundsMax; round++) {
      const kept = await this.txn({
        compares: [{ key, relation: 'greater', operand: { kind: 'version', version: 0 } }],
        thenOperations: [put],
        elseOperations: [],
      })
      if (kept.hasSucceeded) return putResultOf(kept)
      const created = await this.txn({
        compares: [{ key, relation: 'equal', operand: { kind: 'version', version: 0 } }],
        thenOperations: [{ ...put, lease: 0n }],
        elseOperations: [],
      })
      if (created.hasSucceeded) return putResultOf(created)
    }
    throw new StoreError('tooManyRequests', { serverText: 'the key comes and goes too fast' })
  }

  async deleteRange(interval: KeyInterval): Promise<DeleteResult> {
    const response = await callWithRetry(
      this.environment,
      methods.deleteRange,
      { ...wireInterval(interval), prevKv: false },
      { kind: 'write' },
    )
    return { header: headerOf(response.header), ...deleteResultOf(response) }
  }

  /** Runs one branch in one revision, as the compares say. */
  async txn(txn: Txn, options: { readonly signal?: AbortSignal } = {}): Promise<TxnResult> {
    const response = await callWithRetry(this.environment, methods.txn, wireTxn(txn), {
      kind: isReadOnlyTxn(txn) ? 'read' : 'write',
      signal: options.signal,
    })
    return { header: headerOf(response.header), ...txnResultOf(response) }
  }
}

/** Whether no branch of a transaction writes, at any depth. */
export function isReadOnlyTxn(txn: Txn): boolean {
  return [...txn.thenOperations, ...txn.elseOperations].every(
    (operation) =>
      operation.kind === 'range' || (operation.kind === 'txn' && isReadOnlyTxn(operation)),
  )
}

function wireRange(interval: KeyInterval, options: RangeOptions): WireRangeRequest {
  return KVDefinition.methods.range.requestType.fromPartial({
    ...wireInterval(interval),
    limit: BigInt(options.limit ?? 0),
    revision: BigInt(options.revision ?? 0),
    serializable: options.isSerializable ?? false,
    keysOnly: options.isKeysOnly ?? false,
    countOnly: options.isCountOnly ?? false,
    minModRevision: BigInt(options.minModRevision ?? 0),
    maxModRevision: BigInt(options.maxModRevision ?? 0),
    minCreateRevision: BigInt(options.minCreateRevision ?? 0),
    maxCreateRevision: BigInt(options.maxCreateRevision ?? 0),
    ...wireSort(options.sort),
  })
}

function wireTxn(txn: Txn): WireTxnRequest {
  return {
    compare: txn.compares.map(wireCompare),
    success: txn.thenOperations.map(wireOperation),
    failure: txn.elseOperations.map(wireOperation),
  }
}

function txnResultOf(response: TxnResponse): Omit<TxnResult, 'header'> {
  return {
    hasSucceeded: response.succeeded,
    results: response.responses.map(operationResultOf),
  }
}

function putResultOf(result: TxnResult): PutResult {
  const put = result.results[0]
  if (put?.kind !== 'put') {
    throw new StoreError('unrecognized', { serverText: 'a put was answered by something else' })
  }
  return {
    header: result.header,
    ...(put.previous === undefined ? {} : { previous: put.previous }),
  }
}

/** Ascending by key is the order of the store; asking for it would make the server sort again. */
function wireSort(sort: RangeOptions['sort']): {
  sortTarget: RangeRequest_SortTarget
  sortOrder: RangeRequest_SortOrder
} {
  if (sort === undefined || (sort.by === 'key' && !sort.isDescending)) {
    return { sortTarget: RangeRequest_SortTarget.KEY, sortOrder: RangeRequest_SortOrder.NONE }
  }
  return {
    sortTarget: sortTargets[sort.by],
    sortOrder: sort.isDescending ? RangeRequest_SortOrder.DESCEND : RangeRequest_SortOrder.ASCEND,
  }
}

function wireCompare(compare: Compare): WireCompare {
  const fields = {
    ...wireInterval(
      compare.end === undefined ? { start: compare.key } : { start: compare.key, end: compare.end },
    ),
    result: compareResults[compare.relation],
  }
  const { operand } = compare
  switch (operand.kind) {
    case 'version':
      return {
        ...fields,
        target: Compare_CompareTarget.VERSION,
        targetUnion: { $case: 'version', value: BigInt(operand.version) },
      }
    case 'createRevision':
      return {
        ...fields,
        target: Compare_CompareTarget.CREATE,
        targetUnion: { $case: 'createRevision', value: BigInt(operand.createRevision) },
      }
    case 'modRevision':
      return {
        ...fields,
        target: Compare_CompareTarget.MOD,
        targetUnion: { $case: 'modRevision', value: BigInt(operand.modRevision) },
      }
    case 'value':
      return {
        ...fields,
        target: Compare_CompareTarget.VALUE,
        targetUnion: { $case: 'value', value: operand.value },
      }
    case 'lease':
      return {
        ...fields,
        target: Compare_CompareTarget.LEASE,
        targetUnion: { $case: 'lease', value: operand.lease },
      }
  }
}

function wireOperation(operation: TxnOperation): RequestOp {
  switch (operation.kind) {
    case 'put':
      return {
        request: {
          $case: 'requestPut',
          value: {
            key: operation.key,
            value: operation.value,
            lease: operation.lease ?? 0n,
            prevKv: operation.needsPrevious ?? false,
            ignoreValue: false,
            ignoreLease: operation.lease === undefined,
          },
        },
      }
    case 'delete':
      return {
        request: {
          $case: 'requestDeleteRange',
          value: { ...wireInterval(operation.interval), prevKv: operation.needsPrevious ?? false },
        },
      }
    case 'range':
      return {
        request: { $case: 'requestRange', value: wireRange(operation.interval, operation) },
      }
    case 'txn':
      return { request: { $case: 'requestTxn', value: wireTxn(operation) } }
  }
}

function operationResultOf(operation: ResponseOp): TxnOperationResult {
  const { response } = operation
  switch (response?.$case) {
    case 'responsePut':
      return { kind: 'put', ...previousOf(response.value) }
    case 'responseDeleteRange':
      return { kind: 'delete', ...deleteResultOf(response.value) }
    case 'responseRange':
      return { kind: 'range', ...rangeResultOf(response.value) }
    case 'responseTxn':
      return { kind: 'txn', ...txnResultOf(response.value) }
    default:
      throw new StoreError('unrecognized', {
        serverText: 'an unknown answer inside of a transaction',
      })
  }
}

function previousOf(response: PutResponse): { previous?: KeyValue } {
  return response.prevKv === undefined ? {} : { previous: keyValueOf(response.prevKv) }
}

function deleteResultOf(response: DeleteRangeResponse): Omit<DeleteResult, 'header'> {
  return {
    deletedCount: safeNumber(response.deleted),
    previous: response.prevKvs.map(keyValueOf),
  }
}

function rangeResultOf(response: RangeResponse): Omit<RangeResult, 'header'> {
  return {
    pairs: response.kvs.map(keyValueOf),
    hasMore: response.more,
    count: safeNumber(response.count),
  }
}
