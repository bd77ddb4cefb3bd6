/** What travels on the stream channels themselves. */

import { z } from 'zod'
import type { StreamMessage } from './reply.ts'

/** Number of a stream, unique within one page, chosen by the preload. */
export const streamIdSchema = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER)

/** Opens a stream: the request of its channel beside the id. */
export const streamOpeningSchema = z.strictObject({
  streamId: streamIdSchema,
  request: z.unknown(),
})

/** Says that one batch was taken, which lets main send another. */
export const streamAcknowledgementSchema = z.strictObject({ streamId: streamIdSchema })

export const streamClosingSchema = z.strictObject({ streamId: streamIdSchema })

export interface StreamDelivery {
  readonly streamId: number
  readonly message: StreamMessage<unknown>
}
