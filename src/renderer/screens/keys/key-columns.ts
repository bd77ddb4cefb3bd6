/** Widths of the columns of a key list. */

import type { KeyColumnName } from '../../../preload/contract/settings.ts'

const widths: Readonly<Record<KeyColumnName, string>> = {
  size: '76px',
  version: '56px',
  create: '84px',
  mod: '84px',
  lease: 'minmax(92px, 0.4fr)',
  preview: 'minmax(110px, 1.2fr)',
}
/** Below this width in pixels a column is hidden before text is squeezed: the one that is needed least goes first. */
const neededPx: Readonly<Partial<Record<KeyColumnName, number>>> = {
  create: 760,
  lease: 640,
  version: 520,
}

/** The chosen columns that have room, in their order. */
export function columnsFor(
  chosen: readonly KeyColumnName[],
  widthPx: number,
): readonly KeyColumnName[] {
  const names = Object.keys(widths) as KeyColumnName[]
  return names.filter((name) => chosen.includes(name) && widthPx >= (neededPx[name] ?? 0))
}

/** The grid of a row with these columns. */
export function gridOf(columns: readonly KeyColumnName[]): string {
  return ['minmax(200px, 2fr)', ...columns.map((name) => widths[name])].join(' ')
}
