/**
 * The versions of one key, as the index knows them.
 *
 * The problem: answer "what was this key at revision r?" and "which versions may a compaction drop?" without holding
 * every key in memory and without rewriting a key's whole history at each put.
 *
 * The plain idea: the newest version of each key lives in its *head* record, all older ones in one *history* record
 * each. A put moves the head's old content into history and overwrites the head. Reading at the current revision needs
 * the head alone; reading at an older one looks at the head, and if that is too new, seeks the newest history record not
 * after the revision. A key written at 2, 4, deleted at 6 and written again at 8 is
 *
 *     head     k    → put at 8, created 8, version 1
 *     history  k 2  → put, created 2, version 1
 *     history  k 4  → put, created 2, version 2
 *     history  k 6  → tombstone
 *
 * so at 5 the newest version not after it is 4 (version 2), at 6 and 7 it is the tombstone: not found.
 *
 * What etcd keeps as generations is in these records: a life of the key starts where `created` is its own revision and
 * ends at a tombstone. What is left out: the list of generations itself, which nothing asks for.
 *
 *     head value    = flags (1 B: 1 deleted, 2 long key)  modified main (8 B BE)  modified sub (4 B BE)  created (8 B BE)
 *                     version (8 B BE)  [history number (8 B BE), long keys only]
 *     history key   = key size (2 B BE)  key  main (8 B BE)  sub (4 B BE)
 *                     for long keys: 0xffff  history number (8 B BE)  main  sub
 *     history value = flags (1 B: 1 tombstone)  [created (8 B BE)  version (8 B BE), puts only]
 *
 * Order between keys does not matter in history, so a size in front is enough to keep one key's records apart from those
 * of another.
 */

import { assert } from '../base/assert.ts'
import type { BackendBatch, BackendReader } from '../backend/backend.ts'
import { readUint32, readUint64, writeUint32, writeUint64 } from '../backend/buckets.ts'
import type { ByteArena } from './byte-arena.ts'
import type { Revision } from './revision.ts'

/** One version: a put with the revision that created this life of the key and its number in it, or a tombstone (0, 0). */
export interface KeyVersion extends Revision {
  readonly isTombstone: boolean
  readonly created: number
  readonly version: number
}

/** The newest version of a key. `historyNumber` stands for the key in history where the key itself is too long; or 0. */
export interface KeyHead extends KeyVersion {
  readonly historyNumber: number
}

const tombstoneFlag = 1
const longKeyFlag = 2
const headSizeBytes = 29
const revisionSizeBytes = 12
const longKeyMark = 0xffff

export function encodeHead(head: KeyHead, arena: ByteArena): Uint8Array {
  const isLong = head.historyNumber !== 0
  const bytes = arena.allocate(headSizeBytes + (isLong ? 8 : 0))
  bytes[0] = (head.isTombstone ? tombstoneFlag : 0) | (isLong ? longKeyFlag : 0)
  writeUint64(bytes, 1, head.main)
  writeUint32(bytes, 9, head.sub)
  writeUint64(bytes, 13, head.created)
  writeUint64(bytes, 21, head.version)
  if (isLong) writeUint64(bytes, headSizeBytes, head.historyNumber)
  return bytes
}

export function decodeHead(bytes: Uint8Array): KeyHead {
  const flags = bytes[0] ?? 0
  return {
    main: readUint64(bytes, 1),
    sub: readUint32(bytes, 9),
    isTombstone: (flags & tombstoneFlag) !== 0,
    created: readUint64(bytes, 13),
    version: readUint64(bytes, 21),
    historyNumber: (flags & longKeyFlag) === 0 ? 0 : readUint64(bytes, headSizeBytes),
  }
}

/** Whether an encoded head is that of a deleted key, without decoding it. */
export function isDeletedHead(bytes: Uint8Array): boolean {
  return ((bytes[0] ?? 0) & tombstoneFlag) !== 0
}

/** Moves the head's version into history, before the head is overwritten. */
export function keepInHistory(batch: BackendBatch, indexed: IndexedKey, arena: ByteArena): void {
  const { head } = indexed
  batch.put('history', historyKey(indexed, head.main, head.sub), encodeVersion(head, arena))
}

/** Which key's history is meant: the head knows how long keys are named there. */
export interface IndexedKey {
  readonly key: Uint8Array
  readonly head: KeyHead
}

/** The newest version not after the revision; tombstones count as versions. */
export function findVersionAt(
  reader: BackendReader,
  indexed: IndexedKey,
  revision: number,
): KeyVersion | undefined {
  if (indexed.head.main <= revision) return indexed.head
  const bounds = {
    start: historyKey(indexed, 0, 0),
    end: historyKey(indexed, revision + 1, 0),
    isReverse: true,
  }
  for (const record of reader.scan('history', bounds)) {
    return decodeVersion(record.key, record.value)
  }
  return undefined
}

/** All versions in history that are older than the given one, the newest of them first. */
export function versionsBefore(
  reader: BackendReader,
  indexed: IndexedKey,
  revision: Revision,
): KeyVersion[] {
  const versions: KeyVersion[] = []
  const bounds = {
    start: historyKey(indexed, 0, 0),
    end: historyKey(indexed, revision.main, revision.sub),
    isReverse: true,
  }
  for (const record of reader.scan('history', bounds)) {
    versions.push(decodeVersion(record.key, record.value))
  }
  return versions
}

/** Forgets one version of a key's history. */
export function removeFromHistory(
  batch: BackendBatch,
  indexed: IndexedKey,
  revision: Revision,
): void {
  batch.remove('history', historyKey(indexed, revision.main, revision.sub))
}

function historyKey({ key, head }: IndexedKey, main: number, sub: number): Uint8Array {
  const isLong = head.historyNumber !== 0
  const nameSizeBytes = isLong ? 8 : key.length
  const bytes = new Uint8Array(2 + nameSizeBytes + revisionSizeBytes)
  const sizeOrMark = isLong ? longKeyMark : nameSizeBytes
  bytes[0] = sizeOrMark >>> 8
  bytes[1] = sizeOrMark
  if (isLong) writeUint64(bytes, 2, head.historyNumber)
  else bytes.set(key, 2)
  writeUint64(bytes, 2 + nameSizeBytes, main)
  writeUint32(bytes, 10 + nameSizeBytes, sub)
  return bytes
}

function encodeVersion(version: KeyVersion, arena: ByteArena): Uint8Array {
  if (version.isTombstone) return Uint8Array.of(tombstoneFlag)
  const bytes = arena.allocate(17)
  writeUint64(bytes, 1, version.created)
  writeUint64(bytes, 9, version.version)
  return bytes
}

function decodeVersion(key: Uint8Array, value: Uint8Array): KeyVersion {
  const offset = key.length - revisionSizeBytes
  assert(offset > 0, 'a history key ends with a revision')
  const isTombstone = ((value[0] ?? 0) & tombstoneFlag) !== 0
  return {
    main: readUint64(key, offset),
    sub: readUint32(key, offset + 8),
    isTombstone,
    created: isTombstone ? 0 : readUint64(value, 1),
    version: isTombstone ? 0 : readUint64(value, 9),
  }
}
