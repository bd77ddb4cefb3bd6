/** The KV service: reads, writes, transactions, compaction. */
import type { Settler } from '../base/settler.ts'
import type { DeleteRangeResult, PutResult, RangeResult, TxnResult } from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import {
  CompactionRequest,
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type TxnRequest,
} from '../proto/gen/rpc.ts'
import { kvRequestCodecs } from '../proto/kv-request-codec.ts'
import { Answering, directMethod, unaryMethod, checkedFirst } from './method.ts'
import { checkDeleteRange, checkPut, checkRange, checkTxn } from './request-validation.ts'
import {
  encodeCompact,
  encodeDeleteRange,
  encodePut,
  encodeRange,
  encodeTxn,
  rangeFormOf,
} from './response-encoding.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { RpcMethod, UnaryExchange, UnaryMethod } from './rpc-call.ts'

export interface KvServiceOptions {
  /** Most compares or operations in one list of a transaction. */
  readonly txnOperationCountMax: number
}

/** The methods of `etcdserverpb.KV`. */
export function kvService(
  node: StoreNode,
  headers: ResponseHeaders,
  options: KvServiceOptions,
): ReadonlyMap<string, RpcMethod> {
  return new Map<string, RpcMethod>([
    ['Range', checkedFirst(rangeMethod(node, headers), kvRequestCodecs.range, checkRange)],
    ['Put', checkedFirst(putMethod(node, headers), kvRequestCodecs.put, checkPut)],
    [
      'DeleteRange',
      checkedFirst(deleteRangeMethod(node, headers), kvRequestCodecs.deleteRange, checkDeleteRange),
    ],
    [
      'Txn',
      checkedFirst(
        txnMethod(node, headers, options.txnOperationCountMax),
        kvRequestCodecs.txn,
        (request) => {
          checkTxn(request, options.txnOperationCountMax)
        },
      ),
    ],
    [
      'Compact',
      unaryMethod(CompactionRequest, async (request, cancellation) =>
        encodeCompact(headers, await node.compact(request, { cancellation })),
      ),
    ],
  ])
}

/** A small read that need not wait is answered before its method returns. */
function rangeMethod(node: StoreNode, headers: ResponseHeaders): UnaryMethod {
  const encode = (result: RangeResult, request: RangeRequest): Uint8Array =>
    encodeRange(headers, result, rangeFormOf(request))
  return directMethod(
    kvRequestCodecs.range,
    (request, call) => {
      checkRange(request)
      const reading = new RangeAnswering(node.ranges, call, { request, encode })
      if (request.serializable || node.ranges.isConfirmed()) reading.succeed()
      else node.beginConfirm(reading, call)
    },
    (request) => request.serializable,
  )
}

/** A range that is read once it is confirmed. */
class RangeAnswering implements Settler<void> {
  private readonly ranges: StoreNode['ranges']
  private readonly call: UnaryExchange
  private readonly request: RangeRequest
  private readonly encode: (result: RangeResult, request: RangeRequest) => Uint8Array

  constructor(
    ranges: StoreNode['ranges'],
    call: UnaryExchange,
    range: {
      readonly request: RangeRequest
      readonly encode: (result: RangeResult, request: RangeRequest) => Uint8Array
    },
  ) {
    this.ranges = ranges
    this.call = call
    this.request = range.request
    this.encode = range.encode
  }

  succeed(): void {
    const { call, request, encode } = this
    this.ranges.read(request, new Answering(call, request, encode), call)
  }

  fail(error: unknown): void {
    this.call.fail(error)
  }
}

function putMethod(node: StoreNode, headers: ResponseHeaders): UnaryMethod {
  const encode = (result: PutResult): Uint8Array => encodePut(headers, result)
  return directMethod<PutRequest>(kvRequestCodecs.put, (request, call) => {
    checkPut(request)
    node.beginPut(request, new Answering(call, request, encode), call)
  })
}

function deleteRangeMethod(node: StoreNode, headers: ResponseHeaders): UnaryMethod {
  const encode = (result: DeleteRangeResult): Uint8Array => encodeDeleteRange(headers, result)
  return directMethod<DeleteRangeRequest>(kvRequestCodecs.deleteRange, (request, call) => {
    checkDeleteRange(request)
    node.beginDeleteRange(request, new Answering(call, request, encode), call)
  })
}

function txnMethod(
  node: StoreNode,
  headers: ResponseHeaders,
  operationCountMax: number,
): UnaryMethod {
  const encode = (result: TxnResult, request: TxnRequest): Uint8Array =>
    encodeTxn(headers, result, request)
  return directMethod<TxnRequest>(kvRequestCodecs.txn, (request, call) => {
    checkTxn(request, operationCountMax)
    node.beginTxn(request, new Answering(call, request, encode), call)
  })
}
