/** Moves columns by their names: a drag that goes further than a few pixels is no click any more. */

import { shallowRef } from 'vue'
import type { ShallowRef } from 'vue'
import type { MovableColumn } from '../../stores/column-layouts.ts'
import type { ShownColumn } from './key-columns.ts'

/** A click trembles less than this. */
const thresholdPx = 5

/** Where the dragged column would stand. */
export interface ColumnDrag {
  readonly column: MovableColumn
  /** The column before which it would stand; undefined: behind all. */
  readonly before: MovableColumn | undefined
}

/** What the drag reads and does. */
export interface ColumnDragParts {
  readonly columns: () => readonly ShownColumn[]
  /** The name of a column as it stands on the screen. */
  readonly elementOf: (column: ShownColumn) => Element | undefined
  readonly move: (column: MovableColumn, before: MovableColumn | undefined) => void
}

/** The drag that goes on, and how one begins. */
export function useColumnDrag(parts: ColumnDragParts): {
  readonly drag: ShallowRef<ColumnDrag | undefined>
  readonly begin: (column: MovableColumn, event: PointerEvent) => void
  /** True once after a drag: the click that ends it means nothing. */
  readonly takeEnded: () => boolean
} {
  const drag = shallowRef<ColumnDrag>()
  let hasEnded = false

  /** The first column whose middle lies right of the pointer. */
  function columnAt(clientX: number): MovableColumn | undefined {
    return parts.columns().find((column) => {
      const box = parts.elementOf(column)?.getBoundingClientRect()
      return box !== undefined && clientX < box.left + box.width / 2
    })
  }

  function begin(column: MovableColumn, event: PointerEvent): void {
    const target = event.currentTarget
    hasEnded = false
    if (event.button !== 0 || !(target instanceof HTMLElement)) return
    const startX = event.clientX
    const ends = new AbortController()
    const { signal } = ends
    const follow = (at: PointerEvent): void => {
      if (drag.value === undefined && Math.abs(at.clientX - startX) < thresholdPx) return
      target.setPointerCapture(at.pointerId)
      drag.value = { column, before: columnAt(at.clientX) }
    }
    // The click comes right behind the release, where one comes at all: none may stay owed for the next sort.
    const forget = (): void => {
      setTimeout(() => {
        hasEnded = false
      })
    }
    const end = (isDone: boolean): void => {
      ends.abort()
      if (drag.value === undefined) return
      hasEnded = true
      if (isDone) parts.move(drag.value.column, drag.value.before)
      drag.value = undefined
    }
    const options = { signal }
    window.addEventListener('pointermove', follow, options)
    const release = (isDone: boolean) => (): void => {
      end(isDone)
      forget()
    }
    window.addEventListener('pointerup', release(true), options)
    window.addEventListener('pointercancel', release(false), options)
    window.addEventListener(
      'keydown',
      (press) => {
        if (press.key === 'Escape' && drag.value !== undefined) {
          press.stopPropagation()
          end(false)
          window.addEventListener('pointerup', forget, { once: true })
        }
      },
      { signal, capture: true },
    )
  }

  return {
    drag,
    begin,
    takeEnded: () => {
      const ended = hasEnded
      hasEnded = false
      return ended
    },
  }
}
