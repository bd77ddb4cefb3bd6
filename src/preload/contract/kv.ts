/**
 * Keys and values.
 *
 * Lists of keys cross as columns: one byte array with all keys one after the other plus their offsets, and one typed
 * array a number. A page of ten thousand keys is then a dozen objects to clone, not a hundred thousand.
 * `key-columns.ts` builds and reads them.
 */

import { z } from 'zod'
import {
  deleteKeysMax,
  pageRowsMax,
  txnDepthMax,
  txnOperationsMax,
  valueSizeBytesMax,
} from './limits.ts'
import {
  connectionIdSchema,
  keyBytesSchema,
  leaseSchema,
  listSchema,
  revisionSchema,
  valueBytesSchema,
} from './primitives.ts'

/** Which keys: one, all with a prefix, all of `[start, end)`, all from `start` on, or all. */
export const keyRangeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('key'), key: keyBytesSchema }).readonly(),
  z.strictObject({ kind: z.literal('prefix'), prefix: keyBytesSchema }).readonly(),
  z
    .strictObject({ kind: z.literal('interval'), start: keyBytesSchema, end: keyBytesSchema })
    .readonly(),
  z.strictObject({ kind: z.literal('from'), start: keyBytesSchema }).readonly(),
  z.strictObject({ kind: z.literal('all') }).readonly(),
])
export type KeyRange = z.infer<typeof keyRangeSchema>

export const sortSchema = z
  .strictObject({
    by: z.enum(['key', 'version', 'createRevision', 'modRevision', 'value']),
    isDescending: z.boolean(),
  })
  .readonly()

/** Pairs outside of these revisions are left out; 0 or absent: no bound. */
export const revisionBoundsShape = {
  minModRevision: revisionSchema.optional(),
  maxModRevision: revisionSchema.optional(),
  minCreateRevision: revisionSchema.optional(),
  maxCreateRevision: revisionSchema.optional(),
} as const

/** One page of keys. */
export const rangeRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    range: keyRangeSchema,
    /** Go on behind this key: the last key of the previous page. Only without `sort`. */
    after: keyBytesSchema.optional(),
    /** Rows in the page. */
    limit: z.number().int().min(1).max(pageRowsMax),
    /** As of this revision; 0: the newest. Pages of one list name the revision of the first page. */
    revision: revisionSchema,
    /** Values are cut to this many bytes; 0 asks the server for keys only, and sizes are then unknown. */
    valueBytesMax: z.number().int().min(0).max(valueSizeBytesMax),
    sort: sortSchema.optional(),
    /** Answered by one member from what it has, perhaps late. */
    isSerializable: z.boolean().optional(),
  })
  .readonly()
export type RangeRequest = z.infer<typeof rangeRequestSchema>

/** Rows as columns; every array but the offsets has `rowCount` elements, the offsets one more. */
export interface KeyColumns {
  readonly rowCount: number
  /** All keys one after the other. */
  readonly keyBytes: Uint8Array
  /** Key `i` is `keyBytes[keyOffsets[i] .. keyOffsets[i + 1])`. */
  readonly keyOffsets: Uint32Array
  /** All (perhaps cut) values one after the other; empty when only keys were asked for. */
  readonly valueBytes: Uint8Array
  readonly valueOffsets: Uint32Array
  /** True size of each value in bytes; -1 where unknown (keys only). */
  readonly valueSizesBytes: Int32Array
  readonly createRevisions: Float64Array
  readonly modRevisions: Float64Array
  readonly versions: Float64Array
  /** 0 for no lease. */
  readonly leases: BigInt64Array
}

export interface RangeReply {
  /** The revision that the page shows: the one asked for, or the newest at the time. */
  readonly revision: number
  /** The cluster's newest revision at the time. */
  readonly headRevision: number
  /** Keys in the whole range at that revision, whatever the limit (behind `after` only, where that is given). */
  readonly count: number
  /** More keys follow behind the last one. */
  readonly hasMore: boolean
  readonly columns: KeyColumns
}

export const countRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    range: keyRangeSchema,
    revision: revisionSchema,
  })
  .readonly()
export type CountRequest = z.infer<typeof countRequestSchema>

export interface CountReply {
  readonly count: number
  readonly headRevision: number
}

/** One key with its whole value, as of one revision. */
export interface KeyValue {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  /** 0 for no lease. */
  readonly lease: bigint
}

export const getRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    key: keyBytesSchema,
    /** As of this revision; 0: the newest. */
    revision: revisionSchema,
  })
  .readonly()
export type GetRequest = z.infer<typeof getRequestSchema>

export interface GetReply {
  readonly headRevision: number
  /** Absent when the key did not exist at that revision. */
  readonly pair?: KeyValue
}

export const putRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    key: keyBytesSchema,
    value: valueBytesSchema,
    /** Lease to attach, 0 for none; the key keeps its present lease when absent. */
    lease: leaseSchema.optional(),
    /** Write only if the key still has this mod revision; 0: only if it does not exist; absent: in any case. */
    expectedModRevision: revisionSchema.optional(),
  })
  .readonly()
export type PutRequest = z.infer<typeof putRequestSchema>

export type PutReply =
  | { readonly kind: 'written'; readonly revision: number; readonly previous?: KeyValue }
  /** Somebody else wrote meanwhile; nothing was changed. `current` is absent when the key no longer exists. */
  | { readonly kind: 'conflict'; readonly headRevision: number; readonly current?: KeyValue }

