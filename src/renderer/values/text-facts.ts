/** The text of a value, as much of it as a first look needs. */

/** Text of a value, or of its head. */
export interface TextFacts {
  /** The first characters, cut at a character's end. */
  readonly head: string
  /** The whole text; undefined above the size below which values are parsed to tell what they are. */
  readonly whole: string | undefined
  readonly sizeBytes: number
}

/** Characters of the head are made of this many bytes. */
const headBytesMax = 16 * 1024
/** Values up to this size are parsed as a whole to tell what they are. */
const parseBytesMax = 128 * 1024

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * The text of the bytes, or undefined when they are no text: no valid UTF-8, or with NUL.
 *
 * @param checkBytesMax  of a longer value only this much is checked
 */
export function textFacts(bytes: Uint8Array, checkBytesMax: number): TextFacts | undefined {
  const checked = bytes.subarray(0, Math.min(bytes.length, checkBytesMax))
  if (checked.includes(0)) return undefined
  const isWhole = checked.length === bytes.length
  if (bytes.length <= parseBytesMax && isWhole) {
    const whole = decoded(bytes)
    return whole === undefined
      ? undefined
      : { head: whole.slice(0, headBytesMax), whole, sizeBytes: bytes.length }
  }
  if (decoded(isWhole ? checked : cutAtCharacter(checked)) === undefined) return undefined
  const head = lenient.decode(cutAtCharacter(checked.subarray(0, headBytesMax)))
  return { head, whole: undefined, sizeBytes: bytes.length }
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

/** The bytes without those of a character at the end whose other bytes were cut off. */
export function cutAtCharacter(bytes: Uint8Array): Uint8Array {
  const { length } = bytes
  for (let back = 1; back <= 4 && back <= length; back++) {
    const byte = bytes[length - back] ?? 0
    if ((byte & 0xc0) === 0x80) continue
    if (byte < 0x80) return bytes
    const expected = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return expected > back ? bytes.subarray(0, length - back) : bytes
  }
  return bytes
}
