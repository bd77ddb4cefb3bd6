/** What a window showed, one after the other, with the place where it is now. */

/** A tab and what it showed. */
export interface Visit {
  readonly tabId: string
  readonly subject: string
}

export interface Visits {
  readonly entries: readonly Visit[]
  /** The one that is shown; -1 before the first. */
  readonly position: number
}

/** Older ones go. */
export const visitsMax = 100

/** Adds a visit behind the present one; what was ahead is gone, as in a browser. The same again changes nothing. */
export function withVisit({ entries, position }: Visits, visit: Visit): Visits {
  const now = entries[position]
  if (now?.tabId === visit.tabId && now.subject === visit.subject) return { entries, position }
  const kept = [...entries.slice(0, position + 1), visit].slice(-visitsMax)
  return { entries: kept, position: kept.length - 1 }
}

/** The next place in a direction that can still be shown, and is another than the present one. */
export function findVisit(
  { entries, position }: Visits,
  step: 1 | -1,
  isThere: (visit: Visit) => boolean,
): number | undefined {
  const now = entries[position]
  for (let at = position + step; at >= 0 && at < entries.length; at += step) {
    const visit = entries[at]
    if (visit === undefined || !isThere(visit)) continue
    if (visit.tabId !== now?.tabId || visit.subject !== now.subject) return at
  }
  return undefined
}
