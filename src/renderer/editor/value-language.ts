/** What a value is, as far as its bytes tell. */

import { findText, isText } from '../format/bytes-text.ts'

/** Ways in which a value can be shown. */
export type ValueView = 'json' | 'text' | 'hex' | 'base64'

/** What a value was recognised as. */
export interface ValueKind {
  readonly kind: 'json' | 'yaml' | 'text' | 'binary'
  /** The text; undefined for a binary value. */
  readonly text?: string
  /** JSON laid out over lines; only for JSON. */
  readonly formatted?: string
}

/** JSON above this size is shown as it is: laying it out would hold the window for longer than a moment. */
const formatBytesMax = 2 * 1024 * 1024

/** Recognises a value. JSON is only what begins as an object or array and parses. */
export function valueKindOf(value: Uint8Array): ValueKind {
  if (!isText(value)) return { kind: 'binary' }
  const text = findText(value) ?? ''
  const first = /^\s*(\S)/u.exec(text)?.[1]
  if ((first === '{' || first === '[') && value.length <= formatBytesMax) {
    const formatted = findFormatted(text)
    if (formatted !== undefined) return { kind: 'json', text, formatted }
  }
  return { kind: /^---\s|^\w[\w-]*:\s/u.test(text) ? 'yaml' : 'text', text }
}

/** The views that a kind of value offers, the best one first. */
export function viewsOf(kind: ValueKind): readonly ValueView[] {
  if (kind.kind === 'binary') return ['hex', 'base64']
  return kind.kind === 'json' ? ['json', 'text', 'hex'] : ['text', 'hex']
}

/** Both kinds of line end occur, and an editor keeps only one. */
export function hasMixedLineEnds(text: string): boolean {
  const windows = text.split('\r\n').length - 1
  const unix = text.split('\n').length - 1 - windows
  return windows > 0 && unix > 0
}

/**
 * JSON over several lines. Text that already has lines stays as it is, and so does text in which numbers would change:
 * JavaScript keeps 53 bits of a number, and what is shown must be what is stored.
 */
function findFormatted(text: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    if (text.trimEnd().includes('\n') || hasWideNumber(text)) return text
    return JSON.stringify(parsed, null, 2)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function hasWideNumber(text: string): boolean {
  return /[\d.]{16,}/u.test(text) || /\d[eE][+-]?\d/u.test(text)
}
