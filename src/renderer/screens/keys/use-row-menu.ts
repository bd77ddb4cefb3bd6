/** The menu of the rows of a key list. */

import { shallowRef } from 'vue'
import type { Ref, ShallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import type { KeyRow } from '../../../preload/contract/key-columns.ts'
import type { MenuItem } from '../../components/menu/menu-item.ts'
import { menuPlaceOf } from '../../components/menu/menu-place.ts'
import type { KeyBrowser } from '../../stores/key-browser.ts'
import { textOf } from './rows-text.ts'
import type { RowActs } from './use-row-acts.ts'
import type { KeySelection } from './use-key-selection.ts'

/** Rows that may have a menu, and what it does. */
export interface RowMenuParts {
  readonly browser: () => KeyBrowser
  readonly selection: KeySelection
  readonly active: Ref<number>
  readonly rowActs: RowActs
  readonly chosenRows: () => readonly KeyRow[]
  /** The list as it stands on the screen. */
  readonly root: Ref<HTMLElement | null>
  readonly focusList: () => void
}

interface OpenMenu {
  readonly items: readonly MenuItem[]
  readonly left: number
  readonly top: number
  readonly label: string
}

/** The menu that is open, and what opens it. */
export function useRowMenu(parts: RowMenuParts): {
  readonly menu: ShallowRef<OpenMenu | undefined>
  readonly open: (event: MouseEvent) => void
} {
  const { t } = useI18n()
  const menu = shallowRef<OpenMenu>()

  /** Opens the menu of the chosen rows, or of the row under the pointer when it is none of them. */
  function open(event: MouseEvent): void {
    const { active, selection } = parts
    const line = event.target instanceof Element ? event.target.closest('[aria-rowindex]') : null
    const index = line === null ? active.value : Number(line.getAttribute('aria-rowindex')) - 1
    const row = parts.browser().rowAt(index)
    if (row === undefined) return
    event.preventDefault()
    active.value = index
    if (!selection.rows.value.has(textOf(row))) selection.startAt(index)
    const rows = selection.count.value > 1 ? parts.chosenRows() : [row]
    const label =
      rows.length === 1
        ? t('acts.menu', { key: textOf(row) })
        : t('acts.menu', { key: t('acts.many', { n: rows.length }) })
    parts.focusList()
    const element = parts.root.value?.querySelector(`[aria-rowindex="${String(index + 1)}"]`)
    menu.value = { items: parts.rowActs.itemsFor(rows), ...menuPlaceOf(event, element), label }
  }

  return { menu, open }
}
