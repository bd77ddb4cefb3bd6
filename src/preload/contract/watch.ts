/** Live changes of a range of keys. */

import { z } from 'zod'
import { patternSchema } from './key-match.ts'
import { valueSizeBytesMax } from './limits.ts'
import { connectionIdSchema, revisionSchema } from './primitives.ts'
import { keyRangeSchema } from './kv.ts'

export const watchRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    range: keyRangeSchema,
    /** First revision to deliver; 0: from now on. */
    startRevision: revisionSchema,
    /** Deliver also what each key was before. */
    hasPrevious: z.boolean(),
    /** Leave these out. */
    isWithoutPuts: z.boolean(),
    isWithoutDeletes: z.boolean(),
    /** Values are cut to this many bytes. */
    valueBytesMax: z.number().int().min(0).max(valueSizeBytesMax),
  })
  .readonly()
export type WatchRequest = z.infer<typeof watchRequestSchema>

/** A watch whose changes cross as columns; only changes that match both patterns cross at all. */
export const watchRowsRequestSchema = watchRequestSchema
  .unwrap()
  .extend({
    /** Matched against the key as text. */
    keyPattern: patternSchema.optional(),
    /** Matched against the beginning of the new value, or of the old one when the key went. */
    valuePattern: patternSchema.optional(),
  })
  .readonly()
export type WatchRowsRequest = z.infer<typeof watchRowsRequestSchema>

/** A value as a watch shows it. */
export interface WatchedValue {
  /** Perhaps cut; compare its length with `sizeBytes`. */
  readonly bytes: Uint8Array
  readonly sizeBytes: number
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: bigint
}

/** One change. Changes of one revision come one after the other. */
export interface WatchChange {
  readonly kind: 'put' | 'delete'
  readonly key: Uint8Array
  /** The revision that made the change. */
  readonly revision: number
  /** The new value; absent for a delete. */
  readonly current?: WatchedValue
  /** What was there before; absent when not asked for, when there was nothing, or when it is compacted. */
  readonly previous?: WatchedValue
  /** Nothing of this revision follows. */
  readonly completesRevision?: true
}

/** Changes as columns, for watches of very many; every array but the offsets has `rowCount` elements. */
export interface WatchColumns {
  readonly rowCount: number
  /** Sum of `watchColumnFlags`. */
  readonly flags: Uint8Array
  readonly revisions: Float64Array
  /** Of the new value; 0 for a delete. */
  readonly createRevisions: Float64Array
  readonly versions: Float64Array
  /** Of the new value, or of the old one when the key went; 0: none. */
  readonly leases: BigInt64Array
  /** True size of the new value. */
  readonly sizesBytes: Int32Array
  /** True size of the old value. */
  readonly previousSizesBytes: Int32Array
  readonly previousRevisions: Float64Array
  readonly previousVersions: Float64Array
  /** Of each row its key, the beginning of its new value and that of its old one. */
  readonly bytes: Uint8Array
  /** Three of each row and one more: where its parts of `bytes` begin. */
  readonly offsets: Uint32Array
}

/** Changes of one watch in order. */
export interface WatchRows {
  readonly kind: 'rows'
  readonly columns: WatchColumns
}

/** What a watch delivers. */
export type WatchItem = { readonly kind: 'change'; readonly change: WatchChange } | WatchNotice

/** What a watch of rows delivers. */
export type WatchRowsItem = WatchRows | WatchNotice

/** What is no change, but tells something about the watch. */
export type WatchNotice =
  /** The server confirmed the watch; changes from `startRevision` on follow. */
  | { readonly kind: 'started'; readonly startRevision: number; readonly endpoint: string }
  /** Everything up to this revision was delivered. */
  | { readonly kind: 'progress'; readonly revision: number }
  /** The connection was lost; the watch goes on by itself. */
  | { readonly kind: 'interrupted'; readonly reason: string }
  /** The watch goes on after an interruption, without a gap, at this revision. */
  | { readonly kind: 'resumed'; readonly startRevision: number; readonly endpoint: string }
  /** Changes of `[fromRevision, toRevision]` were compacted away before they could be delivered; the watch goes on. */
  | { readonly kind: 'gap'; readonly fromRevision: number; readonly toRevision: number }
  /** The page was too slow; this many of the oldest undelivered changes were dropped. */
  | { readonly kind: 'dropped'; readonly changeCount: number }
