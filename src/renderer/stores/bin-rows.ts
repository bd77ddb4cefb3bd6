/** Deleted keys in folders: only what is open is made into rows, however many keys there are. */

import type { BinEntry } from './bin-pane.ts'

/** A row of the bin: a deleted key, or a folder of some. */
export type BinRow =
  | {
      readonly kind: 'key'
      readonly entry: BinEntry
      readonly depth: number
      /** The part of the key behind its folder. */
      readonly label: string
    }
  | {
      readonly kind: 'folder'
      /** All of the name up to the separator, this included. */
      readonly path: string
      readonly depth: number
      readonly label: string
      readonly count: number
      readonly isExpanded: boolean
      readonly newestRevision: number
    }

interface TreeOptions {
  readonly separator: string
  /** All names begin with it; its own folders are no rows. */
  readonly prefix: string
  readonly expanded: ReadonlySet<string>
}

/** Rows in the order of the names, folders closed unless they are among the expanded. */
export function binRowsOf(entries: readonly BinEntry[], options: TreeOptions): readonly BinRow[] {
  const sorted = [...entries].sort((one, other) => (one.text < other.text ? -1 : 1))
  const rows: BinRow[] = []
  const { prefix, separator } = options
  const cut = separator === '' ? -1 : prefix.lastIndexOf(separator)
  const path = cut < 0 ? '' : prefix.slice(0, cut + separator.length)
  addLevel(sorted, { from: 0, to: sorted.length, path, depth: 0 }, { ...options, rows })
  return rows
}

interface Level {
  readonly from: number
  readonly to: number
  readonly path: string
  readonly depth: number
}

function addLevel(
  sorted: readonly BinEntry[],
  { from, to, path, depth }: Level,
  parts: TreeOptions & { readonly rows: BinRow[] },
): void {
  const { separator, expanded, rows } = parts
  let at = from
  while (at < to) {
    const entry = sorted[at]
    if (entry === undefined) return
    const cut = findCut(entry.text, path.length, separator)
    if (cut < 0) {
      rows.push({ kind: 'key', entry, depth, label: entry.text.slice(path.length) })
      at++
      continue
    }
    const folder = entry.text.slice(0, cut + separator.length)
    const end = endOf(sorted, folder, { from: at, to })
    const isExpanded = expanded.has(folder)
    let newestRevision = 0
    for (let one = at; one < end; one++)
      newestRevision = Math.max(newestRevision, sorted[one]?.deletedRevision ?? 0)
    rows.push({
      ...{ kind: 'folder', path: folder, depth, isExpanded, newestRevision },
      label: folder.slice(path.length),
      count: end - at,
    })
    if (isExpanded) addLevel(sorted, { from: at, to: end, path: folder, depth: depth + 1 }, parts)
    at = end
  }
}

/** Where the next folder of a name ends; a separator in front belongs to the folder behind it. -1: there is none. */
function findCut(text: string, from: number, separator: string): number {
  if (separator === '') return -1
  const isLeading = text.startsWith(separator, from)
  return text.indexOf(separator, isLeading ? from + separator.length : from)
}

/** The first position behind the names that begin with a folder. */
function endOf(
  sorted: readonly BinEntry[],
  folder: string,
  bounds: { readonly from: number; readonly to: number },
): number {
  let low = bounds.from
  let high = bounds.to
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]?.text.startsWith(folder) === true) low = middle + 1
    else high = middle
  }
  return low
}
