/** Leases: which there are, how long they live, and new ones. */

import { leaseId, type LeaseId } from '../base/ids.ts'
import { LeaseDefinition } from '../proto/gen/rpc.ts'
import { callWithRetry, type CallEnvironment } from './retry-policy.ts'
import { bindMethod } from './rpc-method.ts'
import { safeNumber } from './key-value.ts'

export interface GrantedLease {
  readonly id: LeaseId
  /** What the cluster granted, which may be more than was asked for. */
  readonly ttlSeconds: number
}

/** A lease as its leader knows it. */
export interface LeaseLifetime {
  readonly grantedTtlSeconds: number
  /** -1: it expired, was revoked, or never existed. */
  readonly remainingTtlSeconds: number
  readonly keys: readonly Uint8Array[]
}

const methods = {
  leaseTimeToLive: bindMethod(LeaseDefinition, LeaseDefinition.methods.leaseTimeToLive),
  leaseLeases: bindMethod(LeaseDefinition, LeaseDefinition.methods.leaseLeases),
  leaseGrant: bindMethod(LeaseDefinition, LeaseDefinition.methods.leaseGrant),
}

export class LeaseClient {
  private readonly environment: CallEnvironment

  constructor(environment: CallEnvironment) {
    this.environment = environment
  }

  /** All leases that exist now. */
  async list(options: { readonly signal?: AbortSignal } = {}): Promise<readonly LeaseId[]> {
    const response = await callWithRetry(
      this.environment,
      methods.leaseLeases,
      {},
      { kind: 'read', signal: options.signal },
    )
    return response.leases.map((lease) => leaseId(lease.ID))
  }

  /** How long a lease lives yet, and the keys that go with it. */
  async timeToLive(
    id: LeaseId,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<LeaseLifetime> {
    const response = await callWithRetry(
      this.environment,
      methods.leaseTimeToLive,
      { ID: id, keys: true },
      { kind: 'read', signal: options.signal },
    )
    return {
      grantedTtlSeconds: safeNumber(response.grantedTTL),
      remainingTtlSeconds: response.TTL < 0n ? -1 : safeNumber(response.TTL),
      keys: response.keys,
    }
  }

  /** A new lease; the cluster chooses its id. */
  async grant(ttlSeconds: number): Promise<GrantedLease> {
    const response = await callWithRetry(
      this.environment,
      methods.leaseGrant,
      { TTL: BigInt(ttlSeconds), ID: 0n },
      { kind: 'write' },
    )
    return { id: leaseId(response.ID), ttlSeconds: safeNumber(response.TTL) }
  }
}
