/** Which events of a watch pane are wanted: by kind, by watch, by text or regular expression in key and value. */

import { compilePattern } from '../../preload/contract/user-pattern.ts'
import type { Operation } from '../components/marks/operation.ts'
import { keyText, previewText } from '../format/bytes-text.ts'
import type { WatchLog } from './watch-log.ts'

/** What the user asks for. */
export interface EventFilter {
  /** Part of a key or value; empty for all. */
  readonly text: string
  /** The text is a regular expression. */
  readonly isPattern: boolean
  readonly kind: 'all' | Operation
}

/** A filter that lets everything through. */
export const everyEvent: EventFilter = { text: '', isPattern: false, kind: 'all' }

const matchedCharsMax = 4_096

/**
 * A test of rows, or undefined when every row passes. Seams pass unless their watch is hidden.
 *
 * @param hiddenIds  watches whose rows are not wanted
 */
export function matcherOf(
  log: WatchLog,
  filter: EventFilter,
  hiddenIds: ReadonlySet<number>,
): ((id: number) => boolean) | undefined {
  const hasText = textTestOf(filter)
  if (hasText === undefined && filter.kind === 'all' && hiddenIds.size === 0) return undefined
  return (id) => {
    if (hiddenIds.has(log.watchIdOf(id))) return false
    const op = log.opOf(id)
    if (op === undefined) return true
    if (filter.kind !== 'all' && op !== filter.kind) return false
    return hasText === undefined || rowHasText(log, id, hasText)
  }
}

/** A test of rows for a search: seams are never found. Undefined when nothing is searched. */
export function searchOf(
  log: WatchLog,
  search: Pick<EventFilter, 'text' | 'isPattern'>,
): ((id: number) => boolean) | undefined {
  const hasText = textTestOf(search)
  if (hasText === undefined) return undefined
  return (id) => log.opOf(id) !== undefined && rowHasText(log, id, hasText)
}

function rowHasText(log: WatchLog, id: number, hasText: (text: string) => boolean): boolean {
  return hasText(keyText(log.keyOf(id))) || hasText(previewText(log.valueOf(id), matchedCharsMax))
}

function textTestOf({
  text,
  isPattern: isRegular,
}: Pick<EventFilter, 'text' | 'isPattern'>): ((text: string) => boolean) | undefined {
  if (text === '') return undefined
  if (isRegular) {
    const pattern = compilePattern(text, { ignoresCase: true })
    return pattern === undefined ? () => false : (part) => pattern.test(part)
  }
  const wanted = text.toLowerCase()
  return (part) => part.toLowerCase().includes(wanted)
}
