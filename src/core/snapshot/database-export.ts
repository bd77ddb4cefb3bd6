import type { BackendRecord, BackendView, BucketName } from '../backend/backend.ts'
import { metaKeys } from '../backend/buckets.ts'
import { compareBytes } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { BoltWriter } from '../bolt/bolt-writer.ts'
import type { FileHandle } from '../io/file-system.ts'
import { encodedOfRecord } from '../mvcc/key-record.ts'
import { copiedBucketNames, isEtcdMetaKey } from './database-buckets.ts'

export interface DatabaseExportOptions {
  readonly clock: Clock
  /** Written as the version of the storage, such as `3.6.0`; undefined before etcd 3.6, which does not write one. */
  readonly storageVersion: string | undefined
  /** Called after each slice; throws where the rest is not wanted any more. */
  readonly assertWanted: () => void
}

/** Others wait for a slice; a put under load takes longer than this anyway. */
const sliceMs = 1
/** Looking at the clock costs about as much as a small record. */
const recordsBetweenLooks = 16
/** Pages kept before they are given to the file. */
const bufferedSizeBytesMax = 262_144
const smallestKey = Uint8Array.of(0)
const encoder = new TextEncoder()

/**
 * Writes a view of the store as an etcd database, in slices of {@link sliceMs} between which other work goes on.
 *
 * @param view  stays the caller's to close
 * @param file  empty; stays the caller's to close, and to sync where that matters
 * @throws StorageFault  a stored record is damaged; the system's error where the file cannot be written
 */
export async function writeDatabaseFile(
  view: BackendView,
  file: FileHandle,
  options: DatabaseExportOptions,
): Promise<{ readonly sizeBytes: number }> {
  const bolt = new BoltWriter(file)
  const source = { view, bolt, options }
  await writeBucket(source, 'key', (record) => ({
    key: record.key,
    value: encodedOfRecord(record.value),
  }))
  for (const name of copiedBucketNames) await writeBucket(source, name, (record) => record)
  writeMeta(view, bolt, options.storageVersion)
  return bolt.finish()
}

interface ExportSource {
  readonly view: BackendView
  readonly bolt: BoltWriter
  readonly options: DatabaseExportOptions
}

async function writeBucket(
  source: ExportSource,
  name: BucketName,
  convert: (record: BackendRecord) => BackendRecord,
): Promise<void> {
  const { view, bolt, options } = source
  const { clock } = options
  bolt.beginBucket(encoder.encode(name))
  let start: Uint8Array | undefined = smallestKey
  while (start !== undefined) {
    const endMs: number = clock.monotonicMs() + sliceMs
    // A scan must end within its turn: the next one starts behind the last key.
    start = writeSlice(view.scan(name, { start }), bolt, {
      convert,
      isOver: () => clock.monotonicMs() >= endMs,
    })
    if (bolt.bufferedSizeBytes > bufferedSizeBytesMax) await bolt.drain()
    if (start !== undefined) await nextTurn(clock)
    options.assertWanted()
  }
}

/** @returns where the scan goes on; undefined at its end */
function writeSlice(
  records: Iterable<BackendRecord>,
  bolt: BoltWriter,
  slice: {
    readonly convert: (record: BackendRecord) => BackendRecord
    readonly isOver: () => boolean
  },
): Uint8Array | undefined {
  let recordCount = 0
  for (const record of records) {
    const { key, value } = slice.convert(record)
    bolt.add(key, value)
    recordCount++
    const isFull = bolt.bufferedSizeBytes > bufferedSizeBytesMax
    if (isFull || (recordCount % recordsBetweenLooks === 0 && slice.isOver())) {
      return successorOf(key)
    }
  }
  return undefined
}

function writeMeta(view: BackendView, bolt: BoltWriter, storageVersion: string | undefined): void {
  const records: BackendRecord[] = []
  for (const record of view.scan('meta', {})) {
    if (isEtcdMetaKey(record.key)) records.push(record)
  }
  const isVersionStored = view.get('meta', metaKeys.storageVersion) !== undefined
  if (storageVersion !== undefined && !isVersionStored) {
    records.push({ key: metaKeys.storageVersion, value: encoder.encode(storageVersion) })
  }
  records.sort((left, right) => compareBytes(left.key, right.key))
  bolt.beginBucket(encoder.encode('meta'))
  for (const { key, value } of records) bolt.add(key, value)
}

function successorOf(key: Uint8Array): Uint8Array {
  const successor = new Uint8Array(key.length + 1)
  successor.set(key)
  return successor
}

function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.nextTurn(resolve)
  })
}
