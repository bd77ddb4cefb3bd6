/**
 * Records of the `key` bucket: one per change, never overwritten.
 *
 *     value    = ancestry  mvccpb.KeyValue  checksum (4 B LE): CRC-32C of the message, begun with a hash of the ancestry
 *     ancestry = flags (1 B: 1 has a previous version, 2 which is a tombstone, 4 and another one further back, 8 which is a
 *                tombstone)  [main (8 B BE)  sub (4 B BE) of the previous one]  [the same of the other]
 *
 * `key-index.ts` says what the ancestry is good for. The checksum is there because LMDB has none: a flipped bit must become
 * an error and never an answer.
 */

import { crc32c } from '@node-rs/crc32'
import { StorageFault } from '../errors/storage-fault.ts'
import type { BackendBatch, BackendReader, RawRecord } from '../backend/backend.ts'
import { readUint32, readUint64, writeUint32, writeUint64 } from '../backend/buckets.ts'
import type { ByteArena } from './byte-arena.ts'
import type { KeyBounds } from './key-range.ts'
import {
  compareRevisions,
  encodeRevisionKey,
  isTombstoneAt,
  revisionKeySizeBytes,
  type KeyVersion,
  type Revision,
} from './revision.ts'
import {
  encodedSizeBytes,
  isEncodedKeyWithin,
  keyOfEncoded,
  storedKeyValueFrom,
  storedKeyValueOf,
  writeKeyValue,
  type KeyValueFields,
  type StoredKeyValue,
} from './stored-key-value.ts'

/** Which versions a record names: the one before it, and one further back, or the same. */
export interface Ancestry {
  readonly previous: KeyVersion | undefined
  readonly jump: KeyVersion | undefined
}

const checksumSizeBytes = 4
const referenceSizeBytes = 12

const hasPreviousFlag = 1
const previousIsTombstoneFlag = 2
const hasJumpFlag = 4
const jumpIsTombstoneFlag = 8

/** Writes the record of a change and returns its pair; the returned bytes are the store's own copy. */
export function putKeyRecord(
  batch: BackendBatch,
  version: KeyVersion,
  options: {
    readonly fields: KeyValueFields
    readonly ancestry: Ancestry
    readonly arena: ByteArena
  },
): StoredKeyValue {
  const { fields, ancestry, arena } = options
  const start = sizeOfAncestry(ancestry)
  const sizeBytes = start + encodedSizeBytes(fields) + checksumSizeBytes
  const record = arena.allocate(sizeBytes)
  writeAncestry(record, ancestry)
  writeKeyValue(record, start, fields)
  const end = sizeBytes - checksumSizeBytes
  const encoded = new Uint8Array(record.buffer, record.byteOffset + start, end - start)
  writeChecksum(record, crc32c(encoded, hashOfAncestry(record, 0, start)))
  batch.put('key', encodeRevisionKey(version.main, version.sub, version.isTombstone), record)
  return storedKeyValueFrom(encoded, fields)
}

/**
 * The pair that a put wrote.
 *
 * @throws StorageFault when the record is missing or damaged: the index named it
 */
export function getKeyRecord(reader: BackendReader, revision: Revision): StoredKeyValue {
  return storedKeyValueOf(encodedOfRecord(getRecord(reader, revision, false)))
}

/**
 * The pairs that some puts wrote. Where these follow one another in history, as after a load, they are walked instead of
 * looked up one by one.
 *
 * @throws StorageFault as `getKeyRecord`
 */
export function getKeyRecords(
  reader: BackendReader,
  revisions: readonly Revision[],
): StoredKeyValue[] {
  const pairs = isDense(revisions) ? walkKeyRecords(reader, revisions) : []
  for (let position = pairs.length; position < revisions.length; position++) {
    const revision = revisions[position]
    if (revision !== undefined) pairs.push(getKeyRecord(reader, revision))
  }
  return pairs
}

/** Steps of a walk that one lookup is worth. */
const stepsOfLookup = 3

