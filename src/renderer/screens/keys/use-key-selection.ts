/** Which rows of a key list are chosen: by identity, so that a choice outlives scrolling and live changes. */

import { computed, shallowRef, triggerRef } from 'vue'
import type { ComputedRef, ShallowRef } from 'vue'
import type { KeyRow } from '../../../preload/contract/key-columns.ts'
import { keyText } from '../../format/bytes-text.ts'
import type { KeyBrowser } from '../../stores/key-browser.ts'

/** What keys and mouse do to the choice. */
export interface KeySelection {
  /** Rows by the text of their key; triggered when it changes. */
  readonly rows: ShallowRef<Map<string, KeyRow>>
  readonly count: ComputedRef<number>
  /** Starts anew from a row: what Shift extends from, and what is the first of several. */
  readonly startAt: (index: number) => void
  /** Goes to a row without choosing: what Shift extends from. What was chosen stays. */
  readonly moveTo: (index: number) => void
  readonly toggle: (index: number) => void
  /** Chooses the loaded rows from where the choice began to a row. */
  readonly extendTo: (index: number) => void
  readonly selectLoaded: () => void
  readonly clear: () => void
}

/** The choice among the rows of a browser. */
export function useKeySelection(browser: () => KeyBrowser): KeySelection {
  const rows = shallowRef(new Map<string, KeyRow>())
  let anchor = 0
  /** A row that was opened by itself, and is the first of several once another one is chosen with it. */
  let lone: number | undefined

  function add(row: KeyRow | undefined): void {
    if (row !== undefined) rows.value.set(keyText(row.key), row)
  }

  return {
    rows,
    count: computed(() => rows.value.size),
    startAt: (index) => {
      anchor = index
      lone = index
      if (rows.value.size > 0) rows.value = new Map()
    },
    moveTo: (index) => {
      anchor = index
      lone = undefined
    },
    toggle: (index) => {
      if (lone !== undefined && lone !== index && rows.value.size === 0) add(browser().rowAt(lone))
      anchor = index
      lone = undefined
      const row = browser().rowAt(index)
      if (row === undefined) return
      if (!rows.value.delete(keyText(row.key))) add(row)
      triggerRef(rows)
    },
    extendTo: (index) => {
      rows.value = new Map()
      const [first, last] = [Math.min(anchor, index), Math.max(anchor, index)]
      for (let at = first; at <= last; at++) add(browser().rowAt(at))
      triggerRef(rows)
    },
    selectLoaded: () => {
      browser().eachRow(add)
      triggerRef(rows)
    },
    clear: () => {
      lone = undefined
      rows.value = new Map()
    },
  }
}
