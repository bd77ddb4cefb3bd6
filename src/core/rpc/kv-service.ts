/** The KV service: reads, writes, transactions, compaction. */
import type { Settler } from '../base/settler.ts'
import type { PutResult, DeleteRangeResult, TxnResult } from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import {
  CompactionRequest,
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type TxnRequest,
} from '../proto/gen/rpc.ts'
import { kvRequestCodecs } from '../proto/kv-request-codec.ts'
import { Answering, directMethod, unaryMethod } from './method.ts'
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
    ['Range', rangeMethod(node, headers)],
    ['Put', putMethod(node, headers)],
    ['DeleteRange', deleteRangeMethod(node, headers)],
    ['Txn', txnMethod(node, headers, options.txnOperationCountMax)],
    [
      'Compact',
      unaryMethod(CompactionRequest, async (request, cancellation) =>
        encodeCompact(headers, await node.compact(request, { cancellation })),
      ),
    ],
  ])
}

/** A read that need not wait is answered before its method returns. */
function rangeMethod(node: StoreNode, headers: ResponseHeaders): UnaryMethod {
  const answer = (request: RangeRequest): Uint8Array =>
    encodeRange(headers, node.rangeNow(request), rangeFormOf(request))
  return directMethod(
    kvRequestCodecs.range,
    (request, call) => {
      checkRange(request)
      if (request.serializable || node.canReadNow()) call.succeed(answer(request))
      else node.beginConfirm(new WaitingRange(call, request, answer), call)
    },
    (request) => request.serializable,
  )
}

/** A range that waits for its confirmation. */
class WaitingRange implements Settler<void> {
  private readonly call: UnaryExchange
  private readonly request: RangeRequest
  private readonly answer: (request: RangeRequest) => Uint8Array

  constructor(
    call: UnaryExchange,
    request: RangeRequest,
    answer: (request: RangeRequest) => Uint8Array,
  ) {
    this.call = call
    this.request = request
    this.answer = answer
  }

  succeed(): void {
    let frame: Uint8Array
    try {
      frame = this.answer(this.request)
    } catch (error) {
      this.call.fail(error)
      return
    }
    this.call.succeed(frame)
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
