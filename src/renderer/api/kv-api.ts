import type { ActivityFindReply, ActivityFindRequest } from '../../preload/contract/activity.ts'
import type {
  CountReply,
  CountRequest,
  DeleteKeysReply,
  DeleteKeysRequest,
  GetReply,
  GetRequest,
  PutReply,
  PutRequest,
  RangeReply,
  RangeRequest,
  TxnReply,
  TxnRequest,
} from '../../preload/contract/kv.ts'
import { getBridge, unwrap } from './bridge.ts'

/** Keys and values of one connection. Every function throws `CallError` when refused. */
export const kvApi = {
  /** One page of keys as columns. */
  range: (request: RangeRequest): Promise<RangeReply> => unwrap(getBridge().kv.range(request)),
  /** How many keys a range holds. */
  count: (request: CountRequest): Promise<CountReply> => unwrap(getBridge().kv.count(request)),
  /** One key with its whole value, as of one revision. */
  get: (request: GetRequest): Promise<GetReply> => unwrap(getBridge().kv.get(request)),
  /** Writes one key, guarded by the revision that the user saw. */
  put: (request: PutRequest): Promise<PutReply> => unwrap(getBridge().kv.put(request)),
  /** Deletes named keys, each guarded by the revision that the user saw. */
  deleteKeys: (request: DeleteKeysRequest): Promise<DeleteKeysReply> =>
    unwrap(getBridge().kv.deleteKeys(request)),
  /** Several writes under conditions, whole or not at all. */
  txn: (request: TxnRequest): Promise<TxnReply> => unwrap(getBridge().kv.txn(request)),
  /** The nearest change of the range of an open activity. */
  findChange: (request: ActivityFindRequest): Promise<ActivityFindReply> =>
    unwrap(getBridge().activity.find(request)),
} as const
