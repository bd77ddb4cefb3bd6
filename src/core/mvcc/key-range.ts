/** Ranges of keys: `[start, end)` in byte order, with the special range ends of the wire resolved. */

import { compareBytes, concatBytes, equalBytes } from '../base/bytes.ts'

/**
 * Keys from `start` on. `end` undefined: the single key `start`; `'unbounded'`: every key not before `start`; otherwise
 * exclusive. An end not after the start makes an empty range.
 */
export interface KeyRange {
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined | 'unbounded'
}

/** Keys of `[start, end)`; without an end, all from the start on. */
export interface KeyBounds {
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined
}

/**
 * The range that a request's `key` and `range_end` mean: an empty end is the single key, one zero byte is everything
 * not before the key.
 *
 * @see etcd v3 API, message RangeRequest
 */
export function keyRangeOfWire(key: Uint8Array, rangeEnd: Uint8Array): KeyRange {
  if (rangeEnd.length === 0) return { start: key, end: undefined }
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { start: key, end: 'unbounded' }
  return { start: key, end: rangeEnd }
}

/** Whether the key lies in the range. */
export function isInRange(range: KeyRange, key: Uint8Array): boolean {
  if (range.end === undefined) return equalBytes(range.start, key)
  if (compareBytes(key, range.start) < 0) return false
  return range.end === 'unbounded' || compareBytes(key, range.end) < 0
}

/** Start and end of a range that is not a single key. */
export function boundsOf(range: KeyRange): KeyBounds {
  return { start: range.start, end: range.end instanceof Uint8Array ? range.end : undefined }
}

/** Whether no key can lie in the range. */
export function isEmptyRange(range: KeyRange): boolean {
  return range.end instanceof Uint8Array && compareBytes(range.end, range.start) <= 0
}

/** The smallest key behind this one. */
export function keyAfter(key: Uint8Array): Uint8Array {
  return concatBytes([key, Uint8Array.of(0)])
}
