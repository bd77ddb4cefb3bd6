/**
 * Rows of a tree that do not move away under the pointer.
 *
 * A tree grows while it is looked at: a prefix is typed and its folders open, keys come and go. Rows that would move the one
 * under the pointer wait until the pointer rests or leaves, so that a click lands where it was aimed; then the list scrolls
 * by as much, where it can. The active row stays the active one wherever it goes.
 */

import { useEventListener } from '@vueuse/core'
import { onScopeDispose, shallowRef, watch } from 'vue'
import type { Ref, ShallowRef } from 'vue'
import type { ListHandle } from '../../components/list/list-handle.ts'
import { keyText } from '../../format/bytes-text.ts'
import type { TreeRow } from '../../stores/key-tree.ts'

/** A pointer that did not move for so long is not on its way to a row. */
const restMs = 400

/** The tree and where it is on the screen. */
export interface SteadyParts {
  readonly rows: () => readonly TreeRow[]
  readonly list: Ref<(ListHandle & { readonly $el: HTMLElement }) | null>
  readonly rowHeight: () => number
  readonly active: Ref<number>
}

/** The rows to be shown. */
export interface SteadyRows {
  readonly rows: ShallowRef<readonly TreeRow[]>
  /** Shows what there is at once: the user acts on the tree. */
  readonly settle: () => void
}

export function useSteadyRows(parts: SteadyParts): SteadyRows {
  const shown = shallowRef(parts.rows())
  /** The row under the pointer, if it is over the list. */
  let hovered: number | undefined
  let movedAtMs = Number.NEGATIVE_INFINITY
  let timer: ReturnType<typeof setTimeout> | undefined

  function show(): void {
    clearTimeout(timer)
    const before = shown.value
    const rows = parts.rows()
    if (rows === before) return
    const active = placeAfter(before, rows, parts.active.value)
    const anchor = hovered === undefined ? undefined : placeAfter(before, rows, hovered)
    shown.value = rows
    if (active !== undefined) parts.active.value = active
    if (anchor === undefined || hovered === undefined || anchor === hovered) return
    parts.list.value?.scrollBy((anchor - hovered) * parts.rowHeight())
    hovered = anchor
  }

  /** Shows new rows now, or when the pointer lets them. */
  function offer(): void {
    const leftMs = movedAtMs + restMs - performance.now()
    const isMoved =
      hovered !== undefined && placeAfter(shown.value, parts.rows(), hovered) !== hovered
    clearTimeout(timer)
    if (isMoved && leftMs > 0) timer = setTimeout(show, leftMs)
    else show()
  }

  watch(parts.rows, offer)
  const element = (): HTMLElement | undefined => parts.list.value?.$el
  useEventListener(element, 'pointermove', ({ target }: PointerEvent) => {
    const place = target instanceof Element ? target.closest('.place') : null
    hovered = place === null ? undefined : Number(place.id.slice(place.id.lastIndexOf('-') + 1))
    movedAtMs = performance.now()
    if (shown.value !== parts.rows()) offer()
  })
  useEventListener(element, 'pointerleave', () => {
    hovered = undefined
    show()
  })
  onScopeDispose(() => {
    clearTimeout(timer)
  })

  return { rows: shown, settle: show }
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