/** Deletes the named keys, in batches; each only if it still has the mod revision that the user saw. */
export const deleteKeysRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    keys: listSchema(
      z.strictObject({ key: keyBytesSchema, expectedModRevision: revisionSchema }).readonly(),
      { lengthMin: 1, lengthMax: deleteKeysMax },
    ),
  })
  .readonly()
export type DeleteKeysRequest = z.infer<typeof deleteKeysRequestSchema>

export interface DeleteKeysReply {
  readonly headRevision: number
  /** What was deleted, as it was, so that it can be put back. */
  readonly deleted: readonly KeyValue[]
  /** Keys that changed or went away since the user saw them; they were left alone. */
  readonly skipped: readonly Uint8Array[]
}

/** Deletes everything in a range without asking what changed meanwhile. */
export const deleteRangeRequestSchema = z
  .strictObject({ connectionId: connectionIdSchema, range: keyRangeSchema })
  .readonly()
export type DeleteRangeRequest = z.infer<typeof deleteRangeRequestSchema>

export interface DeleteRangeReply {
  readonly revision: number
  readonly deletedCount: number
}

/** A condition of a transaction on one key, or on every key of `[key, end)`. */
export const compareSchema = z
  .strictObject({
    key: keyBytesSchema,
    end: z.union([keyBytesSchema, z.literal('toLastKey')]).optional(),
    relation: z.enum(['equal', 'notEqual', 'greater', 'less']),
    operand: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('version'), version: revisionSchema }),
      z.strictObject({ kind: z.literal('createRevision'), createRevision: revisionSchema }),
      z.strictObject({ kind: z.literal('modRevision'), modRevision: revisionSchema }),
      z.strictObject({ kind: z.literal('value'), value: valueBytesSchema }),
      z.strictObject({ kind: z.literal('lease'), lease: leaseSchema }),
    ]),
  })
  .readonly()

export type Compare = z.infer<typeof compareSchema>

const putOperationSchema = z
  .strictObject({
    kind: z.literal('put'),
    key: keyBytesSchema,
    value: valueBytesSchema,
    /** Lease to attach; absent: none. */
    lease: leaseSchema.optional(),
    /** The key keeps the lease that it has, which is refused for a key that does not exist. */
    keepsLease: z.boolean().optional(),
  })
  .readonly()

const deleteOperationSchema = z
  .strictObject({
    kind: z.literal('delete'),
    range: keyRangeSchema,
    /** Absent: true. */
    needsPrevious: z.boolean().optional(),
  })
  .readonly()

const rangeOperationSchema = z
  .strictObject({
    kind: z.literal('range'),
    range: keyRangeSchema,
    limit: z.number().int().min(1).max(pageRowsMax),
    /** As of this revision; 0 or absent: the one that the transaction sees. */
    revision: revisionSchema.optional(),
    sort: sortSchema.optional(),
    isKeysOnly: z.boolean().optional(),
    isCountOnly: z.boolean().optional(),
    ...revisionBoundsShape,
  })
  .readonly()

/** One operation of a transaction. */
export type TxnOperation =
  | z.infer<typeof putOperationSchema>
  | z.infer<typeof deleteOperationSchema>
  | z.infer<typeof rangeOperationSchema>
  | {
      readonly kind: 'txn'
      readonly compares: readonly Compare[]
      readonly thenOperations: readonly TxnOperation[]
      readonly elseOperations: readonly TxnOperation[]
    }

const comparesSchema = listSchema(compareSchema, { lengthMin: 0, lengthMax: txnOperationsMax })

/** Lists of operations with transactions inside of them, so many levels down. */
function operationsSchema(depth: number): z.ZodType<readonly TxnOperation[]> {
  const bounds = { lengthMin: 0, lengthMax: txnOperationsMax }
  const plain = [putOperationSchema, deleteOperationSchema, rangeOperationSchema] as const
  if (depth === 0) return listSchema(z.discriminatedUnion('kind', [...plain]), bounds)
  const inner = operationsSchema(depth - 1)
  const nested = z
    .strictObject({
      kind: z.literal('txn'),
      compares: comparesSchema,
      thenOperations: inner,
      elseOperations: inner,
    })
    .readonly()
  return listSchema(z.discriminatedUnion('kind', [...plain, nested]), bounds)
}

const branchSchema = operationsSchema(txnDepthMax)

export const txnRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    compares: comparesSchema,
    thenOperations: branchSchema,
    elseOperations: branchSchema,
  })
  .readonly()
export type TxnRequest = z.infer<typeof txnRequestSchema>

export type TxnOperationReply =
  | { readonly kind: 'put'; readonly previous?: KeyValue }
  | {
      readonly kind: 'delete'
      readonly deletedCount: number
      readonly deleted: readonly KeyValue[]
    }
  | {
      readonly kind: 'range'
      readonly count: number
      /** More pairs lie in the range than the limit let through. */
      readonly hasMore: boolean
      readonly pairs: readonly KeyValue[]
    }
  | {
      readonly kind: 'txn'
      readonly hasSucceeded: boolean
      readonly replies: readonly TxnOperationReply[]
    }

export interface TxnReply {
  /** All compares held, so `thenOperations` ran. */
  readonly hasSucceeded: boolean
  readonly revision: number
  /** Who answered, and in which term. */
  readonly memberId: bigint
  readonly term: number
  readonly replies: readonly TxnOperationReply[]
}
