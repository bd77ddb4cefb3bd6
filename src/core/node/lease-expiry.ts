/**
 * Sees to it that leases end: on the leader, and only there.
 *
 * The problem: a lease must end although nobody asks for it, on all members alike. The plain idea: the leader looks every
 * half a second for leases whose time is over and proposes to revoke them, as if a client had; what ends a lease is the
 * applied entry. A node begins to keep the time when it applies the first entry of its own term, because only then does it
 * know every lease granted before, and stops when it learns that it does not lead any more. Two nodes may keep the time for
 * a moment: the proposals of the one that was replaced come to nothing.
 */
import { failpoint } from '../base/failpoints.ts'
import { doublingSeconds, TimeHistogram } from '../base/time-histogram.ts'
import type { LeaseChanges } from '../apply/apply-lease.ts'
import type { ApplyResult } from '../apply/apply-result.ts'
import type { LoggedRequest } from '../apply/request-envelope.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { hexId, type LeaseId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import { StoreError } from '../errors/store-error.ts'
import type { Lease } from '../lease/lease.ts'
import { LeaseClock, revocationsPerSecondMax } from '../lease/lease-clock.ts'
import type { LeaseStore } from '../lease/lease-store.ts'

/** How often the leader looks for leases whose time is over. */
const scanIntervalMs = 500

const revocationsPerScanMax = (revocationsPerSecondMax * scanIntervalMs) / 1_000

/** Revocations proposed and not yet answered. */
const inFlightMax = 16

/** How often what is left of long leases is written down, and from how much on; etcd's figures. */
const checkpointIntervalMs = 5 * 60_000
const leasesPerCheckpointMax = 1_000

export interface LeaseExpiryParts {
  readonly clock: Clock
  readonly logger: Logger
  /** The leases of the database in force. */
  readonly leases: () => LeaseStore
  readonly propose: (request: LoggedRequest) => Promise<ApplyResult>
}

export interface LeaseExpiryOptions {
  /** What a new leader adds to every lease: the time in which nobody could renew. */
  readonly electionMs: number
  /** A revocation that had no effect within this time is proposed again. */
  readonly requestTimeoutMs: number
  /** Whether what is left of long leases is written down, so that a new leader does not give them their whole time again. */
  readonly writesCheckpoints: boolean
}

/** Keeps the time of leases while this node leads. */
export class LeaseExpiry {
  private readonly parts: LeaseExpiryParts
  private readonly options: LeaseExpiryOptions
  private readonly time = new LeaseClock()
  private waiting: LeaseId[] = []
  private inFlightCount = 0
  private scanTimer: Timer | undefined
  private checkpointTimer: Timer | undefined
  /** Told when a lease was revoked, or when this node does not keep the time any more. */
  /** Times to live of leases that were granted since the start. */
  readonly grantedTtls = new TimeHistogram(doublingSeconds(1, 24))
  revokedCount = 0
  renewedCount = 0
  /** Leases whose time was over and that were to be revoked for it, by this node. */
  expiredCount = 0
  private readonly endListeners = new Map<LeaseId, (() => void)[]>()

  constructor(parts: LeaseExpiryParts, options: LeaseExpiryOptions) {
    this.parts = parts
    this.options = options
  }

  /** Whether this node decides about expiry. */
  get isPrimary(): boolean {
    return this.time.isPrimary
  }

  /** The first entry of this node's own term was applied. */
  promote(): void {
    const { clock, leases } = this.parts
    this.demote()
    this.time.promote(leases().list(), clock.monotonicMs(), this.options.electionMs)
    this.scheduleScan()
    if (this.options.writesCheckpoints) this.scheduleCheckpoints()
  }

  /** This node does not lead any more, or stops. */
  demote(): void {
    this.time.demote()
    this.scanTimer?.cancel()
    this.scanTimer = undefined
    this.checkpointTimer?.cancel()
    this.checkpointTimer = undefined
    this.waiting = []
    for (const id of [...this.endListeners.keys()]) this.tellEnded(id)
  }

  /** Entries changed leases. */
  note(changes: LeaseChanges): void {
    const nowMs = this.parts.clock.monotonicMs()
    for (const lease of changes.granted) {
      this.grantedTtls.recordMs(lease.ttlSeconds * 1_000)
      this.time.noteGranted(lease, nowMs)
    }
    this.revokedCount += changes.revoked.length
    for (const id of changes.revoked) {
      this.time.noteRevoked(id)
      this.tellEnded(id)
    }
  }

