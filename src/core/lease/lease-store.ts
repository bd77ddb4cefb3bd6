/**
 * Leases and the keys attached to them, the same on all members.
 *
 * The problem: when a lease ends, all its keys must go, and to find them by reading every key's record would make both the
 * end of a lease and the start of a node as slow as the store is large. The plain idea: two buckets. `lease` holds one
 * record per lease, as etcd's does. `lease_item` holds one record per attached key, under the lease's id and a running
 * number, because keys may be longer than any bucket's key. Both are mirrored in memory; keys without a lease appear in
 * neither and cost nothing. Example: `put a` with lease 7, then `put b` with lease 7, give the items (7, 1) → a and
 * (7, 2) → b; `put a` without a lease removes (7, 1).
 *
 * Time is not known here: expiry is the leader's affair alone, see `lease-clock.ts`.
 */
import type { BackendBatch, BackendReader } from '../backend/backend.ts'
import { readUint64, writeUint64 } from '../backend/buckets.ts'
import { bytesOfLatin1, copyBytes, latin1Of } from '../base/bytes.ts'
import { hexId, leaseId, noLease, type LeaseId } from '../base/ids.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import { StoreError } from '../errors/store-error.ts'
import { Lease as LeaseMessage } from '../proto/gen/lease.ts'
import type { Lease } from './lease.ts'

interface HeldLease {
  lease: Lease
  /** Attached keys as Latin-1 text; not in order. */
  readonly keys: Set<string>
}

interface Attachment {
  readonly lease: LeaseId
  readonly itemNumber: number
}

/** All leases; changed only by applied entries. */
export class LeaseStore {
  /** Invariant: the same as the bucket `lease` with the open batch. */
  private readonly held = new Map<LeaseId, HeldLease>()
  /** By key as Latin-1 text. Invariant: mirrors `HeldLease.keys` and the bucket `lease_item` with the open batch. */
  private readonly attachments = new Map<string, Attachment>()
  private lastItemNumber = 0

  /** @throws StorageFault  a stored record cannot be read */
  static open(reader: BackendReader): LeaseStore {
    const store = new LeaseStore()
    for (const { key, value } of reader.scan('lease', {})) store.load(key, value)
    for (const { key, value } of reader.scan('lease_item', {})) store.loadItem(key, value)
    return store
  }

  /** Number of leases. */
  get count(): number {
    return this.held.size
  }

  has(id: LeaseId): boolean {
    return this.held.has(id)
  }

  find(id: LeaseId): Lease | undefined {
    return this.held.get(id)?.lease
  }

  /** All leases, by id. */
  list(): readonly Lease[] {
    return [...this.held.values()]
      .map(({ lease }) => lease)
      .sort((left, right) => (left.id < right.id ? -1 : 1))
  }

  /** The lease of a key, or `noLease`. */
  leaseOf(key: Uint8Array): LeaseId {
    if (this.attachments.size === 0) return noLease
    return this.attachments.get(latin1Of(key))?.lease ?? noLease
  }

  /** Attached keys in byte order, which every member must delete them in; empty for a lease that is not there. */
  keysOf(id: LeaseId): readonly Uint8Array[] {
    const keys = this.held.get(id)?.keys
    return keys === undefined ? [] : [...keys].sort().map(bytesOfLatin1)
  }

  /** @throws StoreError `leaseExist` */
  grant(batch: BackendBatch, lease: Lease): void {
    if (this.held.has(lease.id)) throw new StoreError('leaseExist', { lease: hexId(lease.id) })
    this.write(batch, { lease, keys: new Set() })
  }

  /**
   * Removes a lease and what is written of its attachments. Its keys are the caller's to delete, before, in the same batch.
   * @throws StoreError `leaseNotFound`
   */
  remove(batch: BackendBatch, id: LeaseId): void {
    const held = this.mustHold(id)
    for (const key of held.keys) this.detach(batch, key)
    this.held.delete(id)
    batch.remove('lease', encodeLeaseKey(id))
  }

  /** Writes down what is left of a lease's time; nothing for a lease that has gone meanwhile. */
  checkpoint(batch: BackendBatch, id: LeaseId, remainingTtlSeconds: number): void {
    const held = this.held.get(id)
    if (held === undefined) return
    this.write(batch, { lease: { ...held.lease, remainingTtlSeconds }, keys: held.keys })
  }

