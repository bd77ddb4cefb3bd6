/** What the sashes beside and below a region share: a size within bounds, changed by pointer and by keys. */

import type { Ref } from 'vue'

/** How a sash works on the size, in pixels, of its region. */
export interface SashParts {
  readonly size: Ref<number>
  readonly axis: 'x' | 'y'
  /** What one press of a key adds. */
  readonly stepPx: number
  readonly bounds: () => { readonly minPx: number; readonly maxPx: number }
  /** The region lies behind the sash, so that it grows against the axis. */
  readonly isBehind: () => boolean
}

/** Acts of a sash. */
export interface SashActs {
  readonly set: (sizePx: number) => void
  readonly nudge: (direction: 1 | -1) => void
  /** Follows the pointer until it lets go. */
  readonly drag: (event: PointerEvent) => void
}

export function useSash({ size, axis, stepPx, bounds, isBehind }: SashParts): SashActs {
  const signOf = (): 1 | -1 => (isBehind() ? -1 : 1)
  const placeOf = (event: PointerEvent): number => (axis === 'x' ? event.clientX : event.clientY)

  function set(sizePx: number): void {
    const { minPx, maxPx } = bounds()
    size.value = Math.round(Math.min(maxPx, Math.max(minPx, sizePx)))
  }

  function nudge(direction: 1 | -1): void {
    set(size.value + direction * stepPx * signOf())
  }

  function drag(event: PointerEvent): void {
    const target = event.currentTarget
    if (!(target instanceof HTMLElement)) return
    const startPlace = placeOf(event)
    const startSize = size.value
    target.setPointerCapture(event.pointerId)
    const move = (at: PointerEvent): void => {
      set(startSize + (placeOf(at) - startPlace) * signOf())
    }
    target.addEventListener('pointermove', move)
    target.addEventListener(
      'lostpointercapture',
      () => {
        target.removeEventListener('pointermove', move)
      },
      { once: true },
    )
  }

  return { set, nudge, drag }
}
