/** Rows of a watch pane as the list shows them: newest first, filtered, grouped by revision. Pure. */

import { keyText, previewText } from '../../format/bytes-text.ts'
import type { WatchRow } from '../../stores/watch-pane.ts'

/** Which events are shown. */
export interface EventFilter {
  /** Part of a key or value; empty for all. */
  readonly text: string
  readonly kind: 'all' | 'create' | 'put' | 'delete'
}

/** One line of the list, and its place in the group of its revision. */
export interface EventLine {
  readonly row: WatchRow
  /** First line of its revision: it carries the revision and the time. */
  readonly isFirst: boolean
  /** Last line of its revision: a border closes the group. */
  readonly isLast: boolean
  /** Changes of its revision in the list. */
  readonly groupSize: number
}

/**
 * Lines of the list, newest revision first; inside of a revision the changes keep their order.
 *
 * @param rows      oldest first, as the pane keeps them
 * @param hiddenIds watches whose rows are not shown
 */
export function eventLines(
  rows: readonly WatchRow[],
  filter: EventFilter,
  hiddenIds: ReadonlySet<number>,
): readonly EventLine[] {
  const lines: EventLine[] = []
  let end = rows.length
  while (end > 0) {
    const start = groupStart(rows, end - 1)
    const group = rows.slice(start, end).filter((row) => isShown(row, filter, hiddenIds))
    group.forEach((row, index) => {
      lines.push({
        row,
        isFirst: index === 0,
        isLast: index === group.length - 1,
        groupSize: group.length,
      })
    })
    end = start
  }
  return lines
}

function groupStart(rows: readonly WatchRow[], last: number): number {
  const newest = rows[last]
  if (newest?.kind !== 'change') return last
  let start = last
  for (; start > 0; start--) {
    const before = rows[start - 1]
    if (before?.kind !== 'change' || before.change.revision !== newest.change.revision) break
  }
  return start
}

function isShown(row: WatchRow, filter: EventFilter, hiddenIds: ReadonlySet<number>): boolean {
  if (hiddenIds.has(row.watchId)) return false
  if (row.kind === 'seam') return true
  if (filter.kind !== 'all' && row.op !== filter.kind) return false
  if (filter.text === '') return true
  const wanted = filter.text.toLowerCase()
  if (keyText(row.change.key).toLowerCase().includes(wanted)) return true
  const value = row.change.current ?? row.change.previous
  return value !== undefined && previewText(value.bytes).toLowerCase().includes(wanted)
}
