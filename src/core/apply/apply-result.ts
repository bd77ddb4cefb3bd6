/**
 * What an applied or served request gives back.
 *
 * No protobuf messages: pairs stay in their stored wire form, so that an answer is put together without decoding them.
 * `revision` is what the response header says: for a write its own revision, otherwise the current one.
 */
import type { NodeId } from '../base/ids.ts'
import type { Lease } from '../lease/lease.ts'
import type { Member } from '../membership/member.ts'
import type { StoredKeyValue } from '../mvcc/stored-key-value.ts'

export interface RangeResult {
  readonly kind: 'range'
  readonly keyValues: readonly StoredKeyValue[]
  /** Keys alive in the range, whatever the limit and the filters. */
  readonly count: number
  /** Something that matches was cut off by the limit. */
  readonly hasMore: boolean
  readonly revision: number
  /** Values are to be left out of the answer. */
  readonly isKeysOnly: boolean
}

export interface PutResult {
  readonly kind: 'put'
  /** The pair before, when it was asked for and there was one. */
  readonly previous: StoredKeyValue | undefined
  readonly revision: number
}

export interface DeleteRangeResult {
  readonly kind: 'deleteRange'
  readonly deletedCount: number
  /** The pairs before, when asked for; ascending by key. */
  readonly previous: readonly StoredKeyValue[]
  readonly revision: number
}

export interface TxnResult {
  readonly kind: 'txn'
  readonly hasSucceeded: boolean
  /** One per operation of the branch that ran, in order. */
  readonly responses: readonly OperationResult[]
  readonly revision: number
}

/** Answer to one operation inside a transaction. A nested transaction's header is empty on the wire. */
export type OperationResult = RangeResult | PutResult | DeleteRangeResult | TxnResult

export interface CompactResult {
  readonly kind: 'compact'
  readonly revision: number
}

/** An alarm in force. */
export interface Alarm {
  /** The member that raised it; 0 when nobody knows which one is wrong. */
  readonly memberId: NodeId
  readonly alarm: AlarmKind
}

export type AlarmKind = 'noSpace' | 'corrupt'

export interface AlarmResult {
  readonly kind: 'alarm'
  /** Listing: all that match. Raising or clearing: those affected. Sorted by member, then kind. */
  readonly alarms: readonly Alarm[]
  readonly revision: number
}

/** A change of membership, or of what a member says about itself, was applied. */
export interface MembershipResult {
  readonly kind: 'membership'
  /** The members after the change, by id. */
  readonly members: readonly Member[]
}

/** A lease was granted. */
export interface LeaseGrantResult {
  readonly kind: 'leaseGrant'
  readonly lease: Lease
  readonly revision: number
}

/** Something was done that has nothing to tell. */
export interface DoneResult {
  readonly kind: 'done'
  readonly revision: number
}

/** A user or a role was changed, or somebody logged in. */
export interface AuthResult {
  readonly kind: 'auth'
  /** The token given out; absent when none was, or when its kind is not kept here. */
  readonly token: string | undefined
  readonly revision: number
}

/** Everything that applying one entry can answer. */
export type ApplyResult =
  | PutResult
  | DeleteRangeResult
  | TxnResult
  | RangeResult
  | CompactResult
  | AlarmResult
  | MembershipResult
  | LeaseGrantResult
  | AuthResult
  | DoneResult
