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
        async (request, { signal }) => {
          checkRange(request)
          return encodeRange(headers, await node.range(request, { signal }), rangeFormOf(request))
        },
        (request) => request.serializable,
      ),
    ],
    [
      'Put',
      unaryMethod(PutRequest, async (request, { signal }) => {
        checkPut(request)
        return encodePut(headers, await node.put(request, { signal }))
      }),
    ],
    [
      'DeleteRange',
      unaryMethod(DeleteRangeRequest, async (request, { signal }) => {
        checkDeleteRange(request)
        return encodeDeleteRange(headers, await node.deleteRange(request, { signal }))
      }),
    ],
    [
      'Txn',
      unaryMethod(TxnRequest, async (request, { signal }) => {
        checkTxn(request, options.txnOperationCountMax)
        return encodeTxn(headers, await node.txn(request, { signal }), request)
      }),
    ],
    [
      'Compact',
      unaryMethod(CompactionRequest, async (request, { signal }) =>
        encodeCompact(headers, await node.compact(request, { signal })),
      ),
    ],
  ])
}
