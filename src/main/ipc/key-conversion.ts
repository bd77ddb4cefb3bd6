/** Ranges, pairs and pages between the contract's form and the client's. */

import { copyBytes, equalBytes } from '../../core/base/bytes.ts'
import {
  intervalOfPrefix,
  type KeyInterval,
  type KeyValue as ClientKeyValue,
} from '../../core/client/key-value.ts'
import { keyColumnsOf } from '../../preload/contract/key-columns.ts'
import type { KeyColumns, KeyRange, KeyValue } from '../../preload/contract/kv.ts'

const oneZeroByte = new Uint8Array(1)

/** The interval of a range. */
export function intervalOf(range: KeyRange): KeyInterval {
  switch (range.kind) {
    case 'key':
      return { start: range.key }
    case 'prefix':
      return intervalOfPrefix(range.prefix)
    case 'interval':
      return { start: range.start, end: range.end }
    case 'from':
      return { start: range.start, end: 'toLastKey' }
    case 'all':
      return { start: oneZeroByte, end: 'toLastKey' }
  }
}

/** The range of a permission, as its two fields stand on the wire. */
export function rangeOfWire(start: Uint8Array, rangeEnd: Uint8Array): KeyRange {
  if (rangeEnd.length === 0) return { kind: 'key', key: copyBytes(start) }
  const isFrom = equalBytes(rangeEnd, oneZeroByte)
  if (isFrom && (start.length === 0 || equalBytes(start, oneZeroByte))) return { kind: 'all' }
  if (isFrom) return { kind: 'from', start: copyBytes(start) }
  const { end } = intervalOfPrefix(start)
  if (end !== 'toLastKey' && end !== undefined && equalBytes(end, rangeEnd)) {
    return { kind: 'prefix', prefix: copyBytes(start) }
  }
  return { kind: 'interval', start: copyBytes(start), end: copyBytes(rangeEnd) }
}

/** The part of an interval behind a key: the smallest key above it is the key with a zero byte more. */
export function intervalAfter(interval: KeyInterval, key: Uint8Array): KeyInterval {
  const start = new Uint8Array(key.length + 1)
  start.set(key)
  return { ...interval, start }
}

/**
 * A pair of the client as one of the contract. The bytes are copied: they are views into the whole answer of the server,
 * and crossing to another process takes along all of what a view looks into.
 */
export function contractPairOf(pair: ClientKeyValue): KeyValue {
  return { ...pair, key: copyBytes(pair.key), value: copyBytes(pair.value) }
}

/** A page as columns, its values cut; without values their sizes are unknown. */
export function columnsOf(pairs: readonly ClientKeyValue[], valueBytesMax: number): KeyColumns {
  return keyColumnsOf(
    pairs.map((pair) => ({
      ...pair,
      value: pair.value.subarray(0, valueBytesMax),
      valueSizeBytes: valueBytesMax === 0 ? -1 : pair.value.length,
    })),
  )
}

/** The first bytes of a value, copied. */
export function cutValue(value: Uint8Array, sizeBytesMax: number): Uint8Array {
  // Thousands of them cross in a second, and a slice of a buffer takes three times as long as this.
  return new Uint8Array(value.subarray(0, sizeBytesMax))
}