function isDense(revisions: readonly Revision[]): boolean {
  const [first, last] = [revisions[0], revisions.at(-1)]
  if (first === undefined || last === undefined || revisions.length < stepsOfLookup) return false
  if (last.main - first.main > revisions.length * stepsOfLookup) return false
  for (let position = 1; position < revisions.length; position++) {
    const [before, after] = [revisions[position - 1], revisions[position]]
    if (before === undefined || after === undefined) return false
    if (compareRevisions(before, after) >= 0) return false
  }
  return true
}

/** The pairs of ascending revisions, or the first of them if too much else lies between. */
function walkKeyRecords(reader: BackendReader, revisions: readonly Revision[]): StoredKeyValue[] {
  const pairs: StoredKeyValue[] = []
  const [first] = revisions
  if (first === undefined) return pairs
  let stepCount = 0
  reader.visit('key', { start: encodeRevisionKey(first.main, first.sub) }, (raw) => {
    const wanted = revisions[pairs.length]
    if (wanted === undefined) return false
    if (isRecordAt(raw, wanted.main, wanted.sub)) pairs.push(storedKeyValueOf(encodedOfRaw(raw)))
    return pairs.length < revisions.length && ++stepCount < revisions.length * stepsOfLookup
  })
  return pairs
}

/** As {@link encodedOfRecord}, of a record where it lies: only the message is copied. @throws StorageFault as there */
export function encodedOfRaw(raw: RawRecord): Uint8Array {
  const { valueBytes, valueStart, valueSizeBytes } = raw
  const start = sizeOfStoredAncestry(valueBytes, valueStart)
  const end = valueSizeBytes - checksumSizeBytes
  if (start > end) throw damagedRecord()
  const encoded = raw.copyValue(start, end)
  const checksum = crc32c(encoded, hashOfAncestry(valueBytes, valueStart, start))
  if (readChecksum(valueBytes, valueStart + end) !== checksum) throw damagedRecord()
  return encoded
}

/** Takes records, where they lie, in the order of an answer. */
export interface RecordSink {
  /** Bytes that what was taken has in the answer. */
  readonly sizeBytes: number
  /** @throws StorageFault when the record is damaged, here or later */
  take(bytes: Uint8Array, start: number, sizeBytes: number): void
}

/** Revisions as columns of numbers. */
export interface RevisionList {
  readonly count: number
  readonly mains: Float64Array
  readonly subs: Float64Array
}

/**
 * Hands the records of some puts to a sink, in their order, until it has taken enough; at least one, if there is one.
 *
 * @param options  `sizeBytesEnd`: so much the sink has taken then
 * @returns how many it took
 * @throws StorageFault as `getKeyRecord`
 */
export function takeRecords(
  reader: BackendReader,
  revisions: RevisionList,
  { sink, sizeBytesEnd }: { readonly sink: RecordSink; readonly sizeBytesEnd: number },
): number {
  const { count, mains, subs } = revisions
  let taken = 0
  if (isDenseList(revisions)) {
    let stepCount = 0
    const stepCountMax = count * stepsOfLookup
    const start = encodeRevisionKey(mains[0] ?? 0, subs[0] ?? 0)
    reader.visit('key', { start }, (raw) => {
      if (isRecordAt(raw, mains[taken] ?? 0, subs[taken] ?? 0)) {
        sink.take(raw.valueBytes, raw.valueStart, raw.valueSizeBytes)
        taken++
      }
      return taken < count && sink.sizeBytes < sizeBytesEnd && ++stepCount < stepCountMax
    })
  }
  while (taken < count && (taken === 0 || sink.sizeBytes < sizeBytesEnd)) {
    const revision = { main: mains[taken] ?? 0, sub: subs[taken] ?? 0 }
    const record = getRecord(reader, revision, false)
    sink.take(record, 0, record.length)
    taken++
  }
  return taken
}

