/** Leases as entries change them. Source: etcd v3 API, Lease; what expires when is decided elsewhere, see `lease/lease-clock.ts`. */
import type { BackendBatch } from '../backend/backend.ts'
import { leaseId, type LeaseId } from '../base/ids.ts'
import { StoreError } from '../errors/store-error.ts'
import type { Lease } from '../lease/lease.ts'
import { leaseTtlSecondsMax } from '../lease/lease.ts'
import type { LeaseStore } from '../lease/lease-store.ts'
import type { RevisionChanges } from '../mvcc/change.ts'
import type { WriteView } from '../mvcc/write-view.ts'
import type {
  LeaseCheckpointRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
} from '../proto/gen/rpc.ts'

/** What entries did to leases, for whoever keeps the time. */
export interface LeaseChanges {
  readonly granted: Lease[]
  readonly revoked: LeaseId[]
}

export interface LeaseContext {
  readonly leases: LeaseStore
  readonly batch: BackendBatch
  readonly changes: LeaseChanges
}

/**
 * Grants a lease. The id and a time that is not too short were chosen before it was proposed.
 * @throws StoreError `leaseTtlTooLarge`, `leaseNotFound` (no id), `leaseExist`
 */
export function applyLeaseGrant(context: LeaseContext, request: LeaseGrantRequest): Lease {
  if (request.TTL > BigInt(leaseTtlSecondsMax)) throw new StoreError('leaseTtlTooLarge')
  if (request.ID === 0n) throw new StoreError('leaseNotFound')
  const lease: Lease = {
    id: leaseId(request.ID),
    ttlSeconds: Math.max(1, Number(request.TTL)),
    remainingTtlSeconds: 0,
  }
  context.leases.grant(context.batch, lease)
  context.changes.granted.push(lease)
  return lease
}

/**
 * Ends a lease and deletes its keys, in byte order and at one revision; none if it had no keys.
 * @throws StoreError `leaseNotFound`
 */
export function applyLeaseRevoke(
  context: LeaseContext,
  view: WriteView,
  request: LeaseRevokeRequest,
): void {
  const id = leaseId(request.ID)
  const { leases } = context
  if (!leases.has(id)) throw new StoreError('leaseNotFound', { lease: request.ID })
  for (const key of leases.keysOf(id)) {
    view.deleteRange({ start: key, end: undefined }, { isKeysOnly: true })
  }
  leases.remove(context.batch, id)
  context.changes.revoked.push(id)
}

/** Writes down what is left of the time of some leases; those that have gone are passed over. */
export function applyLeaseCheckpoint(context: LeaseContext, request: LeaseCheckpointRequest): void {
  for (const { ID, remainingTTL } of request.checkpoints) {
    context.leases.checkpoint(context.batch, leaseId(ID), Number(remainingTTL))
  }
}

/** Attaches and detaches the keys that a revision changed. */
export function followKeys(
  leases: LeaseStore,
  batch: BackendBatch,
  changes: RevisionChanges,
): void {
  // Nearly all nodes have no leases: their puts should not pay for them.
  if (leases.count === 0) return
  for (const { keyValue } of changes.changes) leases.noteKey(batch, keyValue.key, keyValue.lease)
}
