import { computed, shallowRef } from 'vue'
import type { ComputedRef } from 'vue'
import { leftOf, marksOf, panned, zoomed } from '../../components/timeline/timeline-layout.ts'
import type { TimelineScale, TimelineWindow } from '../../components/timeline/timeline-layout.ts'
import type { KeyDetail } from '../../stores/key-detail.ts'
import type { HistoryMarks } from '../../stores/key-history.ts'
import type { Generation, KeyPast } from '../../stores/key-past.ts'

/** Where a lane's parts stand; the texts are the screen's. */
export interface PlottedLane {
  readonly number: number
  readonly band: {
    readonly left: number
    readonly right: number
    readonly isOpen: boolean
    readonly isTorn: boolean
  }
  readonly marks: readonly {
    readonly left: number
    readonly count: number
    readonly isCreation: boolean
    readonly isSelected: boolean
    readonly revision: number
    readonly place: number
  }[]
  readonly stone:
    { readonly left: number; readonly absentTo: number; readonly revision: number } | undefined
}

/** The axis of a key's history, what is shown of it, and its lanes. */
export interface HistoryPlot {
  readonly scale: ComputedRef<TimelineScale>
  readonly isZoomed: ComputedRef<boolean>
  readonly hasSeam: ComputedRef<boolean>
  readonly laneOf: (
    generation: Generation,
    options: { widthPx: number; selected: number },
  ) => PlottedLane
  /** A factor below 1 shows less; the place under `share` of the width stays. */
  readonly zoom: (factor: number, share?: number) => void
  readonly pan: (share: number) => void
  readonly showAll: () => void
}

/** Percent of the width of the axis with and without a seam before it, and its end. */
const startWithSeam = 11
const startWithout = 3
const end = 96

export function useHistoryPlot(detail: () => KeyDetail): HistoryPlot {
  const shown = shallowRef<TimelineWindow>()
  const all = computed<TimelineWindow>(() => {
    const { history } = detail()
    const { past } = history
    return { oldest: past.revisionAt(0), newest: past.revisionAt(past.count - 1) }
  })
  const window = computed(() => shown.value ?? all.value)
  const hasSeam = computed(
    () => detail().history.compactedRevision.value > 0 || detail().history.past.isCut,
  )
  const scale = computed<TimelineScale>(() => ({
    ...window.value,
    start: hasSeam.value ? startWithSeam : startWithout,
    end,
  }))

  function zoom(factor: number, share = 0.5): void {
    const { oldest, newest } = window.value
    shown.value = zoomed(all.value, window.value, {
      factor,
      about: oldest + (newest - oldest) * share,
    })
  }

  return {
    scale,
    isZoomed: computed(() => shown.value !== undefined),
    hasSeam,
    laneOf: (generation, options) => {
      const { past, marks } = detail().history
      const axis = { scale: scale.value, past, marks: marks.value }
      return laneOn(axis, generation, options)
    },
    zoom,
    pan: (share) => {
      if (shown.value !== undefined) shown.value = panned(all.value, shown.value, share)
    },
    showAll: () => {
      shown.value = undefined
    },
  }
}

/** Where a life of the key stands on the axis. */
function laneOn(
  axis: {
    readonly scale: TimelineScale
    readonly past: KeyPast
    readonly marks: HistoryMarks
  },
  generation: Generation,
  options: { readonly widthPx: number; readonly selected: number },
): PlottedLane {
  const { scale, past } = axis
  const { first, last, deletedAt } = generation
  const { a, b } = axis.marks
  const { oldest, newest } = scale
  const creation = generation.hasBeginning ? past.revisionAt(first) : -1
  const inside = {
    first: Math.max(first, past.placeFrom(oldest)),
    last: Math.min(last, past.placeFrom(newest + 1) - 1),
    revisionAt: (place: number) => past.revisionAt(place),
  }
  const plotted = marksOf(scale, inside, {
    widthPx: options.widthPx,
    alone: new Set([creation, options.selected, a, b]),
    endLeft: deletedAt === undefined ? undefined : leftOf(scale, deletedAt),
  })
  const next = past.revisionAt(last + 2)
  return {
    number: generation.number,
    band: {
      left: generation.hasBeginning ? leftOf(scale, creation) - 1.2 : scale.start,
      right: deletedAt === undefined ? 100 : leftOf(scale, deletedAt),
      isOpen: deletedAt === undefined,
      isTorn: !generation.hasBeginning,
    },
    marks: plotted.map((mark) => ({
      left: mark.left,
      count: mark.count,
      isCreation: mark.count === 1 && past.revisionAt(mark.firstPlace) === creation,
      isSelected:
        options.selected >= past.revisionAt(mark.firstPlace) &&
        options.selected <= past.revisionAt(mark.lastPlace),
      revision: past.revisionAt(mark.lastPlace),
      place: mark.lastPlace,
    })),
    stone:
      deletedAt === undefined
        ? undefined
        : {
            left: leftOf(scale, deletedAt),
            absentTo: next === 0 ? end : leftOf(scale, next),
            revision: deletedAt,
          },
  }
}
