/** What a search looks for, in keys or in values: some bytes, or a regular expression. */

import { z } from 'zod'
import { patternUnitsMax } from './limits.ts'
import { keyBytesSchema } from './primitives.ts'

/** A regular expression; checked here, so that a wrong one is refused before it runs. */
export const patternSchema = z.string().min(1).max(patternUnitsMax).refine(isPattern, {
  message: 'not a regular expression',
})

export const keyMatchSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('bytes'), bytes: keyBytesSchema }).readonly(),
  /** Matched against the bytes as text; of a long value against its beginning. */
  z.strictObject({ kind: z.literal('pattern'), pattern: patternSchema }).readonly(),
])
export type KeyMatch = z.infer<typeof keyMatchSchema>

const matchedBytesMax = 64 * 1024

/** Whether a text can be used as a regular expression. */
export function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u').source.length > 0
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** A test of bytes as text. */
export function patternTestOf(pattern: string): (bytes: Uint8Array) => boolean {
  const decoder = new TextDecoder()
  const expression = new RegExp(pattern, 'u')
  return (bytes) => expression.test(decoder.decode(bytes.subarray(0, matchedBytesMax)))
}
