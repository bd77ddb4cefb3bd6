/** Which rows of a key list are chosen: by identity, so that a choice outlives scrolling and live changes. */

import { computed, shallowRef, triggerRef } from 'vue'
import type { ComputedRef, ShallowRef } from 'vue'
import { passOverCall } from '../../stores/failure-text.ts'
import type { KeyRow } from '../../../preload/contract/key-columns.ts'
import { keyText } from '../../format/bytes-text.ts'
import type { KeyBrowser } from '../../stores/key-browser.ts'

/** Rows that one choice may go over; a plan of more is made for their prefix. */
export const chosenRowsMax = 100_000

/** How far a choice is that goes over rows which are not loaded: they are read, and those beyond the limit left out. */
export type ChoiceState = 'whole' | 'reading' | 'cut' | 'failed'

/** What keys and mouse do to the choice. */
export interface KeySelection {
  /** Rows by the text of their key; triggered when it changes. */
  readonly rows: ShallowRef<Map<string, KeyRow>>
  readonly count: ComputedRef<number>
  readonly state: ShallowRef<ChoiceState>
  /** Starts anew from a row: what Shift extends from, and what is the first of several. */
  readonly startAt: (index: number) => void
  /** Goes to a row without choosing: what Shift extends from. What was chosen stays. */
  readonly moveTo: (index: number) => void
  readonly toggle: (index: number) => void
  /** Chooses the rows from where the choice began to a row, also those between that are not loaded. */
  readonly extendTo: (index: number) => void
  readonly selectLoaded: () => void
  readonly clear: () => void
}

/** The choice among the rows of a browser. */
export function useKeySelection(browser: () => KeyBrowser): KeySelection {
  const rows = shallowRef(new Map<string, KeyRow>())
  const state = shallowRef<ChoiceState>('whole')
  let anchor = 0
  /** The row that the choice began at: it may have been let go since. */
  let anchorRow: KeyRow | undefined
  /** A row that was opened by itself, and is the first of several once another one is chosen with it. */
  let lone: number | undefined
  /** Rises with each choice: rows that were asked for by an earlier one come too late. */
  let turn = 0

  function add(row: KeyRow | undefined): void {
    if (row !== undefined) rows.value.set(keyText(row.key), row)
  }

  function begin(index: number): void {
    turn++
    state.value = 'whole'
    anchor = index
    anchorRow = browser().rowAt(index)
  }

  /** Rows between that are not loaded are read, and join the others. */
  async function readBetween(index: number): Promise<void> {
    const mine = turn
    const position = anchor
    anchorRow ??= browser().rowAt(position)
    if (anchorRow === undefined) {
      state.value = 'failed'
      return
    }
    state.value = 'reading'
    try {
      const read = await browser().rowsBetween({ row: anchorRow, position }, index, chosenRowsMax)
      if (mine !== turn) return
      rows.value = new Map(read.map((row) => [keyText(row.key), row]))
      state.value = Math.abs(index - position) < chosenRowsMax ? 'whole' : 'cut'
    } catch (failure) {
      passOverCall(failure)
      if (mine === turn) state.value = 'failed'
    }
  }

  return {
    rows,
    state,
    count: computed(() => rows.value.size),
    startAt: (index) => {
      begin(index)
      lone = index
      if (rows.value.size > 0) rows.value = new Map()
    },
    moveTo: (index) => {
      begin(index)
      lone = undefined
    },
    toggle: (index) => {
      if (lone !== undefined && lone !== index && rows.value.size === 0) add(browser().rowAt(lone))
      begin(index)
      lone = undefined
      const row = browser().rowAt(index)
      if (row === undefined) return
      if (!rows.value.delete(keyText(row.key))) add(row)
      triggerRef(rows)
    },
    extendTo: (index) => {
      turn++
      state.value = 'whole'
      rows.value = new Map()
      let isWhole = true
      const [first, last] = [Math.min(anchor, index), Math.max(anchor, index)]
      for (let at = first; at <= last; at++) {
        const row = browser().rowAt(at)
        add(row)
        isWhole &&= row !== undefined
      }
      triggerRef(rows)
      if (!isWhole) void readBetween(index)
    },
    selectLoaded: () => {
      turn++
      state.value = 'whole'
      browser().eachRow(add)
      triggerRef(rows)
    },
    clear: () => {
      turn++
      state.value = 'whole'
      lone = undefined
      rows.value = new Map()
    },
  }
}
