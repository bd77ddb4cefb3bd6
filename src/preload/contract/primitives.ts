/** Building blocks of the other schemas: bytes, 64-bit ids, revisions, short texts. */

import { z } from 'zod'
import { keySizeBytesMax, shortTextUnitsMax, valueSizeBytesMax } from './limits.ts'

/** Bytes of bounded length. */
export const bytesSchema = (sizeBytesMax: number, what: string): z.ZodType<Uint8Array> =>
  z.custom<Uint8Array>(
    (value) => value instanceof Uint8Array && value.byteLength <= sizeBytesMax,
    `${what} must be a byte array of at most ${String(sizeBytesMax)} bytes`,
  )

/** A key, or one end of a range of keys. May be empty. */
export const keyBytesSchema = bytesSchema(keySizeBytesMax, 'a key')

/** A value. May be empty. */
export const valueBytesSchema = bytesSchema(valueSizeBytesMax, 'a value')

/** Revision, version, term or index: a safe integer from 0. As a request, revision 0 means the newest one. */
export const revisionSchema = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

/** Lease id as on the wire: signed 64 bits, 0 for none. */
export const leaseSchema = z
  .bigint()
  .min(-(2n ** 63n))
  .max(2n ** 63n - 1n)

/** A name or label that a person typed. */
export const shortTextSchema = z.string().min(1).max(shortTextUnitsMax)

/** Identifier of an open or saved connection, given out by the main process. */
export const connectionIdSchema = z.string().regex(/^[a-z0-9-]{1,64}$/)

/** Requests that name nothing but a connection. */
export const connectionRequestSchema = z
  .strictObject({ connectionId: connectionIdSchema })
  .readonly()
export type ConnectionRequest = z.infer<typeof connectionRequestSchema>

/**
 * A list of bounded length. zod's own `readonly()` freezes what it was given even when that is no list at all, and the
 * freezing of a typed array throws.
 */
export function listSchema<Schema extends z.ZodType>(
  element: Schema,
  bounds: { readonly lengthMin: number; readonly lengthMax: number },
): z.ZodType<readonly z.infer<Schema>[]> {
  return z.array(element).min(bounds.lengthMin).max(bounds.lengthMax)
}

/** Calls without arguments send this. */
export const emptyRequestSchema = z.strictObject({}).readonly()
