/** The KV service: reads, writes, transactions, compaction. */
import type { StoreNode } from '../node/store-node.ts'
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../proto/gen/rpc.ts'
import { unaryMethod } from './method.ts'
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
import type { RpcMethod } from './rpc-call.ts'

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
    [
      'Range',
      unaryMethod(
        RangeRequest,
        async (request, cancellation) => {
          checkRange(request)
          return encodeRange(
            headers,
            await node.range(request, { cancellation }),
            rangeFormOf(request),
          )
        },
        (request) => request.serializable,
      ),
    ],
    [
      'Put',
      unaryMethod(PutRequest, async (request, cancellation) => {
        checkPut(request)
        return encodePut(headers, await node.put(request, { cancellation }))
      }),
    ],
    [
      'DeleteRange',
      unaryMethod(DeleteRangeRequest, async (request, cancellation) => {
        checkDeleteRange(request)
        return encodeDeleteRange(headers, await node.deleteRange(request, { cancellation }))
      }),
    ],
    [
      'Txn',
      unaryMethod(TxnRequest, async (request, cancellation) => {
        checkTxn(request, options.txnOperationCountMax)
        return encodeTxn(headers, await node.txn(request, { cancellation }), request)
      }),
    ],
    [
      'Compact',
      unaryMethod(CompactionRequest, async (request, cancellation) =>
        encodeCompact(headers, await node.compact(request, { cancellation })),
      ),
    ],
  ])
}
