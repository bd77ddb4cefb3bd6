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

/** Marks nearer than this are drawn as one with their number. */
const marksApartPx = 11

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
  const marks: { left: number; revisions: number[] }[] = []
  for (const revision of revisions) {
    const left = leftOf(scale, revision)
    const last = marks.at(-1)
    const isNear = last !== undefined && ((left - last.left) / 100) * widthPx < marksApartPx
    const lastIsAlone = last?.revisions.some((one) => alone.has(one)) === true
    if (isNear && !alone.has(revision) && !lastIsAlone) last.revisions.push(revision)
    else marks.push({ left, revisions: [revision] })
  }
  return marks
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
