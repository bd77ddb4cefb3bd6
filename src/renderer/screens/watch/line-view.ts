/** The lines of a list as they are looked at: what keeps its place on the screen while rows come in. Pure. */

import type { EventLines } from './event-lines.ts'

/** Lines, and how they moved since the list began; both numbers only ever count. */
export interface LineView {
  readonly lines: EventLines
  /** How far rows have moved down, as far as they keep their elements. */
  readonly slotShift: number
  /** How far what is in sight has moved down. */
  readonly viewShift: number
}

/** Beyond so many rows nothing of what was in sight before is in sight any more. */
const sightRowsMax = 30

/** The lines of a list that begins. */
export function firstView(lines: EventLines): LineView {
  return { lines, slotShift: 0, viewShift: 0 }
}

/**
 * The lines that follow.
 *
 * @param isFollowing  what is in sight is the newest rows, and not the ones that were
 */
export function viewOf(before: LineView, lines: EventLines, isFollowing: boolean): LineView {
  const moved = lines.movedSince(before.lines)
  const { slotShift, viewShift } = before
  if (!isFollowing) return { lines, slotShift: slotShift + moved, viewShift: viewShift + moved }
  // Of the newest rows at the end of the list the place moves along with them, at its beginning it stays.
  const viewMoved = lines.layout.isNewestFirst ? 0 : lines.count - before.lines.count
  const isOther = Math.abs(moved - viewMoved) > sightRowsMax
  // Where all rows are others, elements that stay where they are cost less than those that go with rows that are gone.
  return { lines, viewShift, slotShift: slotShift + (isOther ? viewMoved : moved) }
}
