/** Which row of a virtual list an event is about: one listener of the list serves all rows. */

/** @param listId  id of the list, with which the ids of its rows' places begin */
export function findPlace({ target }: Event, listId: string): number | undefined {
  const place = target instanceof Element ? target.closest(`[id^="${listId}-"]`) : null
  return place === null ? undefined : Number(place.id.slice(listId.length + 1))
}
