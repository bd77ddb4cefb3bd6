/**
 * How busy the past of a range was: the writes under it counted by stretches of revisions, from the oldest revision kept to
 * the head, and which revision changed it before or after another one. Built by replaying the range in the main process;
 * only the counts cross to the page.
 */

import { z } from 'zod'
import { keyRangeSchema } from './kv.ts'
import { connectionIdSchema, revisionSchema } from './primitives.ts'

export const activityRequestSchema = z
  .strictObject({ connectionId: connectionIdSchema, range: keyRangeSchema })
  .readonly()
export type ActivityRequest = z.infer<typeof activityRequestSchema>

/** The picture so far. Each one replaces those before it; the stream goes on with what is written until it is closed. */
export interface ActivityItem {
  /** Names the picture in `activity.find`, for as long as its stream is open. */
  readonly activityId: number
  /** The oldest revision that can be read. */
  readonly oldestRevision: number
  /** The newest revision of the cluster that the replay knows of. */
  readonly headRevision: number
  /** Everything up to here is counted. */
  readonly scannedRevision: number
  /** Everything up to the head at the start is counted; what comes later is added as it comes. */
  readonly isComplete: boolean
  /** Revisions that one bar stands for. */
  readonly barRevisions: number
  /** Writes by bar: bar `i` counts the revisions from `oldestRevision + i * barRevisions` on. */
  readonly bars: Float64Array
  /** Revisions that changed the range, and the writes in them. */
  readonly changeCount: number
  readonly writeCount: number
}

export const activityFindRequestSchema = z
  .strictObject({
    activityId: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
    /** The answer lies before or after this revision, and is another one. */
    revision: revisionSchema,
    direction: z.enum(['previous', 'next']),
  })
  .readonly()
export type ActivityFindRequest = z.infer<typeof activityFindRequestSchema>

export type ActivityFindReply =
  | { readonly kind: 'found'; readonly revision: number }
  /** Nothing that is kept changed the range on that side. */
  | { readonly kind: 'none' }
  /** That stretch is not replayed yet, or there are more changes than are kept. */
  | { readonly kind: 'unknown' }
