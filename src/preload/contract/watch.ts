/** Live changes of a range of keys. */

import { z } from 'zod'
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
}

/** What a watch delivers. */
export type WatchItem =
  | { readonly kind: 'change'; readonly change: WatchChange }
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
