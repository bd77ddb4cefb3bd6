/** Messages that the API's JSON does not show as objects: times, quantities, JSON inside of messages, and such. */

import { WireType } from '@bufbuild/protobuf/wire'
import { base64Text, findText } from '../../format/bytes-text.ts'
import { eachField, integerOf, type JsonValue } from './wire-fields.ts'

/** Reads a message that lies inside of another one. */
type InnerReader = (name: string, bytes: Uint8Array) => JsonValue

/** Reads the body of a special message. */
type SpecialReader = (bytes: Uint8Array, readInner: InnerReader) => JsonValue

const schemaProps = 'apiextensions/v1.JSONSchemaProps'

const readers: Readonly<Record<string, SpecialReader>> = {
  'meta/v1.Time': (bytes) => timeText(bytes, 0),
  'meta/v1.MicroTime': (bytes) => timeText(bytes, 6),
  'meta/v1.Duration': (bytes) => durationText(scalarsOf(bytes).integers[1] ?? 0n),
  'resource.Quantity': (bytes) => scalarsOf(bytes).texts[1] ?? '0',
  'intstr.IntOrString': (bytes) => {
    const { integers, texts } = scalarsOf(bytes)
    return (integers[1] ?? 0n) === 1n ? (texts[3] ?? '') : integerOf(integers[2] ?? 0n)
  },
  'runtime.RawExtension': (bytes) => embedded(scalarsOf(bytes).bytes[1]),
  'meta/v1.FieldsV1': (bytes) => embedded(scalarsOf(bytes).bytes[1]),
}

/** The same in every version of the extension API. */
const schemaReaders: Readonly<Record<string, SpecialReader>> = {
  JSON: (bytes) => embedded(scalarsOf(bytes).bytes[1]),
  JSONSchemaPropsOrBool: (bytes, readInner) => {
    const { bytes: parts, integers } = scalarsOf(bytes)
    return parts[2] === undefined ? (integers[1] ?? 0n) !== 0n : readInner(schemaProps, parts[2])
  },
  JSONSchemaPropsOrArray: (bytes, readInner) =>
    oneOrMany(bytes, (part) => readInner(schemaProps, part)),
  JSONSchemaPropsOrStringArray: (bytes, readInner) => {
    const { bytes: parts } = scalarsOf(bytes)
    return parts[1] === undefined
      ? partsOf(bytes, 2).map((part) => findText(part) ?? base64Text(part))
      : readInner(schemaProps, parts[1])
  },
}

/** How a message is read that is not shown as an object; undefined for an ordinary one. */
export function findSpecialReader(name: string): SpecialReader | undefined {
  const schema = /^apiextensions\/\w+\.(\w+)$/u.exec(name)?.[1]
  return readers[name] ?? (schema === undefined ? undefined : schemaReaders[schema])
}

interface Scalars {
  readonly integers: Record<number, bigint>
  readonly texts: Record<number, string>
  readonly bytes: Record<number, Uint8Array>
}

/** The last value of each field, however it is to be understood. */
function scalarsOf(message: Uint8Array): Scalars {
  const out: Scalars = { integers: {}, texts: {}, bytes: {} }
  eachField(message, (number, wireType, reader) => {
    if (wireType === WireType.Varint)
      out.integers[number] = BigInt.asIntN(64, BigInt(reader.uint64()))
    else if (wireType === WireType.LengthDelimited) {
      const bytes = reader.bytes()
      out.bytes[number] = bytes
      out.texts[number] = findText(bytes) ?? base64Text(bytes)
    } else return false
    return true
  })
  return out
}

function partsOf(message: Uint8Array, wanted: number): Uint8Array[] {
  const parts: Uint8Array[] = []
  eachField(message, (number, wireType, reader) => {
    if (number !== wanted || wireType !== WireType.LengthDelimited) return false
    parts.push(reader.bytes())
    return true
  })
  return parts
}

function oneOrMany(message: Uint8Array, read: (part: Uint8Array) => JsonValue): JsonValue {
  const [first] = partsOf(message, 1)
  return first === undefined ? partsOf(message, 2).map(read) : read(first)
}

/** RFC 3339 in UTC with so many digits after the second; null for a time that was never set. */
function timeText(message: Uint8Array, digits: number): JsonValue {
  const { integers } = scalarsOf(message)
  const seconds = integers[1]
  const nanos = integers[2] ?? 0n
  if (seconds === undefined && nanos === 0n) return null
  const date = new Date(Number(seconds ?? 0n) * 1000)
  if (Number.isNaN(date.getTime())) return `${String(seconds)} s since 1970`
  const whole = date.toISOString().replace(/\.\d+Z$/u, '')
  const fraction = nanos.toString().padStart(9, '0').slice(0, digits)
  return `${whole}${fraction === '' ? '' : `.${fraction}`}Z`
}

/** As Go writes durations: `1h2m3.5s`, `1.5ms`, `0s`. */
function durationText(nanos: bigint): string {
  if (nanos === 0n) return '0s'
  const sign = nanos < 0n ? '-' : ''
  const rest = nanos < 0n ? -nanos : nanos
  if (rest < 1_000_000_000n) {
    const [unit, name] =
      rest < 1_000n
        ? ([1n, 'ns'] as const)
        : rest < 1_000_000n
          ? ([1_000n, 'µs'] as const)
          : ([1_000_000n, 'ms'] as const)
    return `${sign}${decimalText(rest, unit)}${name}`
  }
  const hours = rest / 3_600_000_000_000n
  const minutes = (rest / 60_000_000_000n) % 60n
  const seconds = `${decimalText(rest % 60_000_000_000n, 1_000_000_000n)}s`
  const withMinutes = hours > 0n || minutes > 0n ? `${String(minutes)}m${seconds}` : seconds
  return `${sign}${hours > 0n ? `${String(hours)}h` : ''}${withMinutes}`
}

function decimalText(value: bigint, unit: bigint): string {
  const digits = unit.toString().length - 1
  const fraction = (value % unit).toString().padStart(digits, '0').replace(/0+$/u, '')
  return fraction === '' || digits === 0
    ? (value / unit).toString()
    : `${(value / unit).toString()}.${fraction}`
}

/** JSON inside of a message; bytes that are none are shown as base64. */
function embedded(bytes: Uint8Array | undefined): JsonValue {
  if (bytes === undefined || bytes.length === 0) return null
  const text = findText(bytes)
  if (text !== undefined) {
    try {
      return JSON.parse(text) as JsonValue
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  return { 'not JSON, base64': base64Text(bytes) }
}
