/** What a value is for the viewers of text: its text, laid out where it is JSON on one line. */

import { findText } from '../format/bytes-text.ts'
import { layOutJson } from '../values/json-layout.ts'
import { languageOf, type TextLanguage } from '../values/text-language.ts'
import { detectValueKind } from '../values/value-kind.ts'

/** What a value was recognised as. */
interface TextOfValue {
  readonly kind: 'json' | 'yaml' | 'text' | 'binary'
  /** In which its text is coloured. */
  readonly language: TextLanguage
  /** The text; undefined for a binary value. */
  readonly text?: string
  /** JSON laid out over lines; only for JSON. */
  readonly formatted?: string
}

/** JSON above this size is shown as it is: laying it out would hold the window for longer than a moment. */
const formatBytesMax = 2 * 1024 * 1024

/** Recognises a value. JSON is only what begins as an object or array and parses. */
export function valueKindOf(value: Uint8Array): TextOfValue {
  const { kind, isText } = detectValueKind(value)
  if (!isText) return { kind: 'binary', language: 'plaintext' }
  const text = findText(value) ?? ''
  const language = languageOf(kind)
  if (kind !== 'json') return { kind: kind === 'yaml' ? 'yaml' : 'text', language, text }
  if (value.length > formatBytesMax) return { kind: 'json', language, text, formatted: text }
  const formatted = hasLines(text) ? text : layOutJson(text)
  return formatted === undefined
    ? { kind: 'text', language: 'plaintext', text }
    : { kind: 'json', language, text, formatted }
}

/** Text that already has lines is shown as somebody laid it out. */
export function hasLines(text: string): boolean {
  return text.trimEnd().includes('\n')
}

/** Both kinds of line end occur, and an editor keeps only one. */
export function hasMixedLineEnds(text: string): boolean {
  const windows = text.split('\r\n').length - 1
  const unix = text.split('\n').length - 1 - windows
  return windows > 0 && unix > 0
}
