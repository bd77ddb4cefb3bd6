/** What all readers of messages share: fields in the wire format, values as JSON shows them, and bytes out of form. */

import { BinaryReader, type WireType } from '@bufbuild/protobuf/wire'

/** What the API's JSON is made of; integers that JavaScript cannot hold exactly are bigints. */
export type JsonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue }

/** The bytes do not have the form that they should have. The message says where. */
export class MessageFormError extends Error {
  override readonly name = 'MessageFormError'
}

/** Calls back for every field of a message; what is not taken is skipped. */
export function eachField(
  bytes: Uint8Array,
  take: (number: number, wireType: WireType, reader: BinaryReader) => boolean,
): void {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const at = reader.pos
    try {
      const [number, wireType] = reader.tag()
      if (!take(number, wireType, reader)) reader.skip(wireType, number)
    } catch (error) {
      if (error instanceof MessageFormError) throw error
      if (!(error instanceof Error)) throw error
      throw new MessageFormError(`no whole field at byte ${String(at)}: ${error.message}`)
    }
  }
}

/** A 64-bit integer as JSON shows it. */
export function integerOf(value: bigint | string): number | bigint {
  const whole = BigInt(value)
  const short = Number(whole)
  return Number.isSafeInteger(short) ? short : whole
}
