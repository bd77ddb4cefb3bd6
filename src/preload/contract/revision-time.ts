/** When revisions came to be, as far as the app was looking: a cluster keeps no wall time. */

import { z } from 'zod'
import { revisionTimesMax } from './limits.ts'
import { connectionIdSchema, revisionSchema } from './primitives.ts'

export const revisionTimesRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    revisions: z.array(revisionSchema).max(revisionTimesMax).readonly(),
  })
  .readonly()
export type RevisionTimesRequest = z.infer<typeof revisionTimesRequestSchema>

/** When a revision came to be, as far as this app saw it; wall times in milliseconds. */
export interface RevisionTime {
  readonly revision: number
  /** The revision was not there yet at this time; absent: unknown. */
  readonly afterMs?: number
  /** The revision was there at this time; absent: unknown. Equal to `afterMs` when it was seen as it came. */
  readonly beforeMs?: number
}

export const revisionAtRequestSchema = z
  .strictObject({ connectionId: connectionIdSchema, atMs: z.number().int().min(0) })
  .readonly()
export type RevisionAtRequest = z.infer<typeof revisionAtRequestSchema>

/** Which revision was the newest at a time, as far as this app saw it. */
export interface RevisionAtReply {
  /** Absent where the time is before the first look. */
  readonly revision?: number
  /** Wall time in milliseconds of the first look; absent before there was one. */
  readonly sinceMs?: number
}
