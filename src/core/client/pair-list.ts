/**
 * The answer to a range whose pairs are decoded only when somebody asks: for those who look at the keys of a million pairs
 * and want a few.
 */

import { ByteReader } from '../proto/byte-reader.ts'
import { KeyValue as WireKeyValue } from '../proto/gen/kv.ts'
import { ResponseHeader as WireHeader } from '../proto/gen/rpc.ts'
import { headerOf, keyValueOf, type KeyValue, type ResponseHeader } from './key-value.ts'

/** An answer with its pairs as they came. */
export interface ListedRange {
  readonly header: ResponseHeader
  readonly pairs: PairList
  readonly hasMore: boolean
  /** Keys in the whole range, whatever the limit. */
  readonly count: number
}

const fields = { header: 1, pairs: 2, more: 3, count: 4 } as const
const keyField = 1
const noBytes = new Uint8Array(0)
const placesAtFirst = 1_024

/** Pairs in the order of the answer. Keys and values are views of its bytes. */
export class PairList {
  private readonly bytes: Uint8Array
  /** Start and end of each pair. */
  private places = new Uint32Array(placesAtFirst)
  private count = 0

  /** @param bytes  the whole answer */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get length(): number {
    return this.count
  }

  /** Notes where a pair stands. */
  add(start: number, end: number): void {
    if (this.count * 2 === this.places.length) {
      const longer = new Uint32Array(this.places.length * 2)
      longer.set(this.places)
      this.places = longer
    }
    this.places[this.count * 2] = start
    this.places[this.count * 2 + 1] = end
    this.count++
  }

  keyAt(at: number): Uint8Array {
    const reader = new ByteReader(this.bytes, this.places[at * 2], this.places[at * 2 + 1])
    while (!reader.isAtEnd()) {
      const tag = reader.tag()
      if (tag >>> 3 === keyField) return reader.bytes()
      reader.skip(tag)
    }
    return noBytes
  }

  pairAt(at: number): KeyValue {
    const encoded = this.bytes.subarray(this.places[at * 2], this.places[at * 2 + 1])
    return keyValueOf(WireKeyValue.decode(encoded))
  }
}

/** @throws MalformedMessage  the bytes are no RangeResponse */
export function readListedRange(bytes: Uint8Array): ListedRange {
  const reader = new ByteReader(bytes)
  const pairs = new PairList(bytes)
  let header: ResponseHeader | undefined
  let hasMore = false
  let count = 0
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    switch (tag >>> 3) {
      case fields.header:
        header = headerOf(WireHeader.decode(reader.bytes()))
        break
      case fields.pairs: {
        const sizeBytes = reader.bytes().length
        pairs.add(reader.offset - sizeBytes, reader.offset)
        break
      }
      case fields.more:
        hasMore = reader.number() !== 0
        break
      case fields.count:
        count = reader.number()
        break
      default:
        reader.skip(tag)
    }
  }
  return { header: header ?? headerOf(undefined), pairs, hasMore, count }
}
