/** Widths of the columns of a key list. */

import type { KeyColumnName } from '../../../preload/contract/settings.ts'

/** A column of the list: one of those that can be chosen, or what came after the revision that is read. */
export type ShownColumn = KeyColumnName | 'after'

const widths: Readonly<Record<ShownColumn, string>> = {
  size: '76px',
  version: '56px',
  create: '84px',
  mod: '84px',
  after: 'minmax(150px, 1.3fr)',
  lease: 'minmax(92px, 0.4fr)',
  preview: 'minmax(110px, 1.2fr)',
}
/** Below this width in pixels a column is hidden before text is squeezed: the one that is needed least goes first. */
const neededPx: Readonly<Partial<Record<ShownColumn, number>>> = {
  create: 760,
  lease: 640,
  version: 520,
}

/** What the column of the past takes from the others. */
const afterPx = 200

/** The chosen columns that have room, in their order. */
export function columnsFor(
  chosen: readonly KeyColumnName[],
  { widthPx, isPast }: { readonly widthPx: number; readonly isPast: boolean },
): readonly ShownColumn[] {
  const names = Object.keys(widths) as ShownColumn[]
  const isChosen = (name: ShownColumn): boolean =>
    name === 'after' ? isPast : chosen.includes(name)
  return names.filter(
    (name) => isChosen(name) && widthPx - (isPast ? afterPx : 0) >= (neededPx[name] ?? 0),
  )
}

/** The grid of a row with these columns. */
export function gridOf(columns: readonly ShownColumn[]): string {
  return ['minmax(200px, 2fr)', ...columns.map((name) => widths[name])].join(' ')
}
