import type { TxnReply, TxnRequest } from '../../preload/contract/kv.ts'
import type { QueryRangeReply, QueryRangeRequest } from '../../preload/contract/query.ts'
import { getBridge, unwrap } from './bridge.ts'

/** Transactions, and reads that tell who answered. Every function throws `CallError` when refused. */
export const queryApi = {
  txn: (request: TxnRequest): Promise<TxnReply> => unwrap(getBridge().kv.txn(request)),
  range: (request: QueryRangeRequest): Promise<QueryRangeReply> =>
    unwrap(getBridge().query.range(request)),
} as const
