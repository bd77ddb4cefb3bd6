/**
 * Rows of a tree that do not move away under the pointer.
 *
 * A tree grows while it is looked at: a prefix is typed and its folders open, keys come and go. Rows that would move the one
 * under the pointer wait until the pointer rests or leaves; then the list scrolls by as much, where it can. The active row
 * stays the active one wherever it goes.
 */

import { useEventListener } from '@vueuse/core'
import { onScopeDispose, shallowRef, watch } from 'vue'
import type { Ref, ShallowRef } from 'vue'
import type { ListHandle } from '../../components/list/list-handle.ts'
import type { TreeRow } from '../../stores/key-tree.ts'
import { placeAfter, PointerHold } from './pointer-hold.ts'

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
  /** The row that a key or a click on a place is meant for. */
  readonly aimed: (place: number, event: KeyboardEvent | MouseEvent) => TreeRow | undefined
}

export function useSteadyRows(parts: SteadyParts): SteadyRows {
  const shown = shallowRef(parts.rows())
  const hold = new PointerHold()
  let timer: ReturnType<typeof setTimeout> | undefined

  function show(): void {
    clearTimeout(timer)
    const before = shown.value
    const rows = parts.rows()
    if (rows === before) return
    const active = placeAfter(before, rows, parts.active.value)
    const movedRows = hold.replace(before, rows, performance.now())
    shown.value = rows
    if (active !== undefined) parts.active.value = active
    if (movedRows !== 0) parts.list.value?.scrollBy(movedRows * parts.rowHeight())
  }

  /** Shows new rows now, or when the pointer lets them. */
  function offer(): void {
    clearTimeout(timer)
    const waitMs = hold.waitMs(shown.value, parts.rows(), performance.now())
    if (waitMs > 0) timer = setTimeout(show, waitMs)
    else show()
  }

  watch(parts.rows, offer)
  const element = (): HTMLElement | undefined => parts.list.value?.$el
  useEventListener(element, 'pointermove', ({ target }: PointerEvent) => {
    const place = target instanceof Element ? target.closest('.place') : null
    const at = place === null ? undefined : Number(place.id.slice(place.id.lastIndexOf('-') + 1))
    hold.move(at, performance.now())
    if (shown.value !== parts.rows()) offer()
  })
  useEventListener(element, 'pointerleave', () => {
    hold.leave()
    show()
  })
  onScopeDispose(() => {
    clearTimeout(timer)
  })

  return {
    rows: shown,
    settle: show,
    aimed: (place, event) => {
      const row = shown.value[place]
      return event instanceof MouseEvent ? hold.aimed(row, performance.now()) : row
    },
  }
}
