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

/** The changes of one lane, by rising places. */
export interface LaneChanges {
  /** First and last place to draw; none: `last < first`. */
  readonly first: number
  readonly last: number
  readonly revisionAt: (place: number) => number
}

/** One mark: a single change, or several that stand too close to be told apart. */
export interface TimelineMark {
  /** Percent of the width. */
  readonly left: number
  readonly firstPlace: number
  readonly lastPlace: number
  readonly count: number
}

/** Half the width of a single mark, of a number without its digits, and of a digit. */
const halfSinglePx = 5
/** A creation, and the chosen one with its ring, are larger. */
const halfAlonePx = 9
const halfStonePx = 8
const halfManyPx = 9
const halfDigitPx = 3.5

/** Percent of a revision. */
export function leftOf(scale: TimelineScale, revision: number): number {
  const span = scale.newest - scale.oldest
  if (span <= 0) return scale.end
  return scale.start + ((revision - scale.oldest) / span) * (scale.end - scale.start)
}

/**
 * Groups the changes of one lane into marks. What falls on the same pixel is found by halving, so that the time goes with the width
 * and not with the number of changes; the groups are then joined until no two of them touch.
 *
 * @param alone  revisions that keep a mark of their own (a creation, the chosen one)
 */
export function marksOf(
  scale: TimelineScale,
  changes: LaneChanges,
  options: {
    readonly widthPx: number
    readonly alone: ReadonlySet<number>
    /** Percent, where the tombstone stands. */
    readonly endLeft?: number | undefined
  },
): readonly TimelineMark[] {
  const { widthPx, alone } = options
  const xOf = (place: number): number =>
    (leftOf(scale, changes.revisionAt(place)) / 100) * Math.max(1, widthPx)
  const groups: Group[] = []
  const apart = placesOf(changes, alone)
  let place = changes.first
  while (place <= changes.last) {
    const isAlone = apart[0] === place
    if (isAlone) apart.shift()
    const limit = isAlone ? place : Math.min(changes.last, (apart[0] ?? Infinity) - 1)
    const x = xOf(place)
    const end = lastBelow(xOf, { place, limit }, Math.floor(x) + 1)
    const endX = end === place ? x : xOf(end)
    const last = groups.at(-1)
    if (last === undefined || isAlone || last.isAlone || !touch(last, x, halfSinglePx)) {
      groups.push({ firstX: x, lastX: endX, firstPlace: place, lastPlace: end, isAlone })
    } else {
      last.lastX = endX
      last.lastPlace = end
    }
    place = end + 1
  }
  const endX =
    options.endLeft === undefined ? undefined : (options.endLeft / 100) * Math.max(1, widthPx)
  const { shown, centres } = settled(joined(groups), endX)
  return shown.map((group, index) => ({
    left: ((centres[index] ?? centreOf(group)) / Math.max(1, widthPx)) * 100,
    firstPlace: group.firstPlace,
    lastPlace: group.lastPlace,
    count: countOf(group),
  }))
}

/** Places of revisions that are among the changes, in order. */
function placesOf(
  { first, last, revisionAt }: LaneChanges,
  revisions: ReadonlySet<number>,
): number[] {
  return [...revisions]
    .sort((left, right) => left - right)
    .flatMap((revision) => {
      let low = first
      let high = last
      while (low < high) {
        const middle = (low + high) >>> 1
        if (revisionAt(middle) < revision) low = middle + 1
        else high = middle
      }
      return low <= last && revisionAt(low) === revision ? [low] : []
    })
}

/** The last place from one on, up to a limit, that stands left of `beforeX`; steps double until it is passed. */
function lastBelow(
  xOf: (place: number) => number,
  { place, limit }: { readonly place: number; readonly limit: number },
  beforeX: number,
): number {
  let low = place
  let step = 1
  while (low + step <= limit && xOf(low + step) < beforeX) {
    low += step
    step *= 2
  }
  let high = Math.min(limit + 1, low + step)
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (xOf(middle) < beforeX) low = middle
    else high = middle
  }
  return low
}

interface Group {
  readonly firstX: number
  lastX: number
  readonly firstPlace: number
  lastPlace: number
  readonly isAlone: boolean
}

