import { ref, shallowRef, watch } from 'vue'
import type { Ref, ShallowRef } from 'vue'
import type { SortedIds } from '../../stores/sorted-ids.ts'
import type { WatchPane } from '../../stores/watch-pane.ts'
import { EventLines } from './event-lines.ts'
import { firstView, viewOf } from './line-view.ts'
import type { LineLayout } from './event-lines.ts'
import type { LineView } from './line-view.ts'

/** Lines that the details of a row take. */
export const detailLineCount = 10

/** Above rows that the user looks at others come in this often at most, where they are many. */
const restingMs = 1_000

/** What the user does with the list of events: which row, which rows, which details, which way. */
export interface EventList {
  readonly view: Readonly<ShallowRef<LineView>>
  readonly activeId: Ref<number | undefined>
  readonly selected: ShallowRef<ReadonlySet<number>>
  readonly expandedId: Ref<number | undefined>
  readonly isFollowing: Ref<boolean>
  /** A row that is to be scrolled into sight. */
  readonly revealed: ShallowRef<{ readonly id: number } | undefined>
  readonly setActive: (id: number | undefined) => void
  readonly setFollowing: (isFollowing: boolean) => void
  /** Makes a row the active one and brings it into sight. */
  readonly goTo: (id: number) => void
  /** Chooses everything between the row where choosing began and this one. */
  readonly extendTo: (id: number) => void
  readonly choose: (id: number) => void
  readonly chooseAll: () => void
  readonly toggleDetails: (id: number | undefined) => void
  /** The next row of another list in the direction that is read; round the end. */
  readonly goToNext: (ids: readonly number[], step: 1 | -1) => void
  /** The rows that acts are for: the chosen ones, or the active one. In revision order. */
  readonly chosenIds: () => readonly number[]
}

/** The list of one pane. */
export function useEventList(pane: () => WatchPane): EventList {
  const activeId = ref<number>()
  const anchorId = ref<number>()
  const selected = shallowRef<ReadonlySet<number>>(new Set())
  const expandedId = ref<number>()
  const isFollowing = ref(true)
  const revealed = shallowRef<{ readonly id: number }>()
  const view = useLineView(pane, { expandedId, isFollowing })

  watch(pane, () => {
    activeId.value = undefined
    expandedId.value = undefined
    selected.value = new Set()
  })

  function goTo(id: number): void {
    isFollowing.value = false
    choose(id)
    revealed.value = { id }
  }

  function choose(id: number): void {
    activeId.value = id
    anchorId.value = id
    selected.value = new Set([id])
  }

  function extendTo(id: number): void {
    const { log, view } = pane()
    const chosen = rowsBetween(view.ids, anchorId.value, id)
    if (chosen === undefined) {
      choose(id)
      return
    }
    activeId.value = id
    selected.value = new Set(chosen.filter((one) => log.opOf(one) !== undefined))
  }

  function chooseAll(): void {
    const { log, view } = pane()
    selected.value = new Set(view.ids.toArray().filter((id) => log.opOf(id) !== undefined))
  }

  function toggleDetails(id: number | undefined): void {
    if (id === undefined || pane().log.opOf(id) === undefined) return
    const isOpening = expandedId.value !== id
    expandedId.value = isOpening ? id : undefined
    if (isOpening) goTo(id)
  }

  function goToNext(ids: readonly number[], step: 1 | -1): void {
    const { log, isNewestFirst } = pane()
    const isForwards = (step === 1) !== isNewestFirst
    const next = nextOf(ids, activeId.value, { isForwards, placeOf: (id) => log.placeOf(id) })
    if (next !== undefined) goTo(next)
  }

  function chosenIds(): readonly number[] {
    const { log } = pane()
    const ids = [...selected.value].filter((id) => log.has(id) && log.opOf(id) !== undefined)
    return ids.toSorted((left, right) => log.placeOf(left) - log.placeOf(right) || left - right)
  }

  const setActive = (id: number | undefined): void => void (activeId.value = id)
  const setFollowing = (follows: boolean): void => void (isFollowing.value = follows)
  return {
    ...{ setActive, setFollowing },
    ...{ view, activeId, selected, expandedId, isFollowing, revealed },
    ...{ goTo, extendTo, choose, chooseAll, toggleDetails, goToNext, chosenIds },
  }
}

/** The lines of a pane as they are looked at: following they are always the newest; otherwise rows that come may wait a little. */
function useLineView(
  pane: () => WatchPane,
  {
    expandedId,
    isFollowing,
  }: { readonly expandedId: Ref<number | undefined>; readonly isFollowing: Ref<boolean> },
): Readonly<ShallowRef<LineView>> {
  let actCount = -1
  let madeAtMs = 0
  const layout = (): LineLayout => {
    const id = expandedId.value
    const expanded = id === undefined ? undefined : { id, lineCount: detailLineCount }
    return { isNewestFirst: pane().isNewestFirst, expanded }
  }
  const lines = (): EventLines => {
    const { log, view } = pane()
    return new EventLines(view.ids, (id) => log.placeOf(id), layout())
  }
  const view = shallowRef(firstView(lines()))

  function look(): void {
    const { isBusy, actCount: acts } = pane()
    const isSame = acts === actCount && view.value.lines.isOf(pane().view.ids, layout())
    const nowMs = performance.now()
    const mayWait = isBusy && !isFollowing.value && acts === actCount
    const isExpanding = view.value.lines.layout.expanded?.id !== expandedId.value
    if (isSame || (mayWait && !isExpanding && nowMs - madeAtMs < restingMs)) return
    actCount = acts
    madeAtMs = nowMs
    view.value = viewOf(view.value, lines(), isFollowing.value)
  }

  watch(() => {
    pane().observe()
    return [pane(), expandedId.value, isFollowing.value]
  }, look)
  return view
}

/** The row next to another among some; round the end. From a row that is none of them, the nearest. */
function nextOf(
  ids: readonly number[],
  from: number | undefined,
  way: { readonly isForwards: boolean; placeOf(id: number): number },
): number | undefined {
  const { isForwards } = way
  const inOrder = ids.toSorted((left, right) => way.placeOf(left) - way.placeOf(right))
  const at = from === undefined ? -1 : inOrder.indexOf(from)
  if (at >= 0) return inOrder[(at + (isForwards ? 1 : -1) + inOrder.length) % inOrder.length]
  const place = from === undefined ? undefined : way.placeOf(from)
  return isForwards
    ? (inOrder.find((id) => way.placeOf(id) > (place ?? 0)) ?? inOrder[0])
    : (inOrder.findLast((id) => way.placeOf(id) < (place ?? Number.POSITIVE_INFINITY)) ??
        inOrder.at(-1))
}

/** All ids from one to another, both included; undefined when one of them is not there. */
function rowsBetween(ids: SortedIds, from: number | undefined, to: number): number[] | undefined {
  const start = from === undefined ? -1 : ids.indexOf(from)
  const end = ids.indexOf(to)
  if (start < 0 || end < 0) return undefined
  return [...ids.toArray().subarray(Math.min(start, end), Math.max(start, end) + 1)]
}
