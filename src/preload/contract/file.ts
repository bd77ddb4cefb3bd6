/**
 * Files that the user chose in a dialog of the system. The page never names a path: it gets a token for a file that is
 * being written, and the bytes and base name of one that was read.
 */

import { z } from 'zod'
import { fileChunkBytesMax, fileReadBytesMax, shortTextUnitsMax } from './limits.ts'
import { bytesSchema, listSchema } from './primitives.ts'

/** One line of the dialog's list of types; extensions without dot, `*` for all. */
export const fileFilterSchema = z
  .strictObject({
    name: z.string().min(1).max(80),
    extensions: listSchema(z.string().regex(/^(?:\*|[A-Za-z0-9]{1,12})$/), {
      lengthMin: 1,
      lengthMax: 16,
    }),
  })
  .readonly()
export type FileFilter = z.infer<typeof fileFilterSchema>

const filtersSchema = listSchema(fileFilterSchema, { lengthMin: 0, lengthMax: 16 })
/** Separators and control characters are taken out by the main process; a name is no path. */
const fileNameSchema = z.string().max(shortTextUnitsMax)
const fileTokenSchema = z.string().regex(/^[a-f0-9-]{36}$/)

export const beginSaveRequestSchema = z
  .strictObject({ suggestedName: fileNameSchema, filters: filtersSchema })
  .readonly()
export type BeginSaveRequest = z.infer<typeof beginSaveRequestSchema>

/** A file is ready to be written, or the user closed the dialog. */
export type BeginSaveReply =
  | { readonly kind: 'chosen'; readonly token: string; readonly name: string }
  | { readonly kind: 'cancelled' }

export const appendFileRequestSchema = z
  .strictObject({
    token: fileTokenSchema,
    bytes: bytesSchema(fileChunkBytesMax, 'a part of a file'),
  })
  .readonly()
export type AppendFileRequest = z.infer<typeof appendFileRequestSchema>

export const fileTokenRequestSchema = z.strictObject({ token: fileTokenSchema }).readonly()
export type FileTokenRequest = z.infer<typeof fileTokenRequestSchema>

/** What was written under the chosen name. */
export interface SavedFile {
  readonly name: string
  readonly sizeBytes: number
}

export const openFileRequestSchema = z
  .strictObject({
    filters: filtersSchema,
    /** A larger file is refused before it is read. */
    sizeBytesMax: z.number().int().min(1).max(fileReadBytesMax),
  })
  .readonly()
export type OpenFileRequest = z.infer<typeof openFileRequestSchema>

export type OpenFileReply =
  | { readonly kind: 'chosen'; readonly name: string; readonly bytes: Uint8Array }
  | { readonly kind: 'cancelled' }
