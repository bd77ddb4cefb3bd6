/** What a user asked one watch of the pane to do; kept for the next start. */

import { z } from 'zod'
import type { KeyRange } from '../../preload/contract/kv.ts'
import { keyText, parseKeyText } from '../format/bytes-text.ts'
import { boundsOf, rangeUnder } from './key-order.ts'

/** Colours that a watch may have, as numbers of the tokens; green and red say what happened, so they are left out. */
export const watchColours = [1, 6, 3, 8, 5, 7] as const

const definitionSchema = z.strictObject({
  /** Shown instead of the key when it is not empty. */
  name: z.string().max(80),
  /** As the user wrote it, with escapes. */
  keyText: z.string().max(65_536),
  /** Only for `interval`: the first key behind it. */
  endText: z.string().max(65_536),
  scope: z.enum(['key', 'prefix', 'from', 'interval', 'all']),
  start: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('now') }),
    z.strictObject({ kind: z.literal('oldest') }),
    z.strictObject({ kind: z.literal('revision'), revision: z.number().int().min(1) }),
  ]),
  isWithoutPuts: z.boolean(),
  isWithoutDeletes: z.boolean(),
  hasPrevious: z.boolean(),
  /** Its changes are told while another view is shown. Absent in what older versions kept. */
  notifies: z.boolean().default(false),
  /** Empty: every key. */
  keyPattern: z.string().max(1_024),
  /** Empty: every value. */
  valuePattern: z.string().max(1_024),
  colour: z.number().int().min(1).max(8),
})
/** One watch as it was asked for. */
export type WatchDefinition = z.infer<typeof definitionSchema>

const savedSchema = z.record(z.string(), z.array(definitionSchema).max(64))
/** Watches by connection. */
export type SavedWatches = z.infer<typeof savedSchema>

/** A watch of everything from now on, to be changed by a form. */
export const plainDefinition: WatchDefinition = {
  name: '',
  keyText: '',
  endText: '',
  scope: 'prefix',
  start: { kind: 'now' },
  isWithoutPuts: false,
  isWithoutDeletes: false,
  hasPrevious: true,
  notifies: false,
  keyPattern: '',
  valuePattern: '',
  colour: watchColours[0],
}

/** Which keys a definition means. */
export function rangeOfDefinition(definition: WatchDefinition): KeyRange {
  const key = parseKeyText(definition.keyText)
  switch (definition.scope) {
    case 'key':
      return { kind: 'key', key }
    case 'prefix':
      return rangeUnder(key)
    case 'from':
      return { kind: 'from', start: key }
    case 'interval':
      return { kind: 'interval', start: key, end: parseKeyText(definition.endText) }
    case 'all':
      return { kind: 'all' }
  }
}

/** The part of a definition that says which keys it means. */
export function definitionOfRange(
  range: KeyRange,
): Pick<WatchDefinition, 'name' | 'scope' | 'keyText' | 'endText'> {
  const { from, to } = boundsOf(range)
  const isBounded = range.kind === 'interval' && to !== undefined
  return {
    name: '',
    scope: range.kind,
    keyText: keyText(range.kind === 'prefix' ? range.prefix : from),
    endText: isBounded ? keyText(to) : '',
  }
}

/** Saved watches from their text; none when it is not what this version wrote. */
export function parseSavedWatches(text: string): SavedWatches {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
  const parsed = savedSchema.safeParse(value)
  return parsed.success ? parsed.data : {}
}
