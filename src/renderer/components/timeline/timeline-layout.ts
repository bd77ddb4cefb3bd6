/**
 * Where revisions stand on the axis, and which marks are drawn together. Pure, so that the same rules hold in every
 * timeline.
 *
 * The axis is linear in revisions between the oldest and the newest change; positions are percent of the width.
 */

/** Maps revisions to percent of the width. */
export interface TimelineScale {
  readonly oldest: number
  readonly newest: number
  /** Percent of the width before the oldest revision: where the seam stands. */
  readonly start: number
  /** Percent of the newest revision. */
  readonly end: number
}

/** One mark: a single revision, or several that stand too close to be told apart. */
export interface TimelineMark {
  readonly left: number
  /** Oldest first. */
  readonly revisions: readonly number[]
}

/** Half the width of a single mark, and of one with a number. */
const halfSinglePx = 5
const halfManyPx = 16

/** Percent of a revision. */
export function leftOf(scale: TimelineScale, revision: number): number {
  const span = scale.newest - scale.oldest
  if (span <= 0) return scale.end
  return scale.start + ((revision - scale.oldest) / span) * (scale.end - scale.start)
}

/**
 * Groups the revisions of one lane into marks.
 *
 * @param revisions  oldest first
 * @param alone      revisions that keep a mark of their own (a creation, the chosen one)
 */
export function marksOf(
  scale: TimelineScale,
  revisions: readonly number[],
  options: { readonly widthPx: number; readonly alone: ReadonlySet<number> },
): readonly TimelineMark[] {
  const { widthPx, alone } = options
  let marks: readonly TimelineMark[] = revisions.map((revision) => ({
    left: leftOf(scale, revision),
    revisions: [revision],
  }))
  // A mark with a number is wider than the ones it stands for, so that joining two may bring it upon a third.
  for (;;) {
    const joined = joinedOnce(marks, { scale, widthPx, alone })
    if (joined.length === marks.length) return joined
    marks = joined
  }
}

function joinedOnce(
  marks: readonly TimelineMark[],
  options: {
    readonly scale: TimelineScale
    readonly widthPx: number
    readonly alone: ReadonlySet<number>
  },
): readonly TimelineMark[] {
  const { scale, widthPx, alone } = options
  const joined: TimelineMark[] = []
  const isAlone = (mark: TimelineMark): boolean => mark.revisions.some((one) => alone.has(one))
  for (const mark of marks) {
    const last = joined.at(-1)
    if (last === undefined || isAlone(last) || isAlone(mark) || !overlap(last, mark, widthPx)) {
      joined.push(mark)
      continue
    }
    const revisions = [...last.revisions, ...mark.revisions]
    const ends = [revisions[0] ?? 0, revisions.at(-1) ?? 0] as const
    joined[joined.length - 1] = {
      left: (leftOf(scale, ends[0]) + leftOf(scale, ends[1])) / 2,
      revisions,
    }
  }
  return joined
}

function overlap(left: TimelineMark, right: TimelineMark, widthPx: number): boolean {
  const halfOf = (mark: TimelineMark): number =>
    mark.revisions.length > 1 ? halfManyPx : halfSinglePx
  return ((right.left - left.left) / 100) * widthPx < halfOf(left) + halfOf(right)
}

/** Revisions to write under the axis: the two ends and round ones between, never closer than their text needs. */
export function ticksOf(
  scale: TimelineScale,
  widthPx: number,
): readonly { readonly left: number; readonly revision: number }[] {
  const tickPx = 72
  const span = scale.newest - scale.oldest
  const countMax = Math.max(1, Math.floor(((scale.end - scale.start) / 100) * (widthPx / tickPx)))
  const count = Math.min(countMax, Math.max(1, span))
  const ticks = new Map<number, number>()
  for (let at = 0; at <= count; at++) {
    const revision = Math.round(scale.oldest + (span * at) / count)
    ticks.set(revision, leftOf(scale, revision))
  }
  return [...ticks].map(([revision, left]) => ({ revision, left }))
}
