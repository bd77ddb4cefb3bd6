/** What each row of the key list is drawn from. */

import { computed } from 'vue'
import { keyText } from '../../format/bytes-text.ts'
import type { KeyBrowser } from '../../stores/key-browser.ts'
import { useSeparatorStore } from '../../stores/separators.ts'
import type { AfterLookup } from '../../stores/travel-after.ts'
import type { ShownColumn } from './key-columns.ts'
import type { KeyRowProps } from './key-row-cells.ts'
import { textOf } from './rows-text.ts'
import type { KeySelection } from './use-key-selection.ts'

/** What the rows show. */
export interface KeyLinesParts {
  readonly browser: () => KeyBrowser
  readonly openedKey: () => Uint8Array | undefined
  readonly columns: () => readonly ShownColumn[]
  /** Absent while the list shows the head. */
  readonly after: () => AfterLookup | undefined
  readonly selection: KeySelection
}

/** A way from a row's position to its properties. */
export function useKeyLines(
  parts: KeyLinesParts,
): (index: number, isActive: boolean) => KeyRowProps {
  const separators = useSeparatorStore()
  const openedText = computed(() => {
    const key = parts.openedKey()
    return key === undefined ? undefined : keyText(key)
  })
  const prefixText = computed(() => keyText(parts.browser().prefix))
  /** What all rows have in common, gathered once and not for each of them. */
  const look = computed(() => ({
    // A new object with each change of the rows, whatever else stays.
    changes: parts.browser().changes.value,
    browser: parts.browser(),
    columns: parts.columns(),
    after: parts.after()?.states.value,
    prefixText: prefixText.value,
    separator: separators.separatorOf(parts.browser().connectionId),
    opened: openedText.value,
    selected: parts.selection.rows.value,
    flashed: parts.browser().effects.flashed.value,
    leaving: parts.browser().effects.leaving.value,
  }))

  return (index, isActive) => {
    const { browser, columns, after, separator, ...shared } = look.value
    const row = browser.rowAt(index)
    const text = row === undefined ? '' : textOf(row)
    return {
      row,
      text,
      columns,
      after: after?.get(text),
      prefixLength: browser.prefix.length,
      prefixText: shared.prefixText,
      separator,
      index,
      isOpened: row !== undefined && text === shared.opened,
      isSelected: shared.selected.has(text),
      isActive,
      isFlashed: shared.flashed.has(text),
      isLeaving: shared.leaving.has(text),
    }
  }
}
