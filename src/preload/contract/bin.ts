/** The bin of a range: every key that was deleted since the oldest kept revision and does not exist now, kept current. */

import { z } from 'zod'
import { keyRangeSchema } from './kv.ts'
import { connectionIdSchema, revisionSchema } from './primitives.ts'

export const binRequestSchema = z
  .strictObject({ connectionId: connectionIdSchema, range: keyRangeSchema })
  .readonly()
export type BinRequest = z.infer<typeof binRequestSchema>

/** Deleted keys; every array but the offsets has `rowCount` elements. */
export interface BinColumns {
  readonly rowCount: number
  readonly keyBytes: Uint8Array
  readonly keyOffsets: Uint32Array
  /** The revision that deleted the key. */
  readonly deletedRevisions: Float64Array
  /** Of the last value; -1 when the server could not tell it. */
  readonly valueSizesBytes: Int32Array
  /** What the last value was bound to; 0 for no lease. */
  readonly leases: BigInt64Array
  /** Where the life that ended began, and how many writes it had; 0 when unknown. */
  readonly createRevisions: Float64Array
  readonly versions: Float64Array
}

/** What a bin delivers; it goes on until it is closed. */
export type BinItem =
  /** These keys are deleted; a key that was in the bin already takes its new place. */
  | { readonly kind: 'deleted'; readonly columns: BinColumns }
  /** These keys are in the bin no longer: they exist again, or were too many. */
  | { readonly kind: 'returned'; readonly keys: readonly Uint8Array[] }
  /** Older entries than this were left out: the bin holds a limited number of keys. */
  | { readonly kind: 'cut'; readonly beforeRevision: number; readonly droppedCount: number }
  | {
      readonly kind: 'progress'
      /** Deletions replayed so far. */
      readonly seenCount: number
      readonly headRevision: number
      /** Everything up to the head at the start was replayed. */
      readonly isComplete: boolean
    }
  /** Changes up to this revision are gone; last values of deletions at or before it cannot be read. 0: nothing is. */
  | { readonly kind: 'compacted'; readonly compactedRevision: number }
  /** The connection was lost; the bin goes on by itself. */
  | { readonly kind: 'interrupted'; readonly reason: string }
  | { readonly kind: 'resumed' }

/** What one revision did, whatever the range. */
export const revisionChangesRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    revision: revisionSchema.min(1),
    /** Changes in the answer. */
    limit: z.number().int().min(1).max(10_000),
  })
  .readonly()
export type RevisionChangesRequest = z.infer<typeof revisionChangesRequestSchema>

export interface RevisionChange {
  readonly kind: 'put' | 'delete'
  readonly key: Uint8Array
  /** Of the new value; -1 for a delete. */
  readonly valueSizeBytes: number
  /** 1 for a put that created the key; 0 for a delete. */
  readonly version: number
}

export interface RevisionChangesReply {
  readonly changes: readonly RevisionChange[]
  /** Changes of the revision, those beyond the limit too. */
  readonly changeCount: number
}
