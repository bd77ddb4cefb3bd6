/** Where the focus goes when a dialog closes: to what had it before, however the dialog came to be opened. */

import { focusRegion } from '../../composables/use-regions.ts'

/** What had the focus when a dialog opened. */
interface FocusPlace {
  readonly element: HTMLElement
  /** The dialog that it lay in: that one may be gone when this one closes. */
  readonly outer: HTMLDialogElement | null
  /** The regions around it, the nearest first. */
  readonly regions: readonly Element[]
}

const places = new WeakMap<HTMLDialogElement, FocusPlace>()

/** Keeps what has the focus; to be called right before the dialog is shown. */
export function keepFocus(dialog: HTMLDialogElement): void {
  const { activeElement: element } = document
  if (!(element instanceof HTMLElement) || element === document.body) return
  places.set(dialog, {
    element,
    outer: element.closest('dialog'),
    regions: regionsAround(element),
  })
}

/**
 * Closes a dialog that is about to go and gives the focus back. What had it may be gone: then it goes to the region which
 * that lay in, and out of a dialog that is gone to where that one came from.
 */
export function giveFocusBack(dialog: HTMLDialogElement): void {
  dialog.close()
  let place = places.get(dialog)
  while (place?.outer?.open === false) {
    place = places.get(place.outer)
  }
  if (place === undefined) return
  const { element, regions } = place
  if (element.isConnected) element.focus({ preventScroll: true })
  if (document.activeElement === element) return
  const region = regions.find((one) => one.isConnected)
  if (region !== undefined) focusRegion(region)
}

function regionsAround(element: Element): readonly Element[] {
  const region = element.closest('[data-region]')
  if (region === null) return []
  const { parentElement } = region
  return parentElement === null ? [region] : [region, ...regionsAround(parentElement)]
}
