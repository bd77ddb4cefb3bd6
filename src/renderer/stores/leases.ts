/** Leases of a connection: asked for when they are looked at, never kept for longer. */

import { defineStore } from 'pinia'
import type { LeaseGrantReply, LeaseLife } from '../../preload/contract/lease.ts'
import { leaseApi } from '../api/lease-api.ts'

/** Lives of leases are asked for by so many calls at once. */
const callsAtOnce = 8

export const useLeaseStore = defineStore('leases', () => {
  /** The first leases of a connection with their lives, and how many there are. Throws `CallError`. */
  async function list(
    connectionId: string,
    countMax: number,
  ): Promise<{ readonly lives: readonly LeaseLife[]; readonly totalCount: number }> {
    const ids = await leaseApi.list(connectionId)
    const lives: LeaseLife[] = []
    for (let first = 0; first < Math.min(ids.length, countMax); first += callsAtOnce) {
      const part = ids.slice(first, Math.min(first + callsAtOnce, countMax))
      lives.push(...(await Promise.all(part.map((id) => leaseApi.life(connectionId, id)))))
    }
    return {
      lives: lives.filter((life) => life.remainingTtlSeconds >= 0),
      totalCount: ids.length,
    }
  }

  /** How long a lease lives yet. Throws `CallError`. */
  function life(connectionId: string, lease: bigint): Promise<LeaseLife> {
    return leaseApi.life(connectionId, lease)
  }

  /** A new lease. Throws `CallError`. */
  function grant(connectionId: string, ttlSeconds: number): Promise<LeaseGrantReply> {
    return leaseApi.grant(connectionId, ttlSeconds)
  }

  return { list, life, grant }
})
