/** Leases: which exist, how long one lives and what hangs on it, and new ones. */

import { z } from 'zod'
import { leaseTtlSecondsMax } from './limits.ts'
import { connectionIdSchema, leaseSchema } from './primitives.ts'

export interface LeaseList {
  /** In the order of the server. */
  readonly leases: readonly bigint[]
}

export const leaseRequestSchema = z
  .strictObject({ connectionId: connectionIdSchema, lease: leaseSchema })
  .readonly()
export type LeaseRequest = z.infer<typeof leaseRequestSchema>

/** One lease as its leader knows it. */
export interface LeaseLife {
  readonly lease: bigint
  readonly grantedTtlSeconds: number
  /** -1: it expired, was revoked, or never existed. */
  readonly remainingTtlSeconds: number
  readonly keyCount: number
  /** The first of its keys. */
  readonly keys: readonly Uint8Array[]
}

export const leaseGrantRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    ttlSeconds: z.number().int().min(1).max(leaseTtlSecondsMax),
  })
  .readonly()
export type LeaseGrantRequest = z.infer<typeof leaseGrantRequestSchema>

export interface LeaseGrantReply {
  readonly lease: bigint
  /** What the cluster granted, which may be more than was asked for. */
  readonly ttlSeconds: number
}
