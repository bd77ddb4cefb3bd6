/**
 * Objects as a Kubernetes API server stores them: four bytes `k8s\0`, then an envelope that names version and kind, then
 * the object itself.
 */

import { WireType, type BinaryReader } from '@bufbuild/protobuf/wire'
import { stringify } from 'yaml'
import { base64Text, findText } from '../../format/bytes-text.ts'
import { listOf, readMessage, unknownField } from './message-reader.ts'
import { eachField, integerOf, MessageFormError, type JsonValue } from './wire-fields.ts'
import { findMessageName } from './message-table.ts'

/** A stored object, made readable. */
export interface StoredObject {
  readonly apiVersion: string
  readonly kind: string
  /** As the API would show it; for an unknown kind its fields by number. */
  readonly yaml: string
  /** Why it is not shown as the API would show it; undefined when it is. */
  readonly obstacle?: 'unknownKind' | 'otherEncoding' | 'damaged'
  /** For a damaged object: where. */
  readonly reason?: string
}

interface Envelope {
  apiVersion: string
  kind: string
  raw: Uint8Array
  contentEncoding: string
  contentType: string
  unknown: Record<string, JsonValue>
}

const magicBytes = 4
/** Nested messages of an unknown kind are followed this deep. */
const dumpDepthMax = 12

/**
 * Decodes a stored object. Whatever the bytes are, there is an answer: what cannot be read is said.
 *
 * @param value  begins with `k8s\0`
 */
export function decodeStoredObject(value: Uint8Array): StoredObject {
  let envelope: Envelope
  try {
    envelope = readEnvelope(value.subarray(magicBytes))
  } catch (error) {
    if (!(error instanceof MessageFormError)) throw error
    return { apiVersion: '', kind: '', yaml: '', obstacle: 'damaged', reason: error.message }
  }
  const { apiVersion, kind, raw, contentEncoding, contentType } = envelope
  if (contentEncoding !== '' || contentType.includes('json')) {
    const text = contentEncoding === '' ? findText(raw) : undefined
    const facts = { contentEncoding, contentType, ...envelope.unknown }
    const body = text === undefined ? { 'body, base64': base64Text(raw) } : { body: text }
    return { apiVersion, kind, yaml: yamlOf({ ...facts, ...body }), obstacle: 'otherEncoding' }
  }
  const name = findMessageName(apiVersion, kind)
  try {
    if (name === undefined) {
      const yaml = yamlOf({ apiVersion, kind, ...dumped(raw, 0), ...envelope.unknown })
      return { apiVersion, kind, yaml, obstacle: 'unknownKind' }
    }
    const object = readMessage(name, raw) as Readonly<Record<string, JsonValue>>
    return { apiVersion, kind, yaml: yamlOf({ apiVersion, kind, ...object, ...envelope.unknown }) }
  } catch (error) {
    if (!(error instanceof MessageFormError)) throw error
    return { apiVersion, kind, yaml: '', obstacle: 'damaged', reason: error.message }
  }
}

function readEnvelope(bytes: Uint8Array): Envelope {
  const envelope: Envelope = {
    apiVersion: '',
    kind: '',
    raw: new Uint8Array(0),
    contentEncoding: '',
    contentType: '',
    unknown: {},
  }
  eachField(bytes, (number, wireType, reader) => {
    if (wireType !== WireType.LengthDelimited || number > 4 || number < 1) {
      const [name, value] = unknownField(number, wireType, reader)
      envelope.unknown[`envelope: ${name}`] = value
    } else if (number === 1) readTypeMeta(reader.bytes(), envelope)
    else if (number === 2) envelope.raw = reader.bytes()
    else if (number === 3) envelope.contentEncoding = reader.string()
    else envelope.contentType = reader.string()
    return true
  })
  return envelope
}

function readTypeMeta(bytes: Uint8Array, envelope: Envelope): void {
  eachField(bytes, (number, wireType, reader) => {
    if (wireType !== WireType.LengthDelimited || (number !== 1 && number !== 2)) return false
    if (number === 1) envelope.apiVersion = reader.string()
    else envelope.kind = reader.string()
    return true
  })
}

/** Fields by number, with texts and messages as far as the bytes look like them. */
function dumped(bytes: Uint8Array, depth: number): Record<string, JsonValue> {
  const out: Record<string, JsonValue> = {}
  eachField(bytes, (number, wireType, reader) => {
    const name = `field ${String(number)}`
    const value = dumpedValue(wireType, reader, { number, depth })
    const before = out[name]
    out[name] = before === undefined ? value : [...listOf(before), value]
    return true
  })
  return out
}

function dumpedValue(
  wireType: WireType,
  reader: BinaryReader,
  at: { readonly number: number; readonly depth: number },
): JsonValue {
  if (wireType !== WireType.LengthDelimited)
    return wireType === WireType.Varint
      ? integerOf(reader.uint64())
      : unknownField(at.number, wireType, reader)[1]
  const bytes = reader.bytes()
  const text = findText(bytes)
  if (text !== undefined && !/[^\P{Cc}\n\r\t]/u.test(text)) return text
  if (at.depth < dumpDepthMax && bytes.length > 0) {
    try {
      return dumped(bytes, at.depth + 1)
    } catch (error) {
      if (!(error instanceof MessageFormError)) throw error
    }
  }
  return { base64: base64Text(bytes) }
}

function yamlOf(object: Readonly<Record<string, JsonValue>>): string {
  return stringify(object, { lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' })
}
