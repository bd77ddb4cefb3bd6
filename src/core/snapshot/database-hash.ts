/**
 * The hash over everything that an etcd database file of the store would hold, by which tests of clusters compare members.
 *
 * As etcd computes it: CRC-32C over the buckets by name, of each its name, then key and value of every record in order.
 * What members may write at different times (how far they have come, the version of the storage) is left out.
 */
import { crc32c } from '@node-rs/crc32'
import type { BackendRecord, BackendView, BucketName } from '../backend/backend.ts'
import { metaKeys } from '../backend/buckets.ts'
import { concatBytes, latin1Of } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { encodedOfRecord } from '../mvcc/key-record.ts'
import { copiedBucketNames, isEtcdMetaKey } from './database-buckets.ts'

/** Work between two turns. */
const sliceMs = 2
/** Looking at the clock costs about as much as a record. */
const recordsBetweenLooks = 64

const encoder = new TextEncoder()
const smallestKey = Uint8Array.of(0)
const hashedBucketNames = [...copiedBucketNames, 'key', 'meta'].sort() as readonly BucketName[]
const unhashedMetaKeys: ReadonlySet<string> = new Set(
  [metaKeys.consistentIndex, metaKeys.term, metaKeys.storageVersion].map(latin1Of),
)

/**
 * 32 bits, unsigned.
 * @param view  stays the caller's to close
 * @throws StorageFault  a stored record is damaged
 */
export async function hashDatabase(view: BackendView, clock: Clock): Promise<number> {
  let hash = 0
  for (const name of hashedBucketNames) {
    hash = crc32c(encoder.encode(name), hash)
    let start: Uint8Array | undefined = smallestKey
    while (start !== undefined) {
      const slice = hashSlice(
        view,
        { name, start, hash, endMs: clock.monotonicMs() + sliceMs },
        clock,
      )
      hash = slice.hash
      start = slice.next
      if (start !== undefined) {
        await new Promise<void>((resolve) => {
          clock.nextTurn(resolve)
        })
      }
    }
  }
  return hash >>> 0
}

function hashSlice(
  view: BackendView,
  from: {
    readonly name: BucketName
    readonly start: Uint8Array
    readonly hash: number
    readonly endMs: number
  },
  clock: Clock,
): { readonly hash: number; readonly next: Uint8Array | undefined } {
  const { name, start, endMs } = from
  let { hash } = from
  let count = 0
  for (const record of view.scan(name, { start })) {
    if (isHashed(name, record)) {
      const value = name === 'key' ? encodedOfRecord(record.value) : record.value
      hash = crc32c(value, crc32c(record.key, hash))
    }
    count++
    if (count % recordsBetweenLooks === 0 && clock.monotonicMs() >= endMs) {
      return { hash, next: concatBytes([record.key, smallestKey]) }
    }
  }
  return { hash, next: undefined }
}

function isHashed(name: BucketName, { key }: BackendRecord): boolean {
  return name !== 'meta' || (isEtcdMetaKey(key) && !unhashedMetaKeys.has(latin1Of(key)))
}
