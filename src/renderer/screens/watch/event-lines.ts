/**
 * Rows of a watch pane as the lines of a list: in one of two directions, grouped by revision, with room for the details of
 * one row. Pure. A line is reckoned when it is asked for: of a hundred thousand only those in sight ever are.
 */

import type { SortedIds } from '../../stores/sorted-ids.ts'

/** One line of the list. */
export type EventLine =
  | {
      readonly kind: 'row'
      readonly id: number
      /** First line of its revision: it carries the revision and the time. */
      readonly isFirst: boolean
      /** Second line of its revision: it carries the number of changes. */
      readonly isSecond: boolean
      /** Last line of its revision: a border closes the group. */
      readonly isLast: boolean
      /** Rows of its revision in the list. */
      readonly groupSize: number
    }
  /** Room below a row for its details. */
  | { readonly kind: 'details'; readonly id: number }

/** How the lines are laid out. */
export interface LineLayout {
  /** Newest revision first; inside of a revision the changes keep their order. */
  readonly isNewestFirst: boolean
  /** The row whose details are shown below it, and how many lines they take. */
  readonly expanded: { readonly id: number; readonly lineCount: number } | undefined
}

interface Group {
  readonly start: number
  readonly end: number
}

export class EventLines {
  readonly count: number
  /** Rows that had left at the front when these lines were made (later ones shift the positions), and all there had ever been. */
  readonly firstNumber: number
  readonly endNumber: number
  private readonly ids: SortedIds
  private readonly placeOf: (id: number) => number
  readonly layout: LineLayout
  private readonly rowCount: number
  /** Line of the row with details; -1: none. */
  private readonly expandedLine: number

  constructor(ids: SortedIds, placeOf: (id: number) => number, layout: LineLayout) {
    this.ids = ids
    this.placeOf = placeOf
    this.layout = layout
    this.rowCount = ids.length
    this.firstNumber = ids.droppedCount
    this.endNumber = ids.droppedCount + ids.length
    const { expanded } = layout
    this.expandedLine = expanded === undefined ? -1 : this.rowLineOf(expanded.id)
    this.count = this.rowCount + (this.expandedLine < 0 ? 0 : (expanded?.lineCount ?? 0))
  }

  /** Whether the rows and their layout are the same as when these lines were made. */
  isOf(ids: SortedIds, layout: LineLayout): boolean {
    const { isNewestFirst, expanded } = this.layout
    return (
      ids === this.ids &&
      ids.droppedCount === this.firstNumber &&
      ids.droppedCount + ids.length === this.endNumber &&
      layout.isNewestFirst === isNewestFirst &&
      layout.expanded?.id === expanded?.id
    )
  }

  /** By how many lines the rows that were in others before have moved down; negative: up. */
  movedSince(before: EventLines): number {
    if (this.ids !== before.ids || this.layout.isNewestFirst !== before.layout.isNewestFirst)
      return 0
    return this.layout.isNewestFirst
      ? this.endNumber - before.endNumber
      : before.firstNumber - this.firstNumber
  }

  /** The line at an index; undefined outside of the list, and for a row that left since. */
  at(index: number): EventLine | undefined {
    const { expanded } = this.layout
    if (expanded !== undefined && this.expandedLine >= 0 && index > this.expandedLine) {
      const below = index - this.expandedLine
      if (below <= expanded.lineCount) return { kind: 'details', id: expanded.id }
      return this.row(index - expanded.lineCount)
    }
    return this.row(index)
  }

  /** The row at an index, or the one whose details stand there. */
  idAt(index: number): number | undefined {
    return this.at(index)?.id
  }

  /** Index of a row's line; -1 when it is not in the list. */
  indexOf(id: number): number {
    const line = this.rowLineOf(id)
    const isBelow = this.expandedLine >= 0 && line > this.expandedLine
    return isBelow ? line + (this.layout.expanded?.lineCount ?? 0) : line
  }

  private row(line: number): EventLine | undefined {
    if (line < 0 || line >= this.rowCount) return undefined
    const asked = this.layout.isNewestFirst ? this.rowCount - 1 - line : line
    const group = this.groupAround(asked)
    // Turned round, the group of a position begins where it ended, and is read forwards.
    const position = this.layout.isNewestFirst ? group.start + (group.end - asked) : asked
    const id = this.idOf(position)
    if (id === undefined) return undefined
    return {
      kind: 'row',
      id,
      isFirst: position === group.start,
      isSecond: position === group.start + 1,
      isLast: position === group.end,
      groupSize: group.end - group.start + 1,
    }
  }

  private rowLineOf(id: number): number {
    const position = this.ids.indexOf(id)
    if (position < 0) return -1
    const at = position + this.ids.droppedCount - this.firstNumber
    if (!this.layout.isNewestFirst || at < 0 || at >= this.rowCount) return at
    const group = this.groupAround(at)
    return this.rowCount - 1 - group.end + (at - group.start)
  }

  private groupAround(position: number): Group {
    const place = this.placeAt(position)
    let start = position
    let end = position
    while (start > 0 && this.placeAt(start - 1) === place) start--
    while (end < this.rowCount - 1 && this.placeAt(end + 1) === place) end++
    return { start, end }
  }

  private placeAt(position: number): number | undefined {
    const id = this.idOf(position)
    return id === undefined ? undefined : this.placeOf(id)
  }

  private idOf(position: number): number | undefined {
    return this.ids.at(position + this.firstNumber - this.ids.droppedCount)
  }
}