  /** Whether the time of a lease is over; it may not have been revoked yet. */
  hasExpired(id: LeaseId): boolean {
    return this.time.hasExpired(id, this.parts.clock.monotonicMs())
  }

  /** Gives a lease its whole time again. Only for the primary, and a lease that is there and has not expired. */
  renew(lease: Lease): void {
    this.renewedCount++
    this.time.renew(lease, this.parts.clock.monotonicMs())
    if (lease.remainingTtlSeconds === 0) return
    failpoint('beforeCheckpointInLeaseRenew')
    // What was written down as left is less than what it has now.
    this.proposeQuietly({
      kind: 'leaseCheckpoint',
      request: { checkpoints: [{ ID: lease.id, remainingTTL: 0n }] },
    })
  }

  /** Seconds left, rounded down; undefined when this node does not know. */
  remainingSeconds(id: LeaseId): number | undefined {
    const leftMs = this.time.remainingMs(id, this.parts.clock.monotonicMs())
    return leftMs === undefined ? undefined : Math.floor(leftMs / 1_000)
  }

  /** Ids by their end where this node knows it, else by id. */
  listByExpiry(): readonly LeaseId[] {
    if (this.isPrimary) return this.time.byExpiry()
    return this.parts
      .leases()
      .list()
      .map(({ id }) => id)
  }

  /** Resolves once a lease was revoked, or this node does not keep the time any more. */
  whenEnded(id: LeaseId): Promise<void> {
    return new Promise((resolve) => {
      const listeners = this.endListeners.get(id)
      if (listeners === undefined) this.endListeners.set(id, [resolve])
      else listeners.push(resolve)
    })
  }

  private tellEnded(id: LeaseId): void {
    const listeners = this.endListeners.get(id) ?? []
    this.endListeners.delete(id)
    for (const listener of listeners) listener()
  }

  private scheduleScan(): void {
    this.scanTimer = this.parts.clock.setTimer(scanIntervalMs, () => {
      this.scan()
      this.scheduleScan()
    })
  }

  private scan(): void {
    const expired = this.time.takeExpired(this.parts.clock.monotonicMs(), {
      countMax: revocationsPerScanMax,
      retryMs: this.options.requestTimeoutMs,
    })
    const known = new Set(this.waiting)
    this.waiting.push(...expired.filter((id) => !known.has(id)))
    this.revokeWaiting()
  }

  private revokeWaiting(): void {
    while (this.inFlightCount < inFlightMax) {
      const id = this.waiting.shift()
      if (id === undefined) return
      this.revoke(id)
    }
  }

  private revoke(id: LeaseId): void {
    const { logger, propose } = this.parts
    this.inFlightCount++
    this.expiredCount++
    propose({ kind: 'leaseRevoke', request: { ID: id } })
      .catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error
        // It has gone already, or it comes again with the next scans.
        logger.debug('a lease whose time is over was not revoked', {
          lease: hexId(id),
          reason: error.message,
        })
      })
      .finally(() => {
        this.inFlightCount--
        this.revokeWaiting()
      })
      .catch((error: unknown) => {
        logger.error('a lease could not be revoked', { reason: String(error) })
      })
  }

  private scheduleCheckpoints(): void {
    this.checkpointTimer = this.parts.clock.setTimer(checkpointIntervalMs, () => {
      this.writeCheckpoints()
      this.scheduleCheckpoints()
    })
  }

  private writeCheckpoints(): void {
    const nowMs = this.parts.clock.monotonicMs()
    const checkpoints: { ID: bigint; remainingTTL: bigint }[] = []
    for (const id of this.time.byExpiry()) {
      const leftMs = this.time.remainingMs(id, nowMs) ?? 0
      if (leftMs <= checkpointIntervalMs) continue
      checkpoints.push({ ID: id, remainingTTL: BigInt(Math.ceil(leftMs / 1_000)) })
    }
    for (let start = 0; start < checkpoints.length; start += leasesPerCheckpointMax) {
      const batch = checkpoints.slice(start, start + leasesPerCheckpointMax)
      this.proposeQuietly({ kind: 'leaseCheckpoint', request: { checkpoints: batch } })
    }
  }

  /** Nobody waits for it, and the next one says the same. */
  private proposeQuietly(request: LoggedRequest): void {
    this.parts.propose(request).catch((error: unknown) => {
      this.parts.logger.warn('what is left of leases could not be written down', {
        reason: String(error),
      })
    })
  }
}
