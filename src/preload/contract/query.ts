/** Reads for people who want to know who answers, how late, and how long it takes. */

import { z } from 'zod'
import { keyRangeSchema, revisionBoundsShape, sortSchema, type KeyColumns } from './kv.ts'
import { pageRowsMax, valueSizeBytesMax } from './limits.ts'
import { connectionIdSchema, revisionSchema } from './primitives.ts'

export const queryRangeRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    /** Who shall answer: whoever serves the connection, or one member and nobody else. */
    target: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('active') }).readonly(),
      z
        .strictObject({
          kind: z.literal('member'),
          memberId: z
            .bigint()
            .min(0n)
            .max(2n ** 64n - 1n),
        })
        .readonly(),
    ]),
    range: keyRangeSchema,
    limit: z.number().int().min(1).max(pageRowsMax),
    /** As of this revision; 0: the newest that the answering member knows. */
    revision: revisionSchema,
    sort: sortSchema.optional(),
    isKeysOnly: z.boolean(),
    isCountOnly: z.boolean(),
    isSerializable: z.boolean(),
    ...revisionBoundsShape,
    /** Values are cut to this many bytes. */
    valueBytesMax: z.number().int().min(1).max(valueSizeBytesMax),
  })
  .readonly()
export type QueryRangeRequest = z.infer<typeof queryRangeRequestSchema>

export interface QueryRangeReply {
  /** The member that answered. */
  readonly memberId: bigint
  /** The newest revision that this member knew. */
  readonly headRevision: number
  readonly term: number
  /** The revision that the pairs are of. */
  readonly revision: number
  /** Keys in the range, whatever the limit and the bounds of revisions. */
  readonly count: number
  readonly hasMore: boolean
  /** From sending to the whole answer, in milliseconds, without the way between the processes of this app. */
  readonly durationMs: number
  readonly columns: KeyColumns
}
