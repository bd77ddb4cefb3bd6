/** Which row of a virtual list an event is about: one listener of the list serves all rows. */

/** @param listId  id of the list, with which the ids of its rows' places begin */
export function findPlace({ target }: Event, listId: string): number | undefined {
  const place = target instanceof Element ? target.closest(`[id^="${listId}-"]`) : null
  return place === null ? undefined : Number(place.id.slice(listId.length + 1))
}

/** Where a key moves the active row of a list to; undefined for a key that does not move it. */
export function targetOf(
  key: string,
  {
    active,
    count,
    pageRows,
  }: { readonly active: number; readonly count: number; readonly pageRows: number },
): number | undefined {
  const moves: Readonly<Record<string, number>> = {
    ArrowDown: active + 1,
    ArrowUp: active < 0 ? 0 : active - 1,
    Home: 0,
    End: count - 1,
    PageDown: active + pageRows,
    PageUp: active - pageRows,
  }
  return moves[key]
}
