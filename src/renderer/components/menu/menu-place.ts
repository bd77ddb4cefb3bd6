/** Where a menu of a row opens: under the pointer, or at the row when a key opened it, which has no place of its own. */

/** How far from the row's beginning, in pixels, so that its name stays in sight. */
const indentPx = 24

/** Pixels in the window. Without a row that is on the screen, the menu of a key opens at the event's element. */
export function menuPlaceOf(
  event: MouseEvent,
  row: Element | null | undefined,
): { readonly left: number; readonly top: number } {
  if (event.button === 2) return { left: event.clientX, top: event.clientY }
  const element = row ?? (event.target instanceof Element ? event.target : null)
  const box = element?.getBoundingClientRect()
  return { left: (box?.left ?? 0) + indentPx, top: box?.bottom ?? 0 }
}
