/**
 * Messages in protobuf's wire format to the objects that the API's JSON shows.
 *
 * Nothing is believed: lengths are checked against what is there, nesting has an end, and fields that the table does not
 * know are kept under their number.
 */

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { base64Text } from '../../format/bytes-text.ts'
import { findMessage, type MessageField } from './message-table.ts'
import { findSpecialReader } from './special-messages.ts'
import { eachField, integerOf, MessageFormError, type JsonValue } from './wire-fields.ts'

/** Objects of the API nest about 20 deep; validation schemas deeper. */
const depthMax = 100

/** An object under construction. */
type Target = Record<string, JsonValue>

/**
 * The object that a message holds.
 *
 * @throws MessageFormError  when the bytes are cut off or are no such message
 */
export function readMessage(name: string, bytes: Uint8Array, depth = 0): JsonValue {
  if (depth > depthMax)
    throw new MessageFormError(`messages are nested over ${String(depthMax)} deep`)
  const special = findSpecialReader(name)
  if (special !== undefined)
    return special(bytes, (inner, part) => readMessage(inner, part, depth + 1))
  const message = findMessage(name)
  if (message === undefined) throw new MessageFormError(`${name} is not in the table`)
  if (message.kind === 'list') {
    const items = readFields([message.element], bytes, depth)[message.element.name]
    return items ?? null
  }
  return readFields(message.fields, bytes, depth)
}

/** A value as a list: the list itself, or one of it alone. */
export function listOf(value: JsonValue): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [value]
}

function readFields(fields: readonly MessageField[], bytes: Uint8Array, depth: number): Target {
  const read = new Map<number, JsonValue>()
  const unknown: Target = {}
  const byNumber = new Map(fields.map((field) => [field.number, field]))
  eachField(bytes, (number, wireType, reader) => {
    const field = byNumber.get(number)
    if (field === undefined || !fits(field, wireType)) {
      const [name, value] = unknownField(number, wireType, reader)
      const before = unknown[name]
      unknown[name] = before === undefined ? value : [...listOf(before), value]
    } else takeField(read, { field, wireType, reader, depth })
    return true
  })
  return { ...assembled(fields, read), ...unknown }
}

interface FieldInput {
  readonly field: MessageField
  readonly wireType: WireType
  readonly reader: BinaryReader
  readonly depth: number
}

function takeField(read: Map<number, JsonValue>, input: FieldInput): void {
  const { field, wireType, reader } = input
  const before = read.get(field.number)
  if (field.shape === 'map') {
    const [key, value] = readEntry(field, reader.bytes(), input.depth)
    read.set(field.number, { ...(before as Target | undefined), [key]: value })
  } else if (field.shape === 'one') read.set(field.number, readOne(input))
  else {
    const list = (before as JsonValue[] | undefined) ?? []
    if (before === undefined) read.set(field.number, list)
    if (wireType === WireType.LengthDelimited && isPackable(field.type)) readPacked(input, list)
    else list.push(readOne(input))
  }
}

function readPacked({ field, reader, depth }: FieldInput, list: JsonValue[]): void {
  const packed = new BinaryReader(reader.bytes())
  while (packed.pos < packed.len)
    list.push(readOne({ field, wireType: wireTypeOf(field.type), reader: packed, depth }))
}

function readOne({ field, reader, depth }: FieldInput): JsonValue {
  switch (field.type) {
    case 's':
      return reader.string()
    case 'b':
      return reader.bool()
    case 'i':
      return reader.int32()
    case 'I':
      return integerOf(reader.int64())
    case 'd':
      return reader.double()
    case 'B':
      return base64Text(reader.bytes())
    default:
      return readMessage(field.type, reader.bytes(), depth + 1)
  }
}

/** One entry of a map: the name is field 1, the value field 2. */
function readEntry(
  field: MessageField,
  bytes: Uint8Array,
  depth: number,
): readonly [string, JsonValue] {
  let key = ''
  let value: JsonValue | undefined
  const element: MessageField = { ...field, shape: 'one' }
  eachField(bytes, (number, wireType, reader) => {
    if (number === 1 && wireType === WireType.LengthDelimited) key = reader.string()
    else if (number === 2 && fits(element, wireType))
      value = readOne({ field: element, wireType, reader, depth })
    else return false
    return true
  })
  // A value that is null (a time never set) is a value.
  return [key, value === undefined ? zeroOf(field.type) : value]
}

/** In the order of the API's JSON, without what it leaves out. */
function assembled(fields: readonly MessageField[], read: ReadonlyMap<number, JsonValue>): Target {
  const out: Target = {}
  for (const field of fields) {
    const value = read.get(field.number)
    if (field.isInline) Object.assign(out, value)
    else if (value !== undefined) {
      if (!field.isZeroOmitted || !isZero(value))
        out[field.name] = field.shape === 'map' ? sorted(value as Target) : value
    } else if (field.isNullWhenAbsent) out[field.name] = null
  }
  return out
}

function sorted(map: Target): Target {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function isZero(value: JsonValue): boolean {
  return value === '' || value === 0 || value === false || value === null
}

function zeroOf(type: string): JsonValue {
  if (type === 's' || type === 'B') return ''
  if (type === 'b') return false
  return isPackable(type) ? 0 : {}
}

function isPackable(type: string): boolean {
  return type === 'b' || type === 'i' || type === 'I' || type === 'd'
}

function wireTypeOf(type: string): WireType {
  if (type === 'd') return WireType.Bit64
  return isPackable(type) ? WireType.Varint : WireType.LengthDelimited
}

function fits(field: MessageField, wireType: WireType): boolean {
  if (field.shape === 'map') return wireType === WireType.LengthDelimited
  const isPacked = field.shape === 'list' && isPackable(field.type)
  return wireType === wireTypeOf(field.type) || (isPacked && wireType === WireType.LengthDelimited)
}

/** A field that the table does not know, under its number, with its value as far as the wire format tells. */
export function unknownField(
  number: number,
  wireType: WireType,
  reader: BinaryReader,
): readonly [string, JsonValue] {
  const name = `unknown field ${String(number)}`
  switch (wireType) {
    case WireType.Varint:
      return [name, integerOf(reader.uint64())]
    case WireType.Bit64:
      return [`${name}, 8 bytes`, integerOf(reader.fixed64())]
    case WireType.Bit32:
      return [`${name}, 4 bytes`, reader.fixed32()]
    case WireType.LengthDelimited:
      return [`${name}, base64`, base64Text(reader.bytes())]
    case WireType.StartGroup:
      return [`${name}, group`, base64Text(reader.skip(wireType, number))]
    case WireType.EndGroup:
      throw new MessageFormError(`a group ends that did not begin, at field ${String(number)}`)
  }
}
