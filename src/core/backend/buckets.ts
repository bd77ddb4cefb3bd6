/**
 * Every bucket, what is in it, and the keys of the `meta` bucket.
 *
 * | bucket | key | value |
 * | --- | --- | --- |
 * | key | revision: main 8 B BE, `_`, sub 8 B BE; a tombstone appends `t` | a change, see `mvcc/key-record.ts` |
 * | head | etcd key, or the first part of a long one | newest version of the key, see `mvcc/key-index.ts` |
 * | longkey | node of the tree of long keys, part of a key | as `head`, see `mvcc/index-store.ts` |
 * | count | first key of a block | how many keys of the block are alive, see `mvcc/count-index.ts` |
 * | meta | names below | see below |
 * | lease | lease id 8 B BE | leasepb.Lease |
 * | lease_item | lease id 8 B BE, number 8 B BE | one key attached to that lease |
 * | alarm | etcdserverpb.AlarmMember | empty |
 * | cluster | `clusterVersion`, `downgrade` | text, JSON |
 * | members, members_removed | member id in hex | JSON; a marker |
 * | auth | `authEnabled`, `authRevision` | 1 B; 8 B BE |
 * | authUsers, authRoles | name | authpb.User, authpb.Role |
 */

import type { BucketName } from './backend.ts'

/** All buckets, in the order in which they are made, exported and compared. */
export const bucketNames = [
  'key',
  'head',
  'count',
  'longkey',
  'meta',
  'lease',
  'lease_item',
  'alarm',
  'cluster',
  'members',
  'members_removed',
  'auth',
  'authUsers',
  'authRoles',
] as const satisfies readonly BucketName[]

/** The longest key that any bucket takes, in bytes: what LMDB holds with 4 KiB pages, less a reserve. */
export const bucketKeySizeBytesMax = 1_900

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0))

/** Keys of the `meta` bucket. */
export const metaKeys = {
  /** Index of the last applied entry, 8 B BE; in the same batch as that entry's effects. */
  consistentIndex: ascii('consistent_index'),
  /** Term of that entry, 8 B BE. */
  term: ascii('term'),
  /** raftpb.ConfState as JSON. */
  confState: ascii('confState'),
  /** Revision (17 B) up to which history is gone for readers. */
  scheduledCompactRevision: ascii('scheduledCompactRev'),
  /** Revision (17 B) up to which history was removed; behind the scheduled one while a compaction is running. */
  finishedCompactRevision: ascii('finishedCompactRev'),
  storageVersion: ascii('storageVersion'),
  /** Version of the layout of all buckets that are not etcd's own, 1 B. */
  layoutVersion: ascii('layoutVersion'),
  /** Last number given to a node of the tree of long keys, 8 B BE. */
  longKeyNodeNumber: ascii('longKeyNode'),
} as const

/** A non-negative safe integer as 8 bytes, big-endian, so that byte order is number order. */
export function encodeUint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  writeUint64(bytes, 0, value)
  return bytes
}

/** Writes 8 bytes big-endian at `offset`. */
export function writeUint64(target: Uint8Array, offset: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000)
  const low = value % 0x1_0000_0000
  target[offset] = high >>> 24
  target[offset + 1] = high >>> 16
  target[offset + 2] = high >>> 8
  target[offset + 3] = high
  target[offset + 4] = low >>> 24
  target[offset + 5] = low >>> 16
  target[offset + 6] = low >>> 8
  target[offset + 7] = low
}

/** The inverse of {@link writeUint64}; the result may be unsafe when the bytes were never written by it. */
export function readUint64(source: Uint8Array, offset: number): number {
  return readUint32(source, offset) * 0x1_0000_0000 + readUint32(source, offset + 4)
}

/** Four bytes, big-endian. */
export function readUint32(source: Uint8Array, offset: number): number {
  return (
    (((source[offset] ?? 0) << 24) |
      ((source[offset + 1] ?? 0) << 16) |
      ((source[offset + 2] ?? 0) << 8) |
      (source[offset + 3] ?? 0)) >>>
    0
  )
}

/** Writes four bytes, big-endian. */
export function writeUint32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24
  target[offset + 1] = value >>> 16
  target[offset + 2] = value >>> 8
  target[offset + 3] = value
}
