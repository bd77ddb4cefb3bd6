/** Bookmarks and changes of the leader above the bars of the axis. */

import { leftOf, type TimelineScale } from '../../../components/timeline/timeline-layout.ts'

/** Free room behind the end of the axis, between two marks, and the least that a sign with its name takes. */
const endRoomPx = 28
const markGapPx = 8
const namedMarkPx = 64

/** What stands above the bars. */
export interface AxisMark {
  readonly revision: number
  readonly label: string
  readonly icon: 'bookmark' | 'crown'
}

/** A mark with its place in percent and the room up to the next one; too little room leaves the sign alone. */
type PlacedMark = AxisMark & {
  readonly left: number
  readonly roomPx: number
  readonly hasRoom: boolean
}

/** The marks of the axis from left to right. */
export function placedMarks(
  marks: readonly AxisMark[],
  axis: { readonly scale: TimelineScale; readonly head: number; readonly widthPx: number },
): readonly PlacedMark[] {
  const { scale, head, widthPx } = axis
  const placed = marks
    .filter((mark) => mark.revision >= scale.oldest && mark.revision <= head)
    .map((mark) => ({ ...mark, left: leftOf(scale, mark.revision) }))
    .sort((one, other) => one.left - other.left)
  const axisEndPercent = 100 + (endRoomPx / Math.max(1, widthPx)) * 100
  return placed.map((mark, at) => {
    const end = placed[at + 1]?.left ?? axisEndPercent
    const roomPx = ((end - mark.left) / 100) * widthPx - markGapPx
    return { ...mark, roomPx, hasRoom: roomPx >= namedMarkPx }
  })
}
