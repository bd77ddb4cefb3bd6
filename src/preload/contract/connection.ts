/** Connections: saved clusters, which of them are open, and how they are. */

import { z } from 'zod'
import { endpointsMax, shortTextUnitsMax, unlockMinutesMax } from './limits.ts'
import type { KeyRange } from './kv.ts'
import { connectionIdSchema, listSchema, shortTextSchema } from './primitives.ts'

/** A client URL: `http://host:port` or `https://host:port`; a bare `host:port` means https with TLS settings, http without. */
export const endpointSchema = z
  .string()
  .max(shortTextUnitsMax)
  .regex(/^(https?:\/\/)?([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}\/?$/)

export const environmentSchema = z.enum(['none', 'development', 'staging', 'production'])
export type Environment = z.infer<typeof environmentSchema>

const passwordSchema = z.string().max(shortTextUnitsMax)

/** A user of the cluster. Passwords travel in this direction only. */
export const loginSchema = z
  .strictObject({
    user: shortTextSchema,
    password: passwordSchema,
    /** Keep the password for the next start, where the operating system can encrypt it. */
    isKept: z.boolean(),
  })
  .readonly()
export type Login = z.infer<typeof loginSchema>

/** Stands for a file that the user chose in a dialog of the main process. */
const fileTokenSchema = z.string().regex(/^[a-z0-9-]{1,64}$/)

/** How connections are secured. Files are PEM, and read again at each connect. */
export const tlsChoiceSchema = z
  .strictObject({
    /** Authorities that may vouch for the servers; those of the system when absent. */
    authorities: fileTokenSchema.optional(),
    certificate: fileTokenSchema.optional(),
    privateKey: fileTokenSchema.optional(),
    serverName: shortTextSchema.optional(),
    /** Believe any server. Refused for production. */
    isVerifySkipped: z.boolean(),
  })
  .readonly()
export type TlsChoice = z.infer<typeof tlsChoiceSchema>

/** A file that was chosen; null when the dialog was left without choosing. */
export type ChosenFile = { readonly token: string; readonly name: string } | null

export const openConnectionRequestSchema = z
  .strictObject({
    endpoints: listSchema(endpointSchema, { lengthMin: 1, lengthMax: endpointsMax }),
    /** Name shown; the first endpoint's host when absent. */
    name: shortTextSchema.optional(),
    environment: environmentSchema.optional(),
    login: loginSchema.optional(),
    tls: tlsChoiceSchema.optional(),
    /** Kept for the next start. */
    isSaved: z.boolean(),
  })
  .readonly()
export type OpenConnectionRequest = z.infer<typeof openConnectionRequestSchema>

/** The password for a connection that is blocked because it has none, or a wrong one. */
export const logInRequestSchema = z
  .strictObject({ connectionId: connectionIdSchema, password: passwordSchema, isKept: z.boolean() })
  .readonly()
export type LogInRequest = z.infer<typeof logInRequestSchema>

/** What the user of a connection may do, by role. */
export interface UserAccess {
  readonly user: string
  readonly roles: readonly string[]
  readonly permissions: readonly {
    readonly role: string
    readonly kind: 'read' | 'write' | 'readWrite'
    readonly range: KeyRange
  }[]
}

/** Allows the writes of a read-only connection to who typed its name. */
export const unlockRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    /** As typed; another one is refused. */
    name: shortTextSchema,
    /** Then it locks by itself. Absent: until it is locked again, which is refused for production. */
    forMinutes: z.number().int().min(1).max(unlockMinutesMax).optional(),
  })
  .readonly()
export type UnlockRequest = z.infer<typeof unlockRequestSchema>

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
 * succeed, but `reason` says what is wrong. `blocked`: the cluster does not let this user in, or no
 * password is known; nothing is tried again by itself. `failed`: no endpoint answers, or the cluster has no leader; the next try is
 * on its way. `closed`: saved, not open.
 */
export type ConnectionStateKind =
  'closed' | 'connecting' | 'ready' | 'degraded' | 'blocked' | 'failed'

/** A saved or open connection with its present state. */
export interface ConnectionInfo {
  readonly id: string
  readonly name: string
  readonly origin: 'playground' | 'saved' | 'launch'
  readonly environment: Environment
  /** Every write is refused in the main process. */
  readonly isReadOnly: boolean
  /** Wall time in milliseconds at which writing ends by itself; absent when it does not. */
  readonly writableUntilMs?: number
  /** The user of this connection; absent when it logs in as nobody. */
  readonly user?: string
  /** Encrypted, and whether the servers' certificates are checked. */
  readonly tls?: { readonly isVerifySkipped: boolean }
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
