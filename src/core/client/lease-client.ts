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

const methods = {
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
