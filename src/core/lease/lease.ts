/** What a lease is; shared by the store of leases and by the clock that expires them. */
import type { LeaseId } from '../base/ids.ts'

/** A promise to keep keys alive for a time that its owner may renew. */
export interface Lease {
  readonly id: LeaseId
  /** Seconds that it was granted, and gets again at each renewal. */
  readonly ttlSeconds: number
  /** Seconds that were left when the leader last wrote them down; 0: never, count with the whole time. */
  readonly remainingTtlSeconds: number
}

/** The longest time that can be granted, in seconds. Source: etcd's limit. */
export const leaseTtlSecondsMax = 9_000_000_000

/**
 * The shortest time that is granted, in seconds: leases must outlive an election.
 * @param electionTimeoutMs  of the node that proposes; applying members take what was proposed
 */
export function leaseTtlSecondsMin(electionTimeoutMs: number): number {
  return Math.ceil((1.5 * electionTimeoutMs) / 1_000)
}
