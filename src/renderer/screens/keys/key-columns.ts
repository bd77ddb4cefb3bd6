/** Which columns of a key list have room, and how wide they are. */

import type { KeyColumnName } from '../../../preload/contract/settings.ts'
import type { SkeletonCell } from '../../components/state/skeleton-cell.ts'
import { columnWidthPx } from '../../stores/column-layouts.ts'
import type { ColumnLayout, MovableColumn } from '../../stores/column-layouts.ts'

/** A column of the list. */
export type ShownColumn = MovableColumn

const usualWidths: Readonly<Record<ShownColumn, string>> = {
  size: '76px',
  version: '56px',
  create: '84px',
  mod: '84px',
  after: 'minmax(150px, 1.3fr)',
  lease: 'minmax(92px, 0.4fr)',
  preview: 'minmax(110px, 1.2fr)',
}
const usualKeyWidth = 'minmax(160px, 2fr)'
/** Below this width in pixels a column is hidden before text is squeezed: the one that is needed least goes first. */
const neededPx: Readonly<Partial<Record<ShownColumn, number>>> = {
  create: 760,
  lease: 640,
  version: 520,
  preview: 300,
}

/** What the column of the past takes from the others; its sentence is worth more than a create revision or a lease. */
const afterPx = 300

/** The chosen columns that have room, in their order. */
export function columnsFor(
  chosen: readonly KeyColumnName[],
  {
    widthPx,
    isPast,
    order,
  }: {
    readonly widthPx: number
    readonly isPast: boolean
    readonly order: ColumnLayout['order']
  },
): readonly ShownColumn[] {
  const isChosen = (name: ShownColumn): boolean =>
    name === 'after' ? isPast : chosen.includes(name)
  return order.filter(
    (name) => isChosen(name) && widthPx - (isPast ? afterPx : 0) >= (neededPx[name] ?? 0),
  )
}

/** The grid of a row with these columns. Where there is less room than was chosen, columns give way. */
export function gridOf(columns: readonly ShownColumn[], widths: ColumnLayout['widths']): string {
  const trackOf = (widthPx: number | undefined, minPx: number, usual: string): string =>
    widthPx === undefined ? usual : `minmax(${String(minPx)}px, ${String(widthPx)}px)`
  return [
    trackOf(widths.key, columnWidthPx.keyMin, usualKeyWidth),
    ...columns.map((name) => trackOf(widths[name], columnWidthPx.min, usualWidths[name])),
  ].join(' ')
}

const figure = (widthPx: number): SkeletonCell => ({ isRight: true, widthPx })
const cellsOf: Readonly<Record<ShownColumn, SkeletonCell>> = {
  size: figure(34),
  version: figure(14),
  create: figure(40),
  mod: figure(40),
  after: { isRight: false, widthPx: 96 },
  lease: { isRight: false, widthPx: 0 },
  preview: { isRight: false },
}

/** What stands for rows with these columns while they are on their way. */
export function skeletonOf(columns: readonly ShownColumn[]): readonly SkeletonCell[] {
  return [{ isRight: false }, ...columns.map((name) => cellsOf[name])]
}
