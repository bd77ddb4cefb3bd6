/**
 * F6 goes from one region of the window to the next, and Shift+F6 back.
 *
 * A region is an element with `data-region`; regions may lie in others. A region takes the focus where it had it last, else
 * at its list, else at its first control. One that is not on the screen, or has nothing that could take the focus, is
 * passed over.
 */

import { useEventListener } from '@vueuse/core'
import { onScopeDispose } from 'vue'
import { useCommandStore } from '../stores/commands.ts'

/** The order in which the focus goes round. */
const regionNames = [
  ...['title', 'activity', 'side', 'tabs', 'main', 'list', 'detail', 'inspector', 'status'],
] as const

const lists = '[role=tree],[role=grid],[role=treegrid],[role=tab][aria-selected=true]'
const controls =
  'a[href],button:not([disabled]),input:not([disabled]),select:not([disabled]),textarea:not([disabled]),[tabindex="0"]'

/** What had the focus last in each region. */
const last = new WeakMap<Element, HTMLElement>()

/** Registers the two commands for as long as the calling component lives. */
export function useRegions(): void {
  useEventListener(window, 'focusin', ({ target }) => {
    if (!(target instanceof HTMLElement)) return
    const region = regionOf(target)
    if (region !== null) last.set(region, target)
  })

  function go(step: 1 | -1): void {
    // A dialog keeps the focus.
    if (document.querySelector('dialog[open]') !== null) return
    const regions = shownRegions()
    const current = document.activeElement === null ? null : regionOf(document.activeElement)
    const from = regions.findIndex((region) => region === current)
    // Without a focus the way begins before the first, or behind the last.
    const start = from < 0 && step < 0 ? 0 : from
    for (let tried = 1; tried <= regions.length; tried++) {
      const at = (start + step * tried + regions.length * 2) % regions.length
      if (regions[at] !== undefined && focusRegion(regions[at])) return
    }
  }

  const commands = useCommandStore()
  onScopeDispose(
    commands.register([
      {
        ...{ id: 'view.nextRegion', icon: 'fwd', shortcuts: ['F6'] },
        run: () => {
          go(1)
        },
      },
      {
        ...{ id: 'view.previousRegion', icon: 'back', shortcuts: ['Shift+F6'] },
        run: () => {
          go(-1)
        },
      },
    ]),
  )
}

/** Gives a region the focus; false when it has nothing that could take it. */
export function focusRegion(region: Element): boolean {
  const target = targetIn(region)
  target?.focus()
  return target !== undefined && document.activeElement === target
}

function targetIn(region: Element): HTMLElement | undefined {
  const known = last.get(region)
  if (known?.isConnected === true && isShown(known) && !known.matches(':disabled')) return known
  const own = (selector: string): HTMLElement | undefined =>
    [...region.querySelectorAll<HTMLElement>(selector)].find(
      (one) =>
        one.tabIndex >= 0 &&
        one.getAttribute('role') !== 'separator' &&
        regionOf(one) === region &&
        isShown(one),
    )
  return own(lists) ?? own(controls)
}

function regionOf(element: Element): Element | null {
  return element.closest('[data-region]')
}

function shownRegions(): readonly Element[] {
  return regionNames.flatMap((name) =>
    [...document.querySelectorAll(`[data-region="${name}"]`)].filter(isShown),
  )
}

function isShown(element: Element): boolean {
  return element.getClientRects().length > 0
}
