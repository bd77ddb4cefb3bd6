/** Order and neighbours of keys: what every list of keys reckons with. */

import type { KeyRow } from '../../preload/contract/key-columns.ts'
import type { KeyRange } from '../../preload/contract/kv.ts'
import type { WatchChange } from '../../preload/contract/watch.ts'

/** Byte order of two keys: negative, zero or positive. */
export function compareKeys(left: Uint8Array, right: Uint8Array): number {
  const shared = Math.min(left.length, right.length)
  for (let index = 0; index < shared; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

/** Whether some bytes hold others, one after the other. */
export function includesBytes(haystack: Uint8Array, needle: Uint8Array): boolean {
  const first = needle[0]
  if (first === undefined) return true
  let start = haystack.indexOf(first)
  while (start !== -1 && start + needle.length <= haystack.length) {
    let length = 1
    while (length < needle.length && haystack[start + length] === needle[length]) length++
    if (length === needle.length) return true
    start = haystack.indexOf(first, start + 1)
  }
  return false
}

/** The smallest key behind `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

/** The first key behind every key with this prefix; undefined when the prefix is empty or all 0xff. */
export function findPrefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let at = prefix.length - 1; at >= 0; at--) {
    const byte = prefix[at] ?? 0
    if (byte < 0xff) return Uint8Array.of(...prefix.subarray(0, at), byte + 1)
  }
  return undefined
}

/** The range of keys under a prefix; an empty prefix is the whole key space. */
export function rangeUnder(prefix: Uint8Array): KeyRange {
  return prefix.length === 0 ? { kind: 'all' } : { kind: 'prefix', prefix }
}

/** Everything from one key on to before another; without an end, to the last key. */
export function rangeBetween(from: Uint8Array, to: Uint8Array | undefined): KeyRange {
  return to === undefined
    ? { kind: 'from', start: from }
    : { kind: 'interval', start: from, end: to }
}

/** First key that a range may hold, and the first behind it (undefined: none). */
export function boundsOf(range: KeyRange): {
  readonly from: Uint8Array
  readonly to: Uint8Array | undefined
} {
  switch (range.kind) {
    case 'key':
      return { from: range.key, to: successor(range.key) }
    case 'prefix':
      return { from: range.prefix, to: findPrefixEnd(range.prefix) }
    case 'interval':
      return { from: range.start, to: range.end }
    case 'from':
      return { from: range.start, to: undefined }
    case 'all':
      return { from: new Uint8Array(0), to: undefined }
  }
}

/** The row that a change leaves of its key; undefined when it deletes it. */
export function rowOfChange({ key, current }: WatchChange): KeyRow | undefined {
  if (current === undefined) return undefined
  const { bytes, sizeBytes, createRevision, modRevision, version, lease } = current
  return {
    key,
    value: bytes,
    valueSizeBytes: sizeBytes,
    createRevision,
    modRevision,
    version,
    lease,
  }
}
