/** Bookmarks and changes of the leader above the bars of the axis. */

import { leftOf, type TimelineScale } from '../../../components/timeline/timeline-layout.ts'

/** Room that a mark's text needs. */
const labelPx = 150
/** Beyond this a text would leave the axis. */
const labelLeftMax = 92

/** What stands above the bars. */
export interface AxisMark {
  readonly revision: number
  readonly label: string
  readonly icon: 'bookmark' | 'crown'
}

/** A mark with its place in percent; one without room shows no text. */
type PlacedMark = AxisMark & { readonly left: number; readonly hasRoom: boolean }

/** The marks of the axis from left to right. */
export function placedMarks(
  marks: readonly AxisMark[],
  axis: { readonly scale: TimelineScale; readonly head: number; readonly widthPx: number },
): readonly PlacedMark[] {
  const { scale, head, widthPx } = axis
  const minGapPercent = widthPx === 0 ? 0 : (labelPx / widthPx) * 100
  let last = Number.NEGATIVE_INFINITY
  return marks
    .filter((mark) => mark.revision >= scale.oldest && mark.revision <= head)
    .map((mark) => ({ ...mark, left: leftOf(scale, mark.revision) }))
    .sort((one, other) => one.left - other.left)
    .map((mark) => {
      const hasRoom = mark.left - last >= minGapPercent && mark.left < labelLeftMax
      if (hasRoom) last = mark.left
      return { ...mark, hasRoom }
    })
}
