/** What a search looks for, in keys or in values: some bytes, or a regular expression. */

import { z } from 'zod'
import { patternUnitsMax } from './limits.ts'
import { keyBytesSchema } from './primitives.ts'
import { compilePattern, isPattern } from './user-pattern.ts'

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

/** Enough for what people write, and bounded for what they do not. */
const matchedBytesMax = 64 * 1024

/** A test of bytes as text. Nothing matches what is no expression; {@link patternSchema} refuses that before. */
export function patternTestOf(pattern: string): (bytes: Uint8Array) => boolean {
  const expression = compilePattern(pattern)
  return (bytes) => expression?.test(bytes.subarray(0, matchedBytesMax)) === true
}
