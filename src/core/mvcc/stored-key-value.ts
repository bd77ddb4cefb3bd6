/**
 * One version of a key in its stored form, which is also its form on the wire.
 *
 * The bytes are those of etcd's `mvccpb.KeyValue` as its own encoder writes them (proto3: fields in the order of their
 * numbers, zero fields left out), because hashes over the key space are compared between members and with etcd's:
 *
 *     1 key (bytes) · 2 create_revision · 3 mod_revision · 4 version (varints) · 5 value (bytes) · 6 lease (varint)
 *
 * A range response carries them unchanged, so a field is decoded only when somebody asks for it.
 */

import { assert } from '../base/assert.ts'
import { emptyBytes } from '../base/bytes.ts'
import { leaseId, noLease, type LeaseId } from '../base/ids.ts'
import type { KeyBounds } from './key-range.ts'

/** One version of a key. Bytes are shared with the store: never write to them. */
export interface StoredKeyValue {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: LeaseId
  /** The `mvccpb.KeyValue` message. */
  readonly encoded: Uint8Array
}

/** The fields of {@link StoredKeyValue} that are encoded. */
export type KeyValueFields = Omit<StoredKeyValue, 'encoded'>

const keyTag = 0x0a
const createRevisionTag = 0x10
const modRevisionTag = 0x18
const versionTag = 0x20
const valueTag = 0x2a
const leaseTag = 0x30

/** The message of these fields. */
export function encodeKeyValue(fields: KeyValueFields): Uint8Array {
  const encoded = new Uint8Array(encodedSizeBytes(fields))
  writeKeyValue(encoded, 0, fields)
  return encoded
}

/** Writes the message into `target`, which has room for {@link encodedSizeBytes} behind `start`. */
export function writeKeyValue(target: Uint8Array, start: number, fields: KeyValueFields): void {
  let offset = writeBytesField(target, start, keyTag, fields.key)
  offset = writeNumberField(target, offset, createRevisionTag, fields.createRevision)
  offset = writeNumberField(target, offset, modRevisionTag, fields.modRevision)
  offset = writeNumberField(target, offset, versionTag, fields.version)
  offset = writeBytesField(target, offset, valueTag, fields.value)
  if (fields.lease === noLease) return
  target[offset] = leaseTag
  writeBigVarint(target, offset + 1, fields.lease)
}

/** Wraps encoded bytes; fields are decoded at first use. */
export function storedKeyValueOf(encoded: Uint8Array): StoredKeyValue {
  return new EncodedKeyValue(encoded, undefined)
}

/**
 * Wraps bytes that were encoded from these fields. Key and value are taken from the encoded bytes, so that the caller's
 * arrays, often parts of a receive buffer, are not held on to.
 */
export function storedKeyValueFrom(encoded: Uint8Array, fields: KeyValueFields): StoredKeyValue {
  return new FreshKeyValue(encoded, fields)
}

/** Encodes fields and wraps the result, without decoding it again. */
export function storeKeyValue(fields: KeyValueFields): StoredKeyValue {
  return new EncodedKeyValue(encodeKeyValue(fields), fields)
}

/** What a delete event carries: the key, and the revision of the delete as mod revision. */
export function deletedKeyValue(key: Uint8Array, modRevision: number): StoredKeyValue {
  return storeKeyValue({
    key,
    value: emptyBytes,
    createRevision: 0,
    modRevision,
    version: 0,
    lease: noLease,
  })
}

/** Only the key of the encoded message that begins at `start`, for scans that need nothing else. */
export function keyOfEncoded(encoded: Uint8Array, start = 0): Uint8Array {
  assert(encoded[start] === keyTag, 'a stored message begins with its key')
  const position = { offset: start + 1 }
  const length = readVarint(encoded, position)
  assert(position.offset + length <= encoded.length, 'a stored key ends inside its record')
  return new Uint8Array(encoded.buffer, encoded.byteOffset + position.offset, length)
}

/** Whether the key of the message that begins at `start` lies within the bounds. Makes nothing. */
export function isEncodedKeyWithin(bytes: Uint8Array, start: number, bounds: KeyBounds): boolean {
  assert(bytes[start] === keyTag, 'a stored message begins with its key')
  let offset = start + 1
  let length = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[offset++] ?? 0
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  const key = { bytes, start: offset, length }
  return (
    comparePart(key, bounds.start) >= 0 &&
    (bounds.end === undefined || comparePart(key, bounds.end) < 0)
  )
}

/** As `compareBytes`, of a part of the bytes. */
function comparePart(
  part: { readonly bytes: Uint8Array; readonly start: number; readonly length: number },
  other: Uint8Array,
): number {
  const { bytes, start, length } = part
  const sharedLength = Math.min(length, other.length)
  for (let position = 0; position < sharedLength; position++) {
    const difference = (bytes[start + position] ?? 0) - (other[position] ?? 0)
    if (difference !== 0) return difference
  }
  return length - other.length
}

/** What was just written: only the value is looked for again, and only when somebody asks. */
class FreshKeyValue implements StoredKeyValue {
  readonly encoded: Uint8Array
  readonly key: Uint8Array
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: LeaseId
  private readonly valueSizeBytes: number

