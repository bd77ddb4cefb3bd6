/**
 * When leases end. Runs on the leader alone; everywhere else every lease lives for ever.
 *
 * The problem: a lease must never end early for an owner who renewed in time, but who leads changes, and renewals are not
 * written down. The plain idea: a node that begins to lead gives every lease its whole time again, and an election's length
 * more; what has run out is handed to the driver, which proposes to revoke it, and only the applied entry ends the lease.
 * Times to come stand in an ordered tree of (time, id), so a look at what is due costs only what is due.
 *
 * Pure: the caller passes a monotonic time, in milliseconds, to each call.
 *
 * @see etcd's lessor: promotion, expiry heap, spreading of leases that would end together
 */
import { sortedTree } from '../backend/sorted-tree.ts'
import { assert } from '../base/assert.ts'
import type { LeaseId } from '../base/ids.ts'
import type { Lease } from './lease.ts'

/** Leases revoked per second at most; etcd's figure. */
export const revocationsPerSecondMax = 1_000

/** At the start of a term no more than this share of that rate may end within one second. */
const spreadShare = 0.75

interface Due {
  /** When the lease ends for its owner. */
  expiryMs: number
  /** When it is handed to the driver: at its end, and later again, should the revocation be lost. */
  handOverMs: number
}

/** Text that sorts by time, and by id where times are equal. */
function queueName(timeMs: number, id: LeaseId): string {
  return `${timeName(timeMs)} ${BigInt.asUintN(64, id).toString(16)}`
}

/** Sorts before every name of that millisecond. A part of one counts as a whole: late, never early. */
function timeName(timeMs: number): string {
  return String(Math.ceil(timeMs)).padStart(16, '0')
}

/** Expiry times of one node's leases while it leads. */
export class LeaseClock {
  private isLeading = false
  private readonly dues = new Map<LeaseId, Due>()
  /** Invariant: holds exactly one entry per lease in `dues`, named by its `handOverMs`. */
  private readonly queue = sortedTree<LeaseId>()

  /** Whether this node decides about expiry. */
  get isPrimary(): boolean {
    return this.isLeading
  }

  /**
   * Begins to lead: every lease gets its time and `extendMs` on top. Where too many would end in the same second, the later
   * ones get more.
   */
  promote(leases: readonly Lease[], nowMs: number, extendMs: number): void {
    this.demote()
    this.isLeading = true
    const perSecond = revocationsPerSecondMax * spreadShare
    const ordered = [...leases].sort((left, right) => secondsLeft(left) - secondsLeft(right))
    let windowStartMs = Number.NEGATIVE_INFINITY
    let countInWindow = 0
    for (const lease of ordered) {
      let expiryMs = nowMs + extendMs + secondsLeft(lease) * 1_000
      if (expiryMs >= windowStartMs + 1_000) {
        windowStartMs = expiryMs
        countInWindow = 0
      } else if (countInWindow >= perSecond) {
        windowStartMs += 1_000
        countInWindow = 0
      }
      expiryMs = Math.max(expiryMs, windowStartMs)
      countInWindow++
      this.schedule(lease.id, expiryMs)
    }
  }

  /** Leads no more. */
  demote(): void {
    this.isLeading = false
    this.dues.clear()
    this.queue.clear()
  }

  /** A lease was granted; nothing happens unless this node leads. */
  noteGranted(lease: Lease, nowMs: number): void {
    if (this.isLeading) this.schedule(lease.id, nowMs + secondsLeft(lease) * 1_000)
  }

  /** A lease was revoked. */
  noteRevoked(id: LeaseId): void {
    const due = this.dues.get(id)
    if (due === undefined) return
    this.queue.delete(queueName(due.handOverMs, id))
    this.dues.delete(id)
  }

  /** Gives a lease its whole time again. The caller has checked that it exists and has not ended. */
  renew(lease: Lease, nowMs: number): void {
    assert(this.isLeading, 'only the leader renews leases')
    this.schedule(lease.id, nowMs + lease.ttlSeconds * 1_000)
  }

  /** Whether its time is over, though it may not have been revoked yet. A lease that is not there has not expired. */
  hasExpired(id: LeaseId, nowMs: number): boolean {
    const due = this.dues.get(id)
    return due !== undefined && due.expiryMs <= nowMs
  }

  /** Milliseconds left, negative once the time is over; undefined when this node does not know. */
  remainingMs(id: LeaseId, nowMs: number): number | undefined {
    const due = this.dues.get(id)
    return due === undefined ? undefined : due.expiryMs - nowMs
  }

  /** Ids with their time of expiry, the earliest first. */
  byExpiry(): readonly LeaseId[] {
    return [...this.dues.entries()]
      .sort(([, left], [, right]) => left.expiryMs - right.expiryMs)
      .map(([id]) => id)
  }

  /**
   * Leases whose time is over, the longest overdue first. Each comes again after `retryMs` unless it was revoked by then.
   */
  takeExpired(
    nowMs: number,
    options: { readonly countMax: number; readonly retryMs: number },
  ): LeaseId[] {
    const taken: LeaseId[] = []
    const end = timeName(Math.floor(nowMs) + 1)
    while (taken.length < options.countMax) {
      const first = this.queue.nextHigherPair(undefined)
      if (first === undefined || first[0] >= end) break
      taken.push(first[1])
      this.requeue(first[1], nowMs + options.retryMs)
    }
    return taken
  }

  private schedule(id: LeaseId, expiryMs: number): void {
    const due = this.dues.get(id)
    if (due !== undefined) this.queue.delete(queueName(due.handOverMs, id))
    this.dues.set(id, { expiryMs, handOverMs: expiryMs })
    this.queue.set(queueName(expiryMs, id), id)
  }

  private requeue(id: LeaseId, handOverMs: number): void {
    const due = this.dues.get(id)
    assert(due !== undefined, 'what is queued is due')
    this.queue.delete(queueName(due.handOverMs, id))
    due.handOverMs = handOverMs
    this.queue.set(queueName(handOverMs, id), id)
  }
}

function secondsLeft(lease: Lease): number {
  return lease.remainingTtlSeconds > 0 ? lease.remainingTtlSeconds : lease.ttlSeconds
}
