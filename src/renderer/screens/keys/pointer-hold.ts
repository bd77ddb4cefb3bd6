/**
 * Keeps rows from moving away under the pointer.
 *
 * Rows that would move the one under the pointer wait until the pointer has rested for a while. When they come all the same,
 * a click that follows at once was aimed at what stood there before: nobody reacts that fast to what is new.
 */

import { keyText } from '../../format/bytes-text.ts'
import type { TreeRow } from '../../stores/key-tree.ts'

/** A pointer that did not move for so long is not on its way to a row. */
const restMs = 1_500
/** Shorter than it takes to see another row and to aim at it. */
const reactionMs = 350

/** The pointer over one list. Times are in milliseconds of any one clock. */
export class PointerHold {
  /** Place of the row under the pointer; undefined while it is elsewhere. */
  private hovered: number | undefined
  private movedAtMs = Number.NEGATIVE_INFINITY
  private moved: { readonly row: TreeRow; readonly atMs: number } | undefined

  /** The pointer moved, to a row or to where there is none. */
  move(place: number | undefined, nowMs: number): void {
    this.hovered = place
    this.movedAtMs = nowMs
    this.moved = undefined
  }

  leave(): void {
    this.hovered = undefined
    this.moved = undefined
  }

  /** How long other rows have to wait; 0: they may come. */
  waitMs(before: readonly TreeRow[], after: readonly TreeRow[], nowMs: number): number {
    if (this.hovered === undefined || placeAfter(before, after, this.hovered) === this.hovered)
      return 0
    return Math.max(0, this.movedAtMs + restMs - nowMs)
  }

  /** Other rows have come. Answers by how many rows what was under the pointer moved down. */
  replace(before: readonly TreeRow[], after: readonly TreeRow[], nowMs: number): number {
    const { hovered } = this
    const row = hovered === undefined ? undefined : before[hovered]
    if (hovered === undefined || row === undefined) return 0
    const place = placeAfter(before, after, hovered)
    if (place === hovered) return 0
    this.moved = { row, atMs: nowMs }
    return place === undefined ? 0 : place - hovered
  }

  /** The row that a click on a row is meant for. */
  aimed(row: TreeRow | undefined, nowMs: number): TreeRow | undefined {
    const { moved } = this
    return moved !== undefined && nowMs - moved.atMs < reactionMs ? moved.row : row
  }
}

/** Where a row stands among other rows; undefined when it is not there, or there was none. */
export function placeAfter(
  before: readonly TreeRow[],
  after: readonly TreeRow[],
  place: number,
): number | undefined {
  const row = before[place]
  if (row === undefined) return undefined
  const same = after[place]
  // Most changes are counts: rows stay where they are.
  if (same?.kind === row.kind && keyText(same.path) === keyText(row.path)) return place
  const text = keyText(row.path)
  const found = after.findIndex((one) => one.kind === row.kind && keyText(one.path) === text)
  return found < 0 ? undefined : found
}
