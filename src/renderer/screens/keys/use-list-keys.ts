/** What keys do in a key list beside moving: choose, copy, delete. */

import type { Ref } from 'vue'
import type { KeyRow } from '../../../preload/contract/key-columns.ts'
import { isModHeld } from '../../composables/shortcut.ts'
import { useClipboard } from '../../composables/use-clipboard.ts'
import type { KeyBrowser } from '../../stores/key-browser.ts'
import { rowsText } from './rows-text.ts'
import type { RowActs } from './use-row-acts.ts'
import type { KeySelection } from './use-key-selection.ts'

/** What the keys of a list act on. */
export interface ListKeysParts {
  readonly browser: () => KeyBrowser
  readonly selection: KeySelection
  readonly active: Ref<number>
  readonly isReadOnly: () => boolean
  readonly remove: (rows: readonly KeyRow[]) => void
  readonly rowActs: () => RowActs
}

/** The keys of a list, and the same acts for its buttons. */
export interface ListKeys {
  readonly press: (event: KeyboardEvent) => void
  readonly copyRows: () => void
  readonly remove: () => void
  /** The chosen rows as they are now, or the active one. */
  readonly chosenRows: () => readonly KeyRow[]
}

export function useListKeys(parts: ListKeysParts): ListKeys {
  const { selection, active } = parts
  const { copy } = useClipboard()

  /** The chosen rows as they are now, or the active one. */
  function chosenRows(): readonly KeyRow[] {
    const browser = parts.browser()
    const chosen = [...selection.rows.value.values()].map((row) => {
      const position = browser.find(row.key)
      return (position === undefined ? undefined : browser.rowAt(position)) ?? row
    })
    if (chosen.length > 0) return chosen
    const row = browser.rowAt(active.value)
    return row === undefined ? [] : [row]
  }

  function copyRows(): void {
    const rows = chosenRows()
    if (rows.length > 0) void copy(rowsText(rows))
  }

  function remove(): void {
    const rows = chosenRows()
    // A choice that is still being read is not what was chosen.
    const isReading = selection.state.value === 'reading'
    if (rows.length > 0 && !parts.isReadOnly() && !isReading) parts.remove(rows)
  }

  function withActive(act: (row: KeyRow) => Promise<void>): () => void {
    return () => {
      const row = parts.browser().rowAt(active.value)
      if (row !== undefined) void act(row)
    }
  }

  function press(event: KeyboardEvent): void {
    if (event.isComposing) return
    const hasMod = isModHeld(event)
    const acts: Readonly<Record<string, () => void>> = hasMod
      ? {
          ...{ a: selection.selectLoaded, c: copyRows, Backspace: remove },
          C: withActive((row) => parts.rowActs().copyCommand(row)),
          d: withActive((row) => parts.rowActs().duplicate(row)),
        }
      : {
          ' ': () => {
            selection.toggle(active.value)
          },
          Delete: remove,
          F2: withActive((row) => parts.rowActs().rename(row)),
          Escape: selection.clear,
        }
    const act = acts[event.key]
    if (act === undefined || (event.key === 'Escape' && selection.count.value === 0)) return
    event.preventDefault()
    act()
  }

  return { press, copyRows, remove, chosenRows }
}
