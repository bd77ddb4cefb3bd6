import { ByteReader, MalformedMessage } from '../proto/byte-reader.ts'
import { lengthWordBytes, type RecordKind, recordKinds } from './record.ts'

/** What the eight bytes before a record say. */
export interface LengthWord {
  readonly recordBytes: number
  readonly paddingBytes: number
  /** Size and padding agree; a word that nobody wrote rarely does. */
  readonly isWellFormed: boolean
}

/** Reads the eight bytes before a record. */
export function readLengthWord(head: Uint8Array): LengthWord {
  let recordBytes = 0
  for (let position = 6; position >= 0; position--) {
    recordBytes = recordBytes * 256 + (head[position] ?? 0)
  }
  const paddingBytes = (8 - (recordBytes % 8)) % 8
  const top = paddingBytes === 0 ? 0 : 0x80 | paddingBytes
  return { recordBytes, paddingBytes, isWellFormed: head[7] === top && recordBytes > 0 }
}

/** The fields of a record; `data` is a view. */
export interface ParsedRecord {
  readonly kind: number
  readonly checksum: number
  readonly data: Uint8Array
}

const noData: Uint8Array = new Uint8Array(0)

/** Undefined when the bytes are not a record. */
export function parseRecord(body: Uint8Array): ParsedRecord | undefined {
  let kind = 0
  let checksum = 0
  let data = noData
  try {
    const reader = new ByteReader(body)
    while (!reader.isAtEnd()) {
      const tag = reader.tag()
      if (tag === 0x08) kind = reader.number()
      else if (tag === 0x10) checksum = reader.number()
      else if (tag === 0x1a) data = reader.bytes()
      else reader.skip(tag)
    }
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined
    throw error
  }
  return { kind, checksum, data }
}

/** What a record says of itself in its first bytes, in the order that every writer uses. */
export interface RecordHead {
  readonly kind: number
  readonly checksum: number
  /** Size of the whole record as its own fields give it. */
  readonly recordBytes: number
}

/** Undefined when the bytes do not begin a record. */
export function parseRecordHead(head: Uint8Array): RecordHead | undefined {
  try {
    const reader = new ByteReader(head)
    if (reader.tag() !== 0x08) return undefined
    const kind = reader.number()
    if (reader.tag() !== 0x10) return undefined
    const checksum = reader.number()
    if (kind === recordKinds.checksum) return { kind, checksum, recordBytes: reader.offset }
    if (reader.tag() !== 0x1a) return undefined
    const dataBytes = reader.number()
    return { kind, checksum, recordBytes: reader.offset + dataBytes }
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined
    throw error
  }
}

/** Where the parts of a frame with data lie in the bytes it was found in. */
export interface PlainFrame {
  readonly kind: RecordKind
  readonly checksum: number
  readonly dataStart: number
  /** Behind the record, whose last field is the data. */
  readonly end: number
  /** Behind the padding. */
  readonly frameEnd: number
}

/**
 * Reads a frame with data that lies whole in `bytes`, written as every writer does: kind, checksum, data, nothing else.
 * Undefined for anything else, whether it is right or wrong.
 */
export function parsePlainFrame(bytes: Uint8Array, at: number): PlainFrame | undefined {
  const recordStart = at + lengthWordBytes
  if (at < 0 || recordStart + 8 > bytes.length) return undefined
  const byteAt = (position: number): number => bytes[position] ?? 0
  if ((byteAt(at + 4) | byteAt(at + 5) | byteAt(at + 6)) !== 0) return undefined
  const recordBytes =
    byteAt(at) | (byteAt(at + 1) << 8) | (byteAt(at + 2) << 16) | (byteAt(at + 3) << 24)
  const end = recordStart + recordBytes
  const paddingBytes = (8 - (recordBytes % 8)) % 8
  if (recordBytes < 6 || end + paddingBytes > bytes.length) return undefined
  if (byteAt(at + 7) !== (paddingBytes === 0 ? 0 : 0x80 | paddingBytes)) return undefined
  const kind = byteAt(recordStart + 1)
  if (!isKindWithData(kind) || byteAt(recordStart) !== 0x08 || byteAt(recordStart + 2) !== 0x10) {
    return undefined
  }
  const checksumAt = recordStart + 3
  const checksumBytes = varintLength(bytes, checksumAt)
  const lengthAt = checksumAt + checksumBytes + 1
  if (checksumBytes > 5 || byteAt(lengthAt - 1) !== 0x1a) return undefined
  const dataStart = lengthAt + varintLength(bytes, lengthAt)
  if (dataStart + varintAt(bytes, lengthAt) !== end) return undefined
  const checksum = varintAt(bytes, checksumAt)
  return { kind, checksum, dataStart, end, frameEnd: end + paddingBytes }
}

function isKindWithData(kind: number): kind is RecordKind {
  return (
    kind >= recordKinds.metadata && kind <= recordKinds.snapshot && kind !== recordKinds.checksum
  )
}

/** Bytes of a varint; 6 when it is longer than one of 32 bits. */
function varintLength(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 5; length++) if ((bytes[at + length - 1] ?? 0) < 128) return length
  return 6
}

function varintAt(bytes: Uint8Array, at: number): number {
  let value = 0
  let scale = 1
  for (let position = at; position < at + 5; position++) {
    const byte = bytes[position] ?? 0
    value += (byte & 127) * scale
    if (byte < 128) break
    scale *= 128
  }
  return value
}
