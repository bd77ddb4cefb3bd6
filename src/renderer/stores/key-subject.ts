/** A range of keys as the one line of text that a tab carries, and back. */

import type { KeyRange } from '../../preload/contract/kv.ts'
import { keyText, parseKeyText } from '../format/bytes-text.ts'
import { boundsOf, rangeBetween, rangeUnder } from './key-order.ts'

/** Stands between the two ends of a range that is no prefix. */
const between = ' … '

/** A prefix stands as it is; other ranges as `first … end`, without an end as `first … `. */
export function subjectOf(range: KeyRange): string {
  if (range.kind === 'prefix') return keyText(range.prefix)
  if (range.kind === 'all') return ''
  const { from, to } = boundsOf(range)
  return `${keyText(from)}${between}${to === undefined ? '' : keyText(to)}`
}

/** The range that a tab's text stands for. */
export function rangeOfSubject(subject: string): KeyRange {
  const at = subject.indexOf(between)
  if (at < 0) return rangeUnder(parseKeyText(subject))
  const end = subject.slice(at + between.length)
  const from = parseKeyText(subject.slice(0, at))
  return rangeBetween(from, end === '' ? undefined : parseKeyText(end))
}
