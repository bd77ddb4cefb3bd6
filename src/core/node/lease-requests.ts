/**
 * What clients ask about leases.
 *
 * Granting and revoking go through the log. Renewals do not: they are the leader's alone, and a node that does not lead
 * passes them on to the one that does. Source: etcd v3 API, Lease; store internals of etcd, renewal path.
 */
import { failpointPause } from '../base/failpoints.ts'
import type { ApplyResult } from '../apply/apply-result.ts'
import type { LoggedRequest } from '../apply/request-envelope.ts'
import type { AuthInfo } from '../auth/auth-store.ts'
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { delay } from '../base/clock.ts'
import { leaseId, noNode, type LeaseId, type NodeId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { StoreError } from '../errors/store-error.ts'
import { leaseTtlSecondsMin, type Lease } from '../lease/lease.ts'
import type { LeaseStore } from '../lease/lease-store.ts'
import type { LeaseExpiry } from './lease-expiry.ts'

/** What is known of a lease; `remainingSeconds` is −1 when there is none. */
export interface LeaseTime {
  readonly remainingSeconds: number
  readonly grantedSeconds: number
  readonly keys: readonly Uint8Array[]
}

/** What a node asks the one that leads; each answers as the function of the same name there. */
export interface LeaderLeases {
  renew(leader: NodeId, id: LeaseId): Promise<number>
  timeToLive(leader: NodeId, id: LeaseId, wantsKeys: boolean): Promise<LeaseTime>
}

export interface LeaseRequestsParts {
  readonly clock: Clock
  readonly random: Random
  readonly expiry: LeaseExpiry
  readonly leases: () => LeaseStore
  readonly leader: () => NodeId
  readonly memberId: NodeId
  readonly remote: LeaderLeases
  readonly propose: (
    request: LoggedRequest,
    requester: AuthInfo | undefined,
  ) => Promise<ApplyResult>
  /** Refuses who may not touch all keys of a lease. */
  readonly checkKeys: (
    requester: AuthInfo | undefined,
    id: LeaseId,
    access: 'read' | 'write',
  ) => void
  /** Waits until everything committed before the call is applied here, and leadership is confirmed. */
  readonly confirm: () => Promise<void>
  /** Whether so much time passed since the driver's last tick that somebody else may lead by now. */
  readonly mayBePaused: () => boolean
  /** Why there is no room for another lease; undefined: there is. */
  readonly refusalForSpace: () => StoreError | undefined
}

/** How long a node waits before it asks again who leads. */
const leaderRetryMs = 50

const noLeaseTime: LeaseTime = { remainingSeconds: -1, grantedSeconds: 0, keys: [] }

/** The door for requests about leases. */
export class LeaseRequests {
  private readonly parts: LeaseRequestsParts
  private readonly options: { readonly electionMs: number; readonly requestTimeoutMs: number }

  constructor(
    parts: LeaseRequestsParts,
    options: { readonly electionMs: number; readonly requestTimeoutMs: number },
  ) {
    this.parts = parts
    this.options = options
  }

  /**
   * @param asked  id 0: one is chosen; a time below the least is raised
   * @throws StoreError `leaseExist`, `leaseTtlTooLarge`, `noSpace`, and those of every write
   */
  async grant(
    asked: { readonly id: bigint; readonly ttlSeconds: bigint },
    requester?: AuthInfo,
  ): Promise<Lease> {
    const refusal = this.parts.refusalForSpace()
    if (refusal !== undefined) throw refusal
    const least = BigInt(leaseTtlSecondsMin(this.options.electionMs))
    const ttlSeconds = asked.ttlSeconds < least ? least : asked.ttlSeconds
    for (;;) {
      const id = asked.id === 0n ? this.drawId() : leaseId(asked.id)
      try {
        const result = await this.parts.propose(
          {
            kind: 'leaseGrant',
            request: { ID: id, TTL: ttlSeconds },
          },
          requester,
        )
        assert(result.kind === 'leaseGrant', 'a grant is answered as one')
        return result.lease
      } catch (error) {
        // A drawn id that is taken is bad luck, not the client's fault.
        const isTaken = error instanceof StoreError && error.code === 'leaseExist'
        if (!isTaken || asked.id !== 0n) throw error
      }
    }
  }

  /** @throws StoreError `leaseNotFound`, and those of every write */
  async revoke(id: bigint, requester?: AuthInfo): Promise<void> {
    await this.parts.propose({ kind: 'leaseRevoke', request: { ID: leaseId(id) } }, requester)
  }

  /** Known here, without asking anybody. */
  list(requester?: AuthInfo): readonly LeaseId[] {
    const ids = this.parts.expiry.listByExpiry()
    for (const id of ids) this.parts.checkKeys(requester, id, 'read')
    return ids
  }

  /**
   * Gives a lease its time again, wherever the leader is.
   * @returns seconds granted; 0 when there is no such lease (any more)
   * @throws StoreError `timeout`, `stopped`
   */
  renew(id: LeaseId, requester?: AuthInfo): Promise<number> {
    this.parts.checkKeys(requester, id, 'write')
    return this.atLeader(
      () => this.renewHere(id),
      (leader) => this.parts.remote.renew(leader, id),
    )
  }

  /** @throws StoreError `timeout`, `stopped` */
  timeToLive(id: LeaseId, wantsKeys: boolean, requester?: AuthInfo): Promise<LeaseTime> {
    if (wantsKeys) this.parts.checkKeys(requester, id, 'read')
    return this.atLeader(
      () => this.timeToLiveHere(id, wantsKeys),
      (leader) => this.parts.remote.timeToLive(leader, id, wantsKeys),
    )
  }

  /** As {@link renew}, by this node or not at all: undefined when it does not keep the time. */
  async renewHere(id: LeaseId): Promise<number | undefined> {
    const { expiry, leases, confirm, mayBePaused } = this.parts
    // A lease that was just granted may not have been applied; a leader that was paused may have been replaced.
    if (!leases().has(id) || mayBePaused()) await confirm()
    if (!expiry.isPrimary) return undefined
    if (expiry.hasExpired(id)) {
      await expiry.whenEnded(id)
      // It ended, or this node keeps the time no more: the question is put again, to whoever does.
      if (leases().has(id)) return undefined
    }
    const lease = leases().find(id)
    if (lease === undefined) return 0
    expiry.renew(lease)
    return lease.ttlSeconds
  }

  /** As {@link timeToLive}, by this node or not at all: undefined when it does not keep the time. */
  async timeToLiveHere(id: LeaseId, wantsKeys: boolean): Promise<LeaseTime | undefined> {
    const { expiry, leases, confirm } = this.parts
    await confirm()
    await failpointPause('beforeLookupWhenLeaseTimeToLive')
    if (!expiry.isPrimary) return undefined
    const lease = leases().find(id)
    if (lease === undefined) return noLeaseTime
    return {
      remainingSeconds: expiry.remainingSeconds(id) ?? 0,
      grantedSeconds: lease.ttlSeconds,
      keys: wantsKeys ? leases().keysOf(id) : [],
    }
  }

  private drawId(): LeaseId {
    for (;;) {
      const id = leaseId(BigInt.asUintN(63, this.parts.random.bits64()))
      if (id !== 0n) return id
    }
  }

  /** Leaders change under the question; it is put again until its time is up. */
  private async atLeader<Answer>(
    here: () => Promise<Answer | undefined>,
    there: (leader: NodeId) => Promise<Answer>,
  ): Promise<Answer> {
    const { clock, leader, memberId } = this.parts
    const deadlineMs = clock.monotonicMs() + this.options.requestTimeoutMs
    for (;;) {
      const answer = await this.attempt({ here, there, leader: leader(), memberId })
      if (answer !== undefined) return answer
      if (clock.monotonicMs() >= deadlineMs) throw new StoreError('timeout')
      await delay(clock, leaderRetryMs)
    }
  }

  private async attempt<Answer>(question: {
    readonly here: () => Promise<Answer | undefined>
    readonly there: (leader: NodeId) => Promise<Answer>
    readonly leader: NodeId
    readonly memberId: NodeId
  }): Promise<Answer | undefined> {
    const { here, there, leader, memberId } = question
    if (leader === noNode) return undefined
    if (leader === memberId) return here()
    try {
      return await there(leader)
    } catch (error) {
      // Unreachable, or not the leader any more.
      if (error instanceof StoreError && error.code !== 'stopped') return undefined
      throw error
    }
  }
}
