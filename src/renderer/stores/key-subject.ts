/** A range of keys as the one line of text that a tab carries, and back. */

import type { KeyRange } from '../../preload/contract/kv.ts'
import { keyText, parseKeyText } from '../format/bytes-text.ts'
import { boundsOf, rangeBetween, rangeUnder } from './key-order.ts'

/** Stands between the two ends of a range that is no prefix. */
const between = ' … '

/** What stands for `between` inside of a key. */
const betweenEscaped = ' \\u2026 '

const endText = (bytes: Uint8Array): string => keyText(bytes).replaceAll(between, betweenEscaped)

/** A prefix stands as it is; other ranges as `first … end`, without an end as `first … `. */
export function subjectOf(range: KeyRange): string {
  if (range.kind === 'prefix') return endText(range.prefix)
  if (range.kind === 'all') return ''
  const { from, to } = boundsOf(range)
  return `${endText(from)}${between}${to === undefined ? '' : endText(to)}`
}

/** The range that a tab's text stands for. */
export function rangeOfSubject(subject: string): KeyRange {
  const at = subject.indexOf(between)
  if (at < 0) return rangeUnder(parseKeyText(subject))
  const end = subject.slice(at + between.length)
  const from = parseKeyText(subject.slice(0, at))
  return rangeBetween(from, end === '' ? undefined : parseKeyText(end))
}
