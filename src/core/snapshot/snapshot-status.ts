import { crc32c } from '@node-rs/crc32'
import { metaKeys } from '../backend/buckets.ts'
import { latin1Of } from '../base/bytes.ts'
import { checkBoltFile } from '../bolt/bolt-check.ts'
import { BoltFile } from '../bolt/bolt-reader.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { FileHandle } from '../io/file-system.ts'
import { revisionOfFileKey } from './database-import.ts'

/** What a snapshot file holds, as etcd's tools tell it. */
export interface SnapshotStatus {
  /** CRC-32C over the names of the buckets and all their records, in order. */
  readonly hash: number
  /** The newest revision; 0 where there is none. */
  readonly revision: number
  /** Records of all buckets together. */
  readonly totalKeyCount: number
  /** Size of all pages, without a checksum behind them. */
  readonly totalSizeBytes: number
  /** Of the storage; empty before etcd 3.6. */
  readonly version: string
}

/**
 * Checks a snapshot file and sums it up. The file is only read.
 *
 * @throws StorageFault  it is not a database, or does not hold together
 */
export async function readSnapshotStatus(
  file: FileHandle,
  sizeBytes: number,
): Promise<SnapshotStatus> {
  const bolt = await BoltFile.open(file, sizeBytes)
  const problems = await checkBoltFile(bolt)
  if (problems.length > 0) {
    throw new StorageFault(
      `snapshot file integrity check failed. ${problems.length} errors found.\n${problems.join('\n')}`,
      { path: bolt.path },
    )
  }
  let hash = 0
  let revision = 0
  let totalKeyCount = 0
  for (const bucket of await bolt.buckets()) {
    hash = crc32c(bucket.name, hash)
    const holdsRevisions = latin1Of(bucket.name) === 'key'
    for await (const records of bolt.scan(bucket.root)) {
      for (const { key, value, isBucket } of records) {
        hash = crc32c(key, hash)
        if (!isBucket) hash = crc32c(value, hash)
        if (holdsRevisions) revision = revisionOfFileKey(key, bolt.path).main
      }
      totalKeyCount += records.length
    }
  }
  return {
    hash,
    revision,
    totalKeyCount,
    totalSizeBytes: bolt.sizeBytes,
    version: await storageVersionOf(bolt),
  }
}

async function storageVersionOf(bolt: BoltFile): Promise<string> {
  const meta = await bolt.findBucket(new TextEncoder().encode('meta'))
  if (meta === undefined) return ''
  const version = await bolt.get(meta, metaKeys.storageVersion)
  return version === undefined ? '' : new TextDecoder().decode(version)
}
