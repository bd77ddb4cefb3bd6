/** The past of one key: every change of it that the cluster still has. Crosses as columns, see `history-columns.ts`. */

import { z } from 'zod'
import { connectionIdSchema, keyBytesSchema } from './primitives.ts'
import type { BridgeError } from './reply.ts'

/** Beginnings of values are for one line of a list; values are read by their revision when they are looked at. */
export const historyHeadBytesMax = 1_024

export const historyRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    key: keyBytesSchema,
    /** This many bytes of each value. */
    headBytesMax: z.number().int().min(0).max(historyHeadBytesMax),
  })
  .readonly()
export type HistoryRequest = z.infer<typeof historyRequestSchema>

/** Changes in rising order of revisions, as columns: a key may have a hundred thousand of them. */
export interface HistoryColumns {
  readonly rowCount: number
  readonly revisions: Float64Array
  /** 0: a put; 1: a deletion, whose other columns say nothing. */
  readonly kinds: Uint8Array
  readonly createRevisions: Float64Array
  /** 1 opens a new life of the key. */
  readonly versions: Float64Array
  readonly leases: BigInt64Array
  readonly valueSizesBytes: Float64Array
  /** Beginnings of the values one after the other; row `i` has those from offset `i` to `i + 1`. */
  readonly headBytes: Uint8Array
  readonly headOffsets: Uint32Array
}

/** What a history stream delivers. It goes on after `finished`, to tell of compactions, until it is closed. */
export type HistoryItem =
  /** In any order, the newest first; a revision may come twice. */
  | { readonly kind: 'changes'; readonly columns: HistoryColumns }
  /**
   * Changes up to this revision are gone, but for the newest of them: it made the key what it was then, and is readable as of
   * this revision only. Comes again when a compaction goes further.
   */
  | { readonly kind: 'compacted'; readonly revision: number }
  | {
      readonly kind: 'finished'
      /** Up to where the history is complete. */
      readonly headRevision: number
      /** Only the newest life of the key could be read: the watch was refused for this reason. */
      readonly refusal?: BridgeError
    }
