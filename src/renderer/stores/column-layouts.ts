/** How wide the columns of key lists are and in which order they stand: of each connection for itself, kept with the window. */

import { defineStore } from 'pinia'
import { shallowReactive } from 'vue'
import { keyColumnNames } from '../../preload/contract/settings.ts'
import type { KeyColumnName } from '../../preload/contract/settings.ts'

/** A column that can be moved: one of those that can be chosen, or what came after the revision that is read. */
export type MovableColumn = KeyColumnName | 'after'
/** A column that can be resized. The key itself always stands first. */
export type SizedColumn = MovableColumn | 'key'

/** Columns of one connection. */
export interface ColumnLayout {
  readonly order: readonly MovableColumn[]
  /** Widths in pixels that the user chose; columns without one share the room. */
  readonly widths: Readonly<Partial<Record<SizedColumn, number>>>
}

/** Bounds of a column's width in pixels. */
export const columnWidthPx = { min: 48, max: 2_000, keyMin: 120 } as const

const usualOrder: readonly MovableColumn[] = keyColumnNames.flatMap((name) =>
  name === 'lease' ? ['after' as const, name] : [name],
)
const usual: ColumnLayout = { order: usualOrder, widths: {} }

export const useColumnLayoutStore = defineStore('columnLayouts', () => {
  const layouts = shallowReactive(new Map<string, ColumnLayout>())

  function layoutOf(connectionId: string): ColumnLayout {
    return layouts.get(connectionId) ?? usual
  }

  /** Sets a width in pixels, within its bounds; without one the column has its usual share. */
  function resize(connectionId: string, column: SizedColumn, widthPx: number | undefined): void {
    const { order, widths } = layoutOf(connectionId)
    const others = Object.fromEntries(Object.entries(widths).filter(([name]) => name !== column))
    const min = column === 'key' ? columnWidthPx.keyMin : columnWidthPx.min
    const bounded =
      widthPx === undefined
        ? {}
        : { [column]: Math.round(Math.min(columnWidthPx.max, Math.max(min, widthPx))) }
    layouts.set(connectionId, { order, widths: { ...others, ...bounded } })
  }

  /** Puts a column before another one; without one, behind all. */
  function move(
    connectionId: string,
    column: MovableColumn,
    before: MovableColumn | undefined,
  ): void {
    if (column === before) return
    const { order, widths } = layoutOf(connectionId)
    const others = order.filter((one) => one !== column)
    const at = before === undefined ? others.length : others.indexOf(before)
    layouts.set(connectionId, {
      order: [...others.slice(0, at), column, ...others.slice(at)],
      widths,
    })
  }

  /** Columns as they were at first. */
  function reset(connectionId: string): void {
    layouts.delete(connectionId)
  }

  /** Takes what was kept; columns that this version does not know are left out, new ones stand where they usually do. */
  function restore(
    connectionId: string,
    kept: { readonly order: readonly string[]; readonly widths: Readonly<Record<string, number>> },
  ): void {
    const known = kept.order.filter(isMovable)
    const order = [...known, ...usualOrder.filter((one) => !known.includes(one))]
    layouts.set(connectionId, { order, widths: {} })
    for (const [column, widthPx] of Object.entries(kept.widths)) {
      if (column === 'key' || isMovable(column)) resize(connectionId, column, widthPx)
    }
  }

  return { layouts, layoutOf, resize, move, reset, restore }
})

function isMovable(name: string): name is MovableColumn {
  return (usualOrder as readonly string[]).includes(name)
}
