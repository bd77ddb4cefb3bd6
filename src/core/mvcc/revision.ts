/** Revisions as keys of the `key` bucket: 8 bytes main, `_`, 8 bytes sub, and `t` behind those of tombstones. */

import { assert } from '../base/assert.ts'
import { readUint64, writeUint64 } from '../backend/buckets.ts'

/** A change's place in history: all changes of one write share `main` and are numbered by `sub` from 0. */
export interface Revision {
  readonly main: number
  readonly sub: number
}

/** One version of a key, and whether it is a tombstone. */
export interface KeyVersion extends Revision {
  readonly isTombstone: boolean
}

/** Size of a revision key in bytes; a tombstone's is one longer. */
export const revisionKeySizeBytes = 17

const separator = 0x5f
const tombstoneMark = 0x74

/** The key of a change. Byte order is (main, sub) order. */
export function encodeRevisionKey(main: number, sub: number, isTombstone = false): Uint8Array {
  const key = new Uint8Array(revisionKeySizeBytes + (isTombstone ? 1 : 0))
  writeUint64(key, 0, main)
  key[8] = separator
  writeUint64(key, 9, sub)
  if (isTombstone) key[revisionKeySizeBytes] = tombstoneMark
  return key
}

/** The main revision of such a key. */
export function mainOfRevisionKey(key: Uint8Array): number {
  assert(key.length >= revisionKeySizeBytes, 'a revision key has 17 or 18 bytes')
  return readUint64(key, 0)
}

/** The sub revision of such a key. */
export function subOfRevisionKey(key: Uint8Array): number {
  return readUint64(key, 9)
}

/** The version that such a key names. */
export function versionOfRevisionKey(key: Uint8Array): KeyVersion {
  return {
    main: mainOfRevisionKey(key),
    sub: subOfRevisionKey(key),
    isTombstone: isTombstoneKey(key),
  }
}

/** Whether the change is a delete. */
export function isTombstoneKey(key: Uint8Array): boolean {
  return isTombstoneAt(key, 0, key.length)
}

/** As {@link isTombstoneKey}, of a key that lies in `[start, end)` of the bytes. */
export function isTombstoneAt(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start === revisionKeySizeBytes + 1 &&
    bytes[start + revisionKeySizeBytes] === tombstoneMark
  )
}

/** Negative, zero or positive as `left` is older than, the same as or newer than `right`. */
export function compareRevisions(left: Revision, right: Revision): number {
  return left.main === right.main ? left.sub - right.sub : left.main - right.main
}
