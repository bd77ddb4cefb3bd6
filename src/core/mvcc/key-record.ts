/**
 * Records of the `key` bucket: one per change, never overwritten.
 *
 *     value = mvccpb.KeyValue  CRC-32C of it (4 B LE)
 *
 * The checksum is there because LMDB has none: a flipped bit must become an error and never an answer.
 */

import { crc32c } from '@node-rs/crc32'
import { StorageFault } from '../errors/storage-fault.ts'
import type { BackendBatch, BackendReader } from '../backend/backend.ts'
import type { ByteArena } from './byte-arena.ts'
import { encodeRevisionKey, type Revision } from './revision.ts'
import {
  encodedSizeBytes,
  storedKeyValueFrom,
  storedKeyValueOf,
  writeKeyValue,
  type KeyValueFields,
  type StoredKeyValue,
} from './stored-key-value.ts'

const checksumSizeBytes = 4

/** Writes the record of a change and returns it; the returned bytes are the store's own copy. */
export function putKeyRecord(
  batch: BackendBatch,
  revision: Revision,
  options: {
    readonly fields: KeyValueFields
    readonly isTombstone: boolean
    readonly arena: ByteArena
  },
): StoredKeyValue {
  const { fields, arena } = options
  const record = arena.allocate(encodedSizeBytes(fields) + checksumSizeBytes)
  writeKeyValue(record, fields)
  const encoded = record.subarray(0, record.length - checksumSizeBytes)
  writeChecksum(record, crc32c(encoded))
  batch.put('key', encodeRevisionKey(revision.main, revision.sub, options.isTombstone), record)
  return storedKeyValueFrom(encoded, fields)
}

/**
 * The pair that a put wrote.
 *
 * @throws StorageFault when the record is missing or damaged: the index named it
 */
export function getKeyRecord(reader: BackendReader, revision: Revision): StoredKeyValue {
  const record = reader.get('key', encodeRevisionKey(revision.main, revision.sub))
  if (record === undefined) {
    throw new StorageFault(
      `the record of revision ${revision.main}.${revision.sub} is missing although the index names it`,
      { path: 'key' },
    )
  }
  return storedKeyValueOf(encodedOfRecord(record))
}

/**
 * The message inside a record, checked.
 *
 * @throws StorageFault when the checksum is wrong
 */
export function encodedOfRecord(record: Uint8Array): Uint8Array {
  const size = record.length - checksumSizeBytes
  const encoded = record.subarray(0, Math.max(size, 0))
  if (size < 0 || readChecksum(record) !== crc32c(encoded)) {
    throw new StorageFault('a stored record does not match its checksum', { path: 'key' })
  }
  return encoded
}

function writeChecksum(record: Uint8Array, checksum: number): void {
  const offset = record.length - checksumSizeBytes
  record[offset] = checksum
  record[offset + 1] = checksum >>> 8
  record[offset + 2] = checksum >>> 16
  record[offset + 3] = checksum >>> 24
}

function readChecksum(record: Uint8Array): number {
  const offset = record.length - checksumSizeBytes
  return (
    ((record[offset] ?? 0) |
      ((record[offset + 1] ?? 0) << 8) |
      ((record[offset + 2] ?? 0) << 16) |
      ((record[offset + 3] ?? 0) << 24)) >>>
    0
  )
}