function joined(groups: readonly Group[]): readonly Group[] {
  let before = groups
  // A mark with a number is wider than the ones it stands for, so that joining two may bring it upon a third.
  for (;;) {
    const after: Group[] = []
    for (const group of before) {
      const last = after.at(-1)
      const canJoin = last !== undefined && !last.isAlone && !group.isAlone
      if (canJoin && touch(last, centreOf(group), halfPxOf(group))) {
        last.lastX = group.lastX
        last.lastPlace = group.lastPlace
      } else after.push({ ...group })
    }
    if (after.length === before.length) return after
    before = after
  }
}

/** Two numbers that made way for single marks may have come upon each other: they become one. */
function settled(
  groups: readonly Group[],
  endX: number | undefined,
): { readonly shown: readonly Group[]; readonly centres: readonly number[] } {
  let shown = groups
  for (;;) {
    const centres = shown.map((group, index) => {
      const centre = clearOf(group, shown[index - 1], shown[index + 1])
      const isLast = index === shown.length - 1
      if (!isLast || endX === undefined || countOf(group) === 1) return centre
      return Math.min(centre, endX - halfPxOf(group) - halfStonePx)
    })
    const crowded = shown.findIndex((group, index) => {
      const before = shown[index - 1]
      if (before === undefined || before.isAlone || group.isAlone) return false
      const apart = (centres[index] ?? 0) - (centres[index - 1] ?? 0)
      return apart < halfPxOf(before) + halfPxOf(group)
    })
    const before = shown[crowded - 1]
    const after = shown[crowded]
    if (before === undefined || after === undefined) return { shown, centres }
    const both = { ...before, lastX: after.lastX, lastPlace: after.lastPlace }
    shown = [...shown.slice(0, crowded - 1), both, ...shown.slice(crowded + 1)]
  }
}

/** Where a mark stands: a number makes way for single marks beside it, which stand exactly. */
function clearOf(group: Group, before: Group | undefined, after: Group | undefined): number {
  const centre = centreOf(group)
  if (countOf(group) === 1) return centre
  const apart = halfPxOf(group) + halfAlonePx
  const least = before?.isAlone === true ? before.lastX + apart : Number.NEGATIVE_INFINITY
  const most = after?.isAlone === true ? after.firstX - apart : Number.POSITIVE_INFINITY
  return least > most ? centre : Math.min(most, Math.max(least, centre))
}

function touch(group: Group, x: number, halfPx: number): boolean {
  return x - centreOf(group) < halfPxOf(group) + halfPx
}

function centreOf(group: Group): number {
  return (group.firstX + group.lastX) / 2
}

function countOf(group: Group): number {
  return group.lastPlace - group.firstPlace + 1
}

function halfPxOf(group: Group): number {
  const count = countOf(group)
  return count === 1 ? halfSinglePx : halfManyPx + String(count).length * halfDigitPx
}

/** The stretch of revisions that is shown; moved and widened by the user, never beyond `all`. */
export interface TimelineWindow {
  readonly oldest: number
  readonly newest: number
}

const spanMin = 4

/** The window after a zoom about a revision; `factor` below 1 shows less. Undefined: everything is shown. */
export function zoomed(
  all: TimelineWindow,
  shown: TimelineWindow,
  zoom: { readonly factor: number; readonly about: number },
): TimelineWindow | undefined {
  const spanAll = all.newest - all.oldest
  const span = Math.max(spanMin, (shown.newest - shown.oldest) * zoom.factor)
  if (span >= spanAll) return undefined
  const share = (zoom.about - shown.oldest) / Math.max(1, shown.newest - shown.oldest)
  return clamped(all, zoom.about - span * Math.min(1, Math.max(0, share)), span)
}

/** The window moved by a share of its width. */
export function panned(
  all: TimelineWindow,
  shown: TimelineWindow,
  share: number,
): TimelineWindow | undefined {
  const span = shown.newest - shown.oldest
  if (span >= all.newest - all.oldest) return undefined
  return clamped(all, shown.oldest + span * share, span)
}

function clamped(all: TimelineWindow, oldest: number, span: number): TimelineWindow {
  const from = Math.min(Math.max(all.oldest, oldest), all.newest - span)
  return { oldest: from, newest: from + span }
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
