/** Connections: saved clusters, which of them are open, and how they are. */

import { z } from 'zod'
import { endpointsMax, shortTextUnitsMax } from './limits.ts'
import { connectionIdSchema, listSchema, shortTextSchema } from './primitives.ts'

/** A client URL: `http://host:port`; a bare `host:port` means http. https comes with TLS profiles. */
export const endpointSchema = z
  .string()
  .max(shortTextUnitsMax)
  .regex(/^(http:\/\/)?([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}\/?$/)

export const environmentSchema = z.enum(['none', 'development', 'staging', 'production'])
export type Environment = z.infer<typeof environmentSchema>

export const openConnectionRequestSchema = z
  .strictObject({
    endpoints: listSchema(endpointSchema, { lengthMin: 1, lengthMax: endpointsMax }),
    /** Name shown; the first endpoint's host when absent. */
    name: shortTextSchema.optional(),
    environment: environmentSchema.optional(),
    /** Kept for the next start. */
    isSaved: z.boolean(),
  })
  .readonly()
export type OpenConnectionRequest = z.infer<typeof openConnectionRequestSchema>

/** Refuses every write of this connection in the main process, or allows them again. */
export const readOnlyRequestSchema = z
  .strictObject({ connectionId: connectionIdSchema, isReadOnly: z.boolean() })
  .readonly()
export type ReadOnlyRequest = z.infer<typeof readOnlyRequestSchema>

/** One endpoint as seen from here. */
export interface EndpointState {
  /** `http://host:port`. */
  readonly url: string
  readonly kind: 'unknown' | 'connecting' | 'ready' | 'failed'
  /** This endpoint serves the calls at the moment. */
  readonly isActive: boolean
  /** Why the last call or attempt failed; present when `failed`. */
  readonly reason?: string
  /** Time of the last answered probe in milliseconds. */
  readonly latencyMs?: number
}

/**
 * How a connection is. `connecting`: no call has succeeded yet. `ready`: every endpoint answers. `degraded`: calls
 * succeed, but `reason` says what is wrong. `failed`: no endpoint answers, or the cluster has no leader; the next try is
 * on its way. `closed`: saved, not open.
 */
export type ConnectionStateKind = 'closed' | 'connecting' | 'ready' | 'degraded' | 'failed'

/** A saved or open connection with its present state. */
export interface ConnectionInfo {
  readonly id: string
  readonly name: string
  readonly origin: 'playground' | 'saved' | 'launch'
  readonly environment: Environment
  readonly isReadOnly: boolean
  readonly state: ConnectionStateKind
  /** One sentence; present when `degraded` or `failed`. */
  readonly reason?: string
  readonly endpoints: readonly EndpointState[]
  /** Known after the first answer. */
  readonly clusterId?: bigint
  /** Newest revision seen in any answer; 0 before the first. */
  readonly headRevision: number
  /** Wall time in milliseconds of the last answered call. */
  readonly lastAnswerAtMs?: number
}

/** A change in the list of connections. The first batch of the stream holds one `changed` for each. */
export type ConnectionEvent =
  | { readonly kind: 'changed'; readonly connection: ConnectionInfo }
  | { readonly kind: 'removed'; readonly connectionId: string }