  /**
   * Follows one written or deleted key: whatever lease it had before, it has this one now. To be called for every change of
   * a revision, in order.
   *
   * @param id  must exist, or be `noLease`
   */
  noteKey(batch: BackendBatch, key: Uint8Array, id: LeaseId): void {
    // Nearly all stores and keys have no leases.
    if (id === noLease && this.attachments.size === 0) return
    const name = latin1Of(key)
    if (this.attachments.get(name)?.lease === id) return
    this.detach(batch, name)
    if (id !== noLease) this.attach(batch, name, id)
  }

  private attach(batch: BackendBatch, name: string, id: LeaseId): void {
    const itemNumber = ++this.lastItemNumber
    this.mustHold(id).keys.add(name)
    this.attachments.set(name, { lease: id, itemNumber })
    batch.put('lease_item', encodeItemKey(id, itemNumber), bytesOfLatin1(name))
  }

  private detach(batch: BackendBatch, name: string): void {
    const attachment = this.attachments.get(name)
    if (attachment === undefined) return
    this.attachments.delete(name)
    this.held.get(attachment.lease)?.keys.delete(name)
    batch.remove('lease_item', encodeItemKey(attachment.lease, attachment.itemNumber))
  }

  private write(batch: BackendBatch, held: HeldLease): void {
    const { id } = held.lease
    this.held.set(id, held)
    batch.put('lease', encodeLeaseKey(id), encodeLease(held.lease))
  }

  private mustHold(id: LeaseId): HeldLease {
    const held = this.held.get(id)
    if (held === undefined) throw new StoreError('leaseNotFound', { lease: hexId(id) })
    return held
  }

  private load(key: Uint8Array, value: Uint8Array): void {
    const lease = decodeLease(value)
    if (key.length !== leaseKeySizeBytes || decodeLeaseKey(key) !== lease.id) {
      throw new StorageFault('a lease is stored under the id of another', { path: 'bucket lease' })
    }
    this.held.set(lease.id, { lease, keys: new Set() })
  }

  private loadItem(key: Uint8Array, value: Uint8Array): void {
    const held = this.held.get(decodeLeaseKey(key))
    if (key.length !== itemKeySizeBytes || held === undefined) {
      throw new StorageFault('a key is attached to a lease that is not there', {
        path: 'bucket lease_item',
      })
    }
    const name = latin1Of(value)
    const itemNumber = readUint64(key, leaseKeySizeBytes)
    held.keys.add(name)
    this.attachments.set(name, { lease: held.lease.id, itemNumber })
    this.lastItemNumber = Math.max(this.lastItemNumber, itemNumber)
  }
}

const leaseKeySizeBytes = 8
const itemKeySizeBytes = 16

/** The key of a lease in the bucket `lease`: its id, 8 bytes, big-endian. */
export function encodeLeaseKey(id: LeaseId): Uint8Array {
  const key = new Uint8Array(leaseKeySizeBytes)
  new DataView(key.buffer).setBigInt64(0, id)
  return key
}

/** The inverse of {@link encodeLeaseKey}; reads the first 8 bytes. */
export function decodeLeaseKey(key: Uint8Array): LeaseId {
  if (key.length < leaseKeySizeBytes) {
    throw new StorageFault('a lease has no valid id', { path: 'bucket lease' })
  }
  return leaseId(new DataView(key.buffer, key.byteOffset, key.length).getBigInt64(0))
}

/** leasepb.Lease, byte for byte as etcd stores it. */
export function encodeLease(lease: Lease): Uint8Array {
  return copyBytes(
    LeaseMessage.encode({
      ID: lease.id,
      TTL: BigInt(lease.ttlSeconds),
      RemainingTTL: BigInt(lease.remainingTtlSeconds),
    }).finish(),
  )
}

function decodeLease(value: Uint8Array): Lease {
  const message = LeaseMessage.decode(value)
  return {
    id: leaseId(message.ID),
    ttlSeconds: Number(message.TTL),
    remainingTtlSeconds: Number(message.RemainingTTL),
  }
}

function encodeItemKey(id: LeaseId, itemNumber: number): Uint8Array {
  const key = new Uint8Array(itemKeySizeBytes)
  key.set(encodeLeaseKey(id))
  writeUint64(key, leaseKeySizeBytes, itemNumber)
  return key
}