function isDenseList({ count, mains, subs }: RevisionList): boolean {
  if (count < stepsOfLookup) return false
  if ((mains[count - 1] ?? 0) - (mains[0] ?? 0) > count * stepsOfLookup) return false
  for (let position = 1; position < count; position++) {
    const [before, after] = [mains[position - 1] ?? 0, mains[position] ?? 0]
    if (before > after) return false
    if (before === after && (subs[position - 1] ?? 0) >= (subs[position] ?? 0)) return false
  }
  return true
}

function isRecordAt(raw: RawRecord, main: number, sub: number): boolean {
  const { keyBytes, keyStart } = raw
  if (raw.keyEnd - keyStart !== revisionKeySizeBytes) return false
  // The last bytes differ most often, and the first of small numbers are zero.
  if (readUint32(keyBytes, keyStart + 4) >> 0 !== main >> 0) return false
  return readUint64(keyBytes, keyStart) === main && readUint64(keyBytes, keyStart + 9) === sub
}

/** Where the message of a record lies, and what it is checked with: CRC-32C, begun with `seed`. */
export interface MessagePlace {
  start: number
  sizeBytes: number
  checksum: number
  seed: number
}

/**
 * Finds the message of the record that begins at `start`. Nothing is checked but that there is room for one.
 *
 * @throws StorageFault when there is not
 */
export function placeOfMessage(
  bytes: Uint8Array,
  start: number,
  { sizeBytes, place }: { readonly sizeBytes: number; readonly place: MessagePlace },
): void {
  const ancestrySizeBytes = sizeOfStoredAncestry(bytes, start)
  place.start = start + ancestrySizeBytes
  place.sizeBytes = sizeBytes - ancestrySizeBytes - checksumSizeBytes
  if (place.sizeBytes < 0) throw damagedRecord()
  place.checksum = readChecksum(bytes, start + sizeBytes - checksumSizeBytes)
  place.seed = hashOfAncestry(bytes, start, ancestrySizeBytes)
}

/** The key of the put at a revision. @throws StorageFault when its record is missing */
export function keyOfStoredRecord(reader: BackendReader, revision: Revision): Uint8Array {
  return keyOfRecord(getRecord(reader, revision, false))
}

/**
 * The versions that the record of a version names.
 *
 * @throws StorageFault when it is missing or damaged
 */
export function getAncestry(reader: BackendReader, version: KeyVersion): Ancestry {
  const record = getRecord(reader, version, version.isTombstone)
  encodedOfRecord(record)
  return ancestryOfRecord(record)
}

function getRecord(
  reader: BackendReader,
  { main, sub }: Revision,
  isTombstone: boolean,
): Uint8Array {
  const record = reader.get('key', encodeRevisionKey(main, sub, isTombstone))
  if (record !== undefined) return record
  throw new StorageFault(
    `the record of revision ${main}.${sub} is missing although the index names it`,
    { path: 'key' },
  )
}

/**
 * The message inside a record, checked.
 *
 * @throws StorageFault when the checksum is wrong
 */
export function encodedOfRecord(record: Uint8Array): Uint8Array {
  const start = startOfMessage(record)
  const end = record.length - checksumSizeBytes
  if (start <= end) {
    const encoded = new Uint8Array(record.buffer, record.byteOffset + start, end - start)
    if (readChecksum(record, end) === crc32c(encoded, hashOfAncestry(record, 0, start)))
      return encoded
  }
  throw damagedRecord()
}

/** A record is not what was written. */
export function damagedRecord(): StorageFault {
  return new StorageFault('a stored record does not match its checksum', { path: 'key' })
}

/** The key inside a record, for scans that need nothing else and check nothing. */
export function keyOfRecord(record: Uint8Array): Uint8Array {
  return keyOfEncoded(record, startOfMessage(record))
}

