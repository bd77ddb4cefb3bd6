/** The past of one key: every revision that touched it, newest first, as far back as the cluster still has it. */

import { z } from 'zod'
import { valueSizeBytesMax } from './limits.ts'
import { connectionIdSchema, keyBytesSchema, revisionSchema } from './primitives.ts'

export const historyRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    key: keyBytesSchema,
    /** Only revisions below this one; 0: from the newest on. For the next page: the oldest revision of the last. */
    beforeRevision: revisionSchema,
    /** Revisions in all; the stream ends after them. */
    limit: z.number().int().min(1).max(10_000),
    /** Values are cut to this many bytes. */
    valueBytesMax: z.number().int().min(0).max(valueSizeBytesMax),
  })
  .readonly()
export type HistoryRequest = z.infer<typeof historyRequestSchema>

/** One change of the key. */
export type HistoryRevision =
  | {
      readonly kind: 'put'
      readonly revision: number
      readonly createRevision: number
      /** 1 opens a new life of the key. */
      readonly version: number
      readonly lease: bigint
      /** Perhaps cut; compare its length with `valueSizeBytes`. */
      readonly value: Uint8Array
      readonly valueSizeBytes: number
    }
  | { readonly kind: 'delete'; readonly revision: number }

/** What a history stream delivers. `finished` comes once, last, before the stream ends without an error. */
export type HistoryItem =
  | { readonly kind: 'revision'; readonly revision: HistoryRevision }
  | {
      readonly kind: 'finished'
      /** Older revisions exist: ask again with `beforeRevision`. */
      readonly hasMore: boolean
      /** Changes up to this revision were compacted away and cannot be shown; 0 when nothing was. */
      readonly compactedRevision: number
    }
