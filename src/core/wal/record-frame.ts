import { ByteReader, MalformedMessage } from '../proto/byte-reader.ts'
import { recordKinds } from './record.ts'

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
