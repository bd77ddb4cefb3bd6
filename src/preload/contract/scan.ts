/**
 * A look at every key of a range, page by page at one revision, in the main process: what the cluster itself cannot answer.
 * Only what is kept crosses to the page.
 */

import { z } from 'zod'
import { pageRowsMax } from './limits.ts'
import { keyMatchSchema } from './key-match.ts'
import { keyRangeSchema, type KeyColumns } from './kv.ts'
import { connectionIdSchema, revisionSchema } from './primitives.ts'

export const scanRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    range: keyRangeSchema,
    /** As of this revision; 0: the newest at the start. */
    revision: revisionSchema,
    /** Keep keys that match; absent: all. */
    match: keyMatchSchema.optional(),
    /** The values have to match instead of the keys; this reads every value. */
    isInValues: z.boolean().optional(),
    /** Order by the size of the value; this reads every value. Absent: the order of the keys. */
    bySize: z.enum(['ascending', 'descending']).optional(),
    /** Rows that are kept. */
    limit: z.number().int().min(1).max(pageRowsMax),
  })
  .readonly()
export type ScanRequest = z.infer<typeof scanRequestSchema>

/** What a scan delivers; it ends by itself. */
export type ScanItem =
  | {
      readonly kind: 'rows'
      /** These rows take the place of those delivered before, instead of following them. */
      readonly replaces: boolean
      readonly columns: KeyColumns
    }
  | {
      readonly kind: 'progress'
      readonly scannedCount: number
      readonly totalCount: number
      readonly foundCount: number
      /** The revision that is looked at. */
      readonly revision: number
      /** More rows were found than are kept. */
      readonly isCut: boolean
    }
