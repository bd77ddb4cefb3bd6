/**
 * What callers of a node need to know of the layers below it: the results it hands out, and ranges and watchers that
 * they hand in. The wire layer imports this file and nothing deeper.
 */
export type {
  Alarm,
  CompactResult,
  DeleteRangeResult,
  OperationResult,
  PutResult,
  RangeResult,
  TxnResult,
} from '../apply/apply-result.ts'
export type { Member } from '../membership/member.ts'
export type { Change } from '../mvcc/change.ts'
export { isEmptyRange, keyRangeOfWire } from '../mvcc/key-range.ts'
export { encodeKeyValue, type StoredKeyValue } from '../mvcc/stored-key-value.ts'
export type { EventBatch } from '../watch/event-batch.ts'
export type { WatchSink, Watcher } from '../watch/watcher.ts'
export type { PackedRange, RangeRest } from './packed-ranges.ts'
export type { DatabaseSnapshot } from './database-snapshots.ts'
export type { AuthOperation } from '../apply/auth-operation.ts'
export type { AuthInfo } from '../auth/auth-store.ts'
export { leaseId as asLeaseId } from '../base/ids.ts'
export { nodeId as asNodeId, type NodeId } from '../base/ids.ts'
export { isPeerUrl } from '../peer/peer-url.ts'
