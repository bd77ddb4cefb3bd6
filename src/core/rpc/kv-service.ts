/** The KV service: reads, writes, transactions, compaction. */
import { concatBytes } from '../base/bytes.ts'
import type { Settler } from '../base/settler.ts'
import type {
  DeleteRangeResult,
  PackedRange,
  PutResult,
  RangeRest,
  RangeResult,
  TxnResult,
} from '../node/node-surface.ts'
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
  encodeAroundPairs,
  encodeCompact,
  encodeDeleteRange,
  encodePut,
  encodeRange,
  encodeTxn,
  rangeFormOf,
  type PackedFrame,
} from './response-encoding.ts'
import type { ResponseHeaders } from './response-header.ts'
import type {
  AnswerInPieces,
  AnswerRest,
  RpcMethod,
  UnaryExchange,
  UnaryMethod,
} from './rpc-call.ts'

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
      const pieces = node.ranges.isPackable(request) ? call.pieces : undefined
      const reading =
        pieces === undefined
          ? new RangeAnswering(node.ranges, call, { request, encode })
          : new PackedAnswering(node.ranges, { request, call, pieces }, headers)
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

/** Answers up to this size leave as one piece. */
const wholeSizeBytesMax = 16_384

/** A range that is read, once it is confirmed, into the pieces of its answer. */
class PackedAnswering implements Settler<void> {
  private readonly ranges: StoreNode['ranges']
  private readonly headers: ResponseHeaders
  private readonly range: PackedCall
  private readonly result: Settler<PackedRange> = {
    succeed: (result) => {
      this.answer(result)
    },
    fail: (error) => {
      this.range.call.fail(error)
    },
  }

  constructor(ranges: StoreNode['ranges'], range: PackedCall, headers: ResponseHeaders) {
    this.ranges = ranges
    this.range = range
    this.headers = headers
  }

  succeed(): void {
    const { request, call } = this.range
    this.ranges.readPacked(request, this.result, call)
  }

  fail(error: unknown): void {
    this.range.call.fail(error)
  }

  private answer(result: PackedRange): void {
    const { rest, pieces } = result
    const { call } = this.range
    let frame: PackedFrame
    try {
      frame = encodeAroundPairs(this.headers, result)
    } catch (error) {
      rest?.release()
      call.fail(error)
      return
    }
    const { head, tail, sizeBytes } = frame
    if (sizeBytes <= wholeSizeBytesMax) call.succeed(concatBytes([head, ...pieces, tail]))
    else if (rest === undefined) {
      this.range.pieces.succeed({ pieces: [head, ...pieces, tail], rest })
    } else {
      this.range.pieces.succeed({ pieces: [head, ...pieces], rest: new RestWithTail(rest, tail) })
    }
  }
}

/** A range, and who takes its answer. */
interface PackedCall {
  readonly request: RangeRequest
  readonly call: UnaryExchange
  readonly pieces: Settler<AnswerInPieces>
}

/** The pairs that are still to be read, and what follows the last of them. */
class RestWithTail implements AnswerRest {
  private readonly pairs: RangeRest
  private readonly tail: Uint8Array

  constructor(pairs: RangeRest, tail: Uint8Array) {
    this.pairs = pairs
    this.tail = tail
  }

  get isDone(): boolean {
    return this.pairs.isDone
  }

  read(): readonly Uint8Array[] {
    const pieces = this.pairs.read()
    return this.pairs.isDone ? [...pieces, this.tail] : pieces
  }

  release(): void {
    this.pairs.release()
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
