/**
 * The state of a store as an etcd database file, there and back.
 *
 * The problem: a saved snapshot must be what etcd's tools verify and restore, while the store itself keeps an index that
 * etcd rebuilds at each start. The plain idea: of each of our buckets the file gets what etcd has in it, byte for byte;
 * what only we have (heads, history, counts, attached keys, long keys) is left out on the way there and built anew from
 * the revisions on the way back. Example: `put a 1` gives the file one record in `key`, the revision with the encoded
 * pair; ours with its checksum, the head of `a`, and a count are made of it again.
 *
 * | bucket | in the file |
 * | --- | --- |
 * | key | revision → mvccpb.KeyValue; ours without its checksum |
 * | meta | as ours, the names below only |
 * | all others below | as ours |
 */
import type { BucketName } from '../backend/backend.ts'
import { metaKeys } from '../backend/buckets.ts'
import { latin1Of } from '../base/bytes.ts'

/** Buckets of an etcd database that are ours as well and hold the same bytes. */
export const copiedBucketNames = [
  'alarm',
  'auth',
  'authRoles',
  'authUsers',
  'cluster',
  'lease',
  'members',
  'members_removed',
] as const satisfies readonly BucketName[]

const etcdMetaKeys: ReadonlySet<string> = new Set(
  [
    metaKeys.consistentIndex,
    metaKeys.term,
    metaKeys.confState,
    metaKeys.scheduledCompactRevision,
    metaKeys.finishedCompactRevision,
    metaKeys.storageVersion,
  ].map(latin1Of),
)

/** Whether a record of the `meta` bucket is etcd's, and not one that only we have. */
export function isEtcdMetaKey(key: Uint8Array): boolean {
  return etcdMetaKeys.has(latin1Of(key))
}

/** Whether a bucket of this name is taken over as it is. */
export function isCopiedBucket(name: string): name is (typeof copiedBucketNames)[number] {
  return (copiedBucketNames as readonly string[]).includes(name)
}