  constructor(encoded: Uint8Array, fields: KeyValueFields) {
    this.encoded = encoded
    this.key = keyOfEncoded(encoded)
    this.createRevision = fields.createRevision
    this.modRevision = fields.modRevision
    this.version = fields.version
    this.lease = fields.lease
    this.valueSizeBytes = fields.value.length
  }

  get value(): Uint8Array {
    const { encoded, lease } = this
    const end = encoded.length - (lease === noLease ? 0 : 1 + bigVarintSizeBytes(lease))
    return encoded.subarray(end - this.valueSizeBytes, end)
  }
}

class EncodedKeyValue implements StoredKeyValue {
  readonly encoded: Uint8Array
  private fields: KeyValueFields | undefined

  constructor(encoded: Uint8Array, fields: KeyValueFields | undefined) {
    this.encoded = encoded
    this.fields = fields
  }

  get key(): Uint8Array {
    return this.decoded().key
  }
  get value(): Uint8Array {
    return this.decoded().value
  }
  get createRevision(): number {
    return this.decoded().createRevision
  }
  get modRevision(): number {
    return this.decoded().modRevision
  }
  get version(): number {
    return this.decoded().version
  }
  get lease(): LeaseId {
    return this.decoded().lease
  }

  private decoded(): KeyValueFields {
    this.fields ??= decodeKeyValue(this.encoded)
    return this.fields
  }
}

function decodeKeyValue(encoded: Uint8Array): KeyValueFields {
  let key = emptyBytes
  let value = emptyBytes
  let createRevision = 0
  let modRevision = 0
  let version = 0
  let lease = noLease
  const position = { offset: 0 }
  while (position.offset < encoded.length) {
    const tag = encoded[position.offset++] ?? 0
    if (tag === leaseTag) lease = leaseId(readBigVarint(encoded, position))
    else {
      const number = readVarint(encoded, position)
      if (tag === createRevisionTag) createRevision = number
      else if (tag === modRevisionTag) modRevision = number
      else if (tag === versionTag) version = number
      else {
        assert(tag === keyTag || tag === valueTag, 'a stored record holds known fields only')
        const bytes = encoded.subarray(position.offset, position.offset + number)
        assert(bytes.length === number, 'a stored field ends inside its record')
        position.offset += number
        if (tag === keyTag) key = bytes
        else value = bytes
      }
    }
  }
  return { key, value, createRevision, modRevision, version, lease }
}

/** Size of the message of these fields. */
export function encodedSizeBytes(fields: KeyValueFields): number {
  let size = 0
  if (fields.key.length > 0) size += 1 + varintSizeBytes(fields.key.length) + fields.key.length
  if (fields.createRevision !== 0) size += 1 + varintSizeBytes(fields.createRevision)
  if (fields.modRevision !== 0) size += 1 + varintSizeBytes(fields.modRevision)
  if (fields.version !== 0) size += 1 + varintSizeBytes(fields.version)
  if (fields.value.length > 0)
    size += 1 + varintSizeBytes(fields.value.length) + fields.value.length
  if (fields.lease !== noLease) size += 1 + bigVarintSizeBytes(fields.lease)
  return size
}

function varintSizeBytes(value: number): number {
  let size = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++
  return size
}

function bigVarintSizeBytes(value: bigint): number {
  let size = 1
  for (let rest = BigInt.asUintN(64, value); rest >= 0x80n; rest >>= 7n) size++
  return size
}

function writeBytesField(
  target: Uint8Array,
  offset: number,
  tag: number,
  bytes: Uint8Array,
): number {
  if (bytes.length === 0) return offset
  target[offset] = tag
  const start = writeVarint(target, offset + 1, bytes.length)
  target.set(bytes, start)
  return start + bytes.length
}

function writeNumberField(target: Uint8Array, offset: number, tag: number, value: number): number {
  if (value === 0) return offset
  target[offset] = tag
  return writeVarint(target, offset + 1, value)
}

function writeVarint(target: Uint8Array, offset: number, value: number): number {
  assert(Number.isSafeInteger(value) && value >= 0, 'stored numbers are safe and not negative')
  let rest = value
  let next = offset
  while (rest >= 0x80) {
    // The remainder and not a bit mask: revisions may exceed 32 bits.
    target[next++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  target[next++] = rest
  return next
}

function writeBigVarint(target: Uint8Array, offset: number, value: bigint): number {
  let rest = BigInt.asUintN(64, value)
  let next = offset
  while (rest >= 0x80n) {
    target[next++] = Number(rest & 0x7fn) | 0x80
    rest >>= 7n
  }
  target[next++] = Number(rest)
  return next
}

function readVarint(source: Uint8Array, position: { offset: number }): number {
  let value = 0
  let factor = 1
  for (;;) {
    assert(position.offset < source.length, 'a stored number ends inside its record')
    const byte = source[position.offset++] ?? 0
    value += (byte & 0x7f) * factor
    if (byte < 0x80) break
    factor *= 0x80
  }
  assert(Number.isSafeInteger(value), 'stored numbers are safe')
  return value
}

function readBigVarint(source: Uint8Array, position: { offset: number }): bigint {
  let value = 0n
  let shift = 0n
  for (;;) {
    assert(position.offset < source.length, 'a stored number ends inside its record')
    const byte = source[position.offset++] ?? 0
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return value
    shift += 7n
  }
}
