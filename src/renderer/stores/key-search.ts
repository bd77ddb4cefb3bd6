/** What a list is searched for: a text, taken as bytes or as a regular expression, in keys or in values. */

import { patternTestOf, type KeyMatch } from '../../preload/contract/key-match.ts'
import { patternUnitsMax } from '../../preload/contract/limits.ts'
import { isPattern } from '../../preload/contract/user-pattern.ts'
import { parseKeyText } from '../format/bytes-text.ts'
import { includesBytes } from './key-order.ts'

/** One search. */
export interface KeySearch {
  /** As it was typed. */
  readonly text: string
  readonly match: KeyMatch
  readonly isInValues: boolean
}

/** The search for a typed text; undefined for none, and for what is no regular expression. */
export function keySearchOf(
  text: string,
  how: { readonly isPattern: boolean; readonly isInValues: boolean },
): KeySearch | undefined {
  const { isInValues } = how
  if (text === '') return undefined
  if (!how.isPattern)
    return { text, match: { kind: 'bytes', bytes: parseKeyText(text) }, isInValues }
  if (!isUsablePattern(text)) return undefined
  return { text, match: { kind: 'pattern', pattern: text }, isInValues }
}

/** Whether a text can be searched for as a regular expression. */
export function isUsablePattern(text: string): boolean {
  return text.length <= patternUnitsMax && isPattern(text)
}

/** A test of keys, or of values. */
export function testOfMatch(match: KeyMatch): (bytes: Uint8Array) => boolean {
  if (match.kind === 'pattern') return patternTestOf(match.pattern)
  return (bytes) => includesBytes(bytes, match.bytes)
}
