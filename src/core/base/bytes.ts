/** Byte strings: order, joining, prefixes and readable forms. Order is that of unsigned bytes, the shorter prefix first. */

/** No bytes at all. Shared, and never written to. */
export const emptyBytes: Uint8Array = new Uint8Array(0)

/** Negative, zero or positive as `left` sorts before, with or after `right`. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const sharedLength = Math.min(left.length, right.length)
  for (let position = 0; position < sharedLength; position++) {
    const difference = (left[position] ?? 0) - (right[position] ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

/** Whether both hold the same bytes. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && compareBytes(left, right) === 0
}

/** One new array with all parts in order. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** A copy that shares no memory with its source, for bytes that outlive a receive buffer. */
export function copyBytes(source: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(source)
}

/**
 * The smallest byte string greater than every string with this prefix.
 *
 * @returns `undefined` when there is none (an empty prefix, or nothing but 0xff)
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let position = prefix.length - 1; position >= 0; position--) {
    const byte = prefix[position] ?? 0
    if (byte === 0xff) continue
    const end = Uint8Array.prototype.slice.call(prefix, 0, position + 1)
    end[position] = byte + 1
    return end
  }
  return undefined
}

const hexDigits = '0123456789abcdef'

/** Lower-case hexadecimal, two digits a byte. */
export function hexOf(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += (hexDigits[byte >> 4] ?? '') + (hexDigits[byte & 15] ?? '')
  return text
}

/**
 * One UTF-16 unit per byte (0–255): a Map key whose string order equals byte order. Not for display.
 */
export function latin1Of(bytes: Uint8Array): string {
  let text = ''
  let position = 0
  // Five times as fast as handing over the bytes as a list.
  for (; position + 8 <= bytes.length; position += 8) {
    text += String.fromCharCode(
      bytes[position] ?? 0,
      bytes[position + 1] ?? 0,
      bytes[position + 2] ?? 0,
      bytes[position + 3] ?? 0,
      bytes[position + 4] ?? 0,
      bytes[position + 5] ?? 0,
      bytes[position + 6] ?? 0,
      bytes[position + 7] ?? 0,
    )
  }
  for (; position < bytes.length; position++) text += String.fromCharCode(bytes[position] ?? 0)
  return text
}

/** The inverse of {@link latin1Of}. */
export function bytesOfLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let position = 0; position < text.length; position++)
    bytes[position] = text.charCodeAt(position)
  return bytes
}
