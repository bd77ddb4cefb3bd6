import type { LeaseGrantReply, LeaseLife } from '../../preload/contract/lease.ts'
import { getBridge, unwrap } from './bridge.ts'

/** Leases of one connection. Every function throws `CallError` when refused. */
export const leaseApi = {
  /** Ids of all leases that exist now. */
  list: async (connectionId: string): Promise<readonly bigint[]> =>
    (await unwrap(getBridge().leases.list({ connectionId }))).leases,
  /** How long a lease lives yet, and its keys. */
  life: (connectionId: string, lease: bigint): Promise<LeaseLife> =>
    unwrap(getBridge().leases.life({ connectionId, lease })),
  /** A new lease; the cluster chooses its id. */
  grant: (connectionId: string, ttlSeconds: number): Promise<LeaseGrantReply> =>
    unwrap(getBridge().leases.grant({ connectionId, ttlSeconds })),
} as const
