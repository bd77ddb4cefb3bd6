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
  const span = useSpan(browser, rows)
  /** A row that was opened by itself, and is the first of several once another one is chosen with it. */
  let lone: number | undefined

  function add(row: KeyRow | undefined): void {
    if (row !== undefined) rows.value.set(keyText(row.key), row)
  }

  return {
    rows,
    state: span.state,
    count: computed(() => rows.value.size),
    startAt: (index) => {
      span.begin(index)
      lone = index
      if (rows.value.size > 0) rows.value = new Map()
    },
    moveTo: (index) => {
      span.begin(index)
      lone = undefined
    },
    toggle: (index) => {
      if (lone !== undefined && lone !== index && rows.value.size === 0) add(browser().rowAt(lone))
      span.begin(index)
      lone = undefined
      const row = browser().rowAt(index)
      if (row === undefined) return
      if (!rows.value.delete(keyText(row.key))) add(row)
      triggerRef(rows)
    },
    extendTo: span.extendTo,
    selectLoaded: () => {
      span.end()
      browser().eachRow(add)
      triggerRef(rows)
    },
    clear: () => {
      span.end()
      lone = undefined
      rows.value = new Map()
    },
  }
}

/** The part of a choice that goes from one row to another. */
function useSpan(
  browser: () => KeyBrowser,
  rows: ShallowRef<Map<string, KeyRow>>,
): {
  readonly state: ShallowRef<ChoiceState>
  /** A span will begin at a row. */
  readonly begin: (index: number) => void
  readonly extendTo: (index: number) => void
  /** What is still being read is not waited for. */
  readonly end: () => void
} {
  const state = shallowRef<ChoiceState>('whole')
  let anchor = 0
  /** The row that the span begins at: it may have been let go since. */
  let anchorRow: KeyRow | undefined
  /** Rises with each choice: rows that were asked for by an earlier one come too late. */
  let turn = 0

  function end(): void {
    turn++
    state.value = 'whole'
  }

  /** Rows between that are not loaded are read, and join the others. */
  async function readBetween(index: number): Promise<void> {
    const mine = turn
    anchorRow ??= browser().rowAt(anchor)
    state.value = 'reading'
    const read = await rowsFrom(browser(), { row: anchorRow, position: anchor }, index)
    if (mine !== turn) return
    state.value = read.state
    if (read.rows !== undefined)
      rows.value = new Map(read.rows.map((row) => [keyText(row.key), row]))
  }

  return {
    state,
    end,
    begin: (index) => {
      end()
      anchor = index
      anchorRow = browser().rowAt(index)
    },
    extendTo: (index) => {
      end()
      const [first, last] = [Math.min(anchor, index), Math.max(anchor, index)]
      const between = Array.from({ length: last - first + 1 }, (_, at) =>
        browser().rowAt(first + at),
      )
      const loaded = between.filter((row) => row !== undefined)
      rows.value = new Map(loaded.map((row) => [keyText(row.key), row]))
      if (loaded.length < between.length) void readBetween(index)
    },
  }
}

/** The rows from one that was loaded once on to a position, and how whole they are. */
async function rowsFrom(
  browser: KeyBrowser,
  { row, position }: { readonly row: KeyRow | undefined; readonly position: number },
  to: number,
): Promise<{ readonly rows?: readonly KeyRow[]; readonly state: ChoiceState }> {
  if (row === undefined) return { state: 'failed' }
  try {
    const rows = await browser.rowsBetween({ row, position }, to, chosenRowsMax)
    return { rows, state: Math.abs(to - position) < chosenRowsMax ? 'whole' : 'cut' }
  } catch (failure) {
    passOverCall(failure)
    return { state: 'failed' }
  }
}
