import type { Backend, BackendBatch } from '../backend/backend.ts'
import { metaKeys, readUint64 } from '../backend/buckets.ts'
import { copyBytes, emptyBytes, latin1Of } from '../base/bytes.ts'
import { leaseId, noLease } from '../base/ids.ts'
import type { BoltRecord } from '../bolt/bolt-page.ts'
import { BoltFile } from '../bolt/bolt-reader.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { FileHandle } from '../io/file-system.ts'
import { LeaseStore } from '../lease/lease-store.ts'
import { markLayout } from '../mvcc/restore.ts'
import type { Revision } from '../mvcc/revision.ts'
import { RevisionImport } from '../mvcc/revision-import.ts'
import type { KeyValueFields } from '../mvcc/stored-key-value.ts'
import { ByteReader, MalformedMessage } from '../proto/byte-reader.ts'
import { isCopiedBucket, isEtcdMetaKey } from './database-buckets.ts'

/** Changes of one batch, and its size; what is not flushed is held in memory. */
const batchRecordCountMax = 2_000
const batchSizeBytesMax = 4 * 1_024 * 1_024

/**
 * Opens an etcd database file and fills an empty backend with it, as {@link importDatabaseFile} does.
 *
 * @throws StorageFault  the file is no such database, is damaged, or holds a record of a form that is not known
 */
export async function importOpenFile(
  file: FileHandle,
  sizeBytes: number,
  backend: Backend,
): Promise<void> {
  await importDatabaseFile(await BoltFile.open(file, sizeBytes), backend)
}

/**
 * Fills an empty backend with what an etcd database file holds: all revisions with their index, leases with the keys
 * attached to them, users and roles, alarms, members, markers of compaction, the applied index. Buckets that are not
 * known are left out. Durable when this resolves; where it rejects, the backend is to be thrown away.
 *
 * @returns  the newest revision
 * @throws StorageFault  the file is damaged, or holds a record of a form that is not known
 */
export async function importDatabaseFile(
  file: BoltFile,
  backend: Backend,
): Promise<{ readonly revision: number }> {
  const target = new ImportTarget(backend)
  const buckets = new Map(
    (await file.buckets()).map((bucket) => [latin1Of(bucket.name), bucket] as const),
  )
  const keys = buckets.get('key')
  if (keys === undefined) {
    throw new StorageFault(`${file.path}: the database has no bucket for keys`, { path: file.path })
  }
  for (const [name, bucket] of buckets) {
    if (name !== 'meta' && !isCopiedBucket(name)) continue
    for await (const records of file.scan(bucket.root)) {
      for (const { key, value } of records) {
        if (name === 'meta' && !isEtcdMetaKey(key)) continue
        target.batch().put(name, copyBytes(key), copyBytes(value))
      }
      await target.note(records)
    }
  }
  markLayout(target.batch())
  // The keys of a lease are found while the changes go by, so the leases come first.
  await target.commit()
  const leases = LeaseStore.open(backend)
  const revisions = new RevisionImport(backend)
  let revision = markedRevision(backend)
  for await (const records of file.scan(keys.root)) {
    for (const record of records) {
      const change = changeOf(record, file.path)
      // The mark that etcd's own restore leaves when it raises the revision; the compaction marker says the same.
      if (change.fields.key.length === 0) continue
      revisions.add(target.batch(), change)
      const { key, lease } = change.fields
      leases.noteKey(target.batch(), key, leases.has(lease) ? lease : noLease)
      revision = Math.max(revision, change.revision.main)
    }
    await target.note(records)
  }
  await target.commit()
  await backend.flush()
  return { revision }
}

/** Cuts the changes into batches of bounded size. */
class ImportTarget {
  private readonly backend: Backend
  private open: BackendBatch | undefined
  private recordCount = 0
  private sizeBytes = 0

  constructor(backend: Backend) {
    this.backend = backend
  }

  batch(): BackendBatch {
    this.open ??= this.backend.beginBatch()
    return this.open
  }

  /** Told of what was put, and commits when it is enough. */
  async note(records: readonly BoltRecord[]): Promise<void> {
    this.recordCount += records.length
    for (const { key, value } of records) this.sizeBytes += key.length + value.length
    if (this.recordCount < batchRecordCountMax && this.sizeBytes < batchSizeBytesMax) return
    await this.commit()
  }

  async commit(): Promise<void> {
    if (this.open === undefined) return
    this.backend.commitBatch(this.open)
    this.open = undefined
    this.recordCount = 0
    this.sizeBytes = 0
    await this.backend.waitForRoom()
  }
}

/** What the markers of compaction say; behind a raised revision they are all that says it. */
function markedRevision(backend: Backend): number {
  let revision = 1
  for (const name of [metaKeys.scheduledCompactRevision, metaKeys.finishedCompactRevision]) {
    const marker = backend.get('meta', name)
    if (marker === undefined) continue
    const marked = marker.length < 17 ? Number.NaN : readUint64(marker, 0)
    if (!Number.isSafeInteger(marked)) {
      throw new StorageFault('a marker of compaction is damaged', { path: 'bucket meta' })
    }
    revision = Math.max(revision, marked)
  }
  return revision
}

const separator = 0x5f
const tombstoneMark = 0x74
const revisionKeySizeBytes = 17

/** The revision that a key of the bucket `key` names. @throws StorageFault */
export function revisionOfFileKey(
  key: Uint8Array,
  path: string,
): Revision & { readonly isTombstone: boolean } {
  const isTombstone = key.length === revisionKeySizeBytes + 1 && key[17] === tombstoneMark
  const main = readUint64(key, 0)
  const sub = readUint64(key, 9)
  const isWhole = key[8] === separator && (isTombstone || key.length === revisionKeySizeBytes)
  if (!isWhole || !Number.isSafeInteger(main) || !Number.isSafeInteger(sub)) {
    throw new StorageFault(`${path}: a key of the bucket 'key' is not a revision`, { path })
  }
  return { main, sub, isTombstone }
}

function changeOf(
  record: BoltRecord,
  path: string,
): {
  readonly revision: Revision
  readonly isTombstone: boolean
  readonly fields: KeyValueFields
  readonly encoded: Uint8Array
} {
  const { main, sub, isTombstone } = revisionOfFileKey(record.key, path)
  try {
    const fields = decodeKeyValue(record.value)
    return { revision: { main, sub }, isTombstone, fields, encoded: record.value }
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    throw new StorageFault(`${path}: the record of revision ${main}.${sub} is damaged`, {
      path,
      cause: error,
    })
  }
}

/** `mvccpb.KeyValue` from a file that is not believed. */
function decodeKeyValue(encoded: Uint8Array): KeyValueFields {
  let key = emptyBytes
  let value = emptyBytes
  let createRevision = 0
  let modRevision = 0
  let version = 0
  let lease = noLease
  const reader = new ByteReader(encoded)
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    if (tag === 0x0a) key = reader.bytes()
    else if (tag === 0x10) createRevision = reader.number()
    else if (tag === 0x18) modRevision = reader.number()
    else if (tag === 0x20) version = reader.number()
    else if (tag === 0x2a) value = reader.bytes()
    else if (tag === 0x30) lease = leaseId(reader.bits64())
    else reader.skip(tag)
  }
  return { key, value, createRevision, modRevision, version, lease }
}