/** What a change did to the number of alive keys of the bounds: -1, 0 or 1. Looks at the record where it lies, unchecked. */
export function growthOfRecord(record: RawRecord, bounds: KeyBounds): number {
  const { keyBytes, keyStart, keyEnd, valueBytes, valueStart } = record
  const isTombstone = isTombstoneAt(keyBytes, keyStart, keyEnd)
  const flags = valueBytes[valueStart] ?? 0
  // A put over a living version changes its key, not their number.
  if (!isTombstone && (flags & (hasPreviousFlag | previousIsTombstoneFlag)) === hasPreviousFlag)
    return 0
  const start = valueStart + sizeOfStoredAncestry(valueBytes, valueStart)
  if (!isEncodedKeyWithin(valueBytes, start, bounds)) return 0
  return isTombstone ? -1 : 1
}

/** The versions that a record names; not checked. */
export function ancestryOfRecord(record: Uint8Array): Ancestry {
  const flags = record[0] ?? 0
  if ((flags & hasPreviousFlag) === 0) return { previous: undefined, jump: undefined }
  const previous = {
    main: readUint64(record, 1),
    sub: readUint32(record, 9),
    isTombstone: (flags & previousIsTombstoneFlag) !== 0,
  }
  if ((flags & hasJumpFlag) === 0) return { previous, jump: undefined }
  const jump = {
    main: readUint64(record, 1 + referenceSizeBytes),
    sub: readUint32(record, 9 + referenceSizeBytes),
    isTombstone: (flags & jumpIsTombstoneFlag) !== 0,
  }
  return { previous, jump }
}

/** A jump to the previous version is not written, because going there is what is done without one. */
function jumpOf({ previous, jump }: Ancestry): KeyVersion | undefined {
  return jump === previous ? undefined : jump
}

function sizeOfAncestry(ancestry: Ancestry): number {
  if (ancestry.previous === undefined) return 1
  return 1 + referenceSizeBytes * (jumpOf(ancestry) === undefined ? 1 : 2)
}

function startOfMessage(record: Uint8Array): number {
  return sizeOfStoredAncestry(record, 0)
}

/** Size of the ancestry of the record that begins at `start`: its message follows. */
function sizeOfStoredAncestry(bytes: Uint8Array, start: number): number {
  const flags = bytes[start] ?? 0
  if ((flags & hasPreviousFlag) === 0) return 1
  return 1 + referenceSizeBytes * ((flags & hasJumpFlag) === 0 ? 1 : 2)
}

function writeAncestry(record: Uint8Array, ancestry: Ancestry): void {
  const { previous } = ancestry
  if (previous === undefined) return
  const jump = jumpOf(ancestry)
  record[0] =
    hasPreviousFlag |
    (previous.isTombstone ? previousIsTombstoneFlag : 0) |
    (jump === undefined ? 0 : hasJumpFlag | (jump.isTombstone ? jumpIsTombstoneFlag : 0))
  writeUint64(record, 1, previous.main)
  writeUint32(record, 9, previous.sub)
  if (jump === undefined) return
  writeUint64(record, 1 + referenceSizeBytes, jump.main)
  writeUint32(record, 9 + referenceSizeBytes, jump.sub)
}

/** FNV-1a: sees every change of a single byte, and costs nothing for a few of them. */
function hashOfAncestry(bytes: Uint8Array, start: number, sizeBytes: number): number {
  let hash = 0x811c_9dc5
  for (let offset = start; offset < start + sizeBytes; offset++) {
    hash = Math.imul(hash ^ (bytes[offset] ?? 0), 0x0100_0193)
  }
  return hash >>> 0
}

function writeChecksum(record: Uint8Array, checksum: number): void {
  const offset = record.length - checksumSizeBytes
  record[offset] = checksum
  record[offset + 1] = checksum >>> 8
  record[offset + 2] = checksum >>> 16
  record[offset + 3] = checksum >>> 24
}

function readChecksum(record: Uint8Array, offset: number): number {
  return (
    ((record[offset] ?? 0) |
      ((record[offset + 1] ?? 0) << 8) |
      ((record[offset + 2] ?? 0) << 16) |
      ((record[offset + 3] ?? 0) << 24)) >>>
    0
  )
}
