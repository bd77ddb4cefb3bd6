/** Commands of the key browser as a whole. */

import { onScopeDispose } from 'vue'
import type { KeyBrowser } from '../../stores/key-browser.ts'
import { useCommandStore } from '../../stores/commands.ts'
import type { KeyDetail } from '../../stores/key-detail.ts'
import { subjectOf } from '../../stores/key-subject.ts'
import { useKeyTreeStore } from '../../stores/key-trees.ts'
import { useSettingsStore } from '../../stores/settings.ts'
import type { ListOrder } from '../../stores/sorted-rows.ts'
import { useTabStore } from '../../stores/tabs.ts'

/** What the commands act on. */
export interface KeysCommandParts {
  readonly tabId: () => string
  readonly browser: () => KeyBrowser | undefined
  readonly detail: () => KeyDetail | undefined
  readonly find: () => void
  readonly focusPrefix: () => void
  /** Looks for keys among all of the cluster. */
  readonly searchAll: () => void
  /** Sorts the list; by what it is sorted by already, the other way round. */
  readonly sort: (by: ListOrder['by']) => void
}

const orders = ['key', 'createRevision', 'modRevision', 'version', 'size'] as const

/** Registers them for as long as the calling component lives. */
export function useKeysCommands(parts: KeysCommandParts): void {
  const { browser, detail, find, focusPrefix, searchAll, sort } = parts
  const trees = useKeyTreeStore()
  const tabs = useTabStore()
  const settings = useSettingsStore()
  const commands = useCommandStore()

  function openBin(): void {
    const shown = browser()
    if (shown === undefined) return
    const { connectionId, range } = shown
    tabs.open('bin', { connectionId, subject: subjectOf(range) })
  }

  function changeView(): void {
    const keyView = settings.settings.keyView === 'tree' ? 'flat' : 'tree'
    void settings.update({ keyView })
  }

  function refresh(): void {
    const shown = browser()
    if (shown === undefined) return
    void shown.load()
    void detail()?.load()
    const { connectionId } = shown
    trees.refresh({ tabId: parts.tabId(), connectionId, isPast: shown.atRevision.value !== 0 })
  }

  onScopeDispose(
    commands.register([
      { id: 'keys.find', icon: 'search', shortcuts: ['Mod+F'], run: find },
      { id: 'keys.prefix', icon: 'filter', shortcuts: ['Mod+L'], run: focusPrefix },
      { id: 'keys.bin', icon: 'trash', shortcuts: ['Mod+Shift+B'], run: openBin },
      { id: 'keys.view', icon: 'folder', shortcuts: [], run: changeView },
      { id: 'keys.refresh', icon: 'refresh', shortcuts: ['F5', 'Mod+R'], run: refresh },
      { id: 'keys.searchAll', icon: 'search', shortcuts: ['Mod+Shift+F'], run: searchAll },
      // A column that has no room is no reason not to sort by it.
      ...orders.map((by) => ({
        ...{ id: `keys.sort.${by}`, icon: 'rows', shortcuts: [] },
        run: () => {
          sort(by)
        },
      })),
    ]),
  )
}
