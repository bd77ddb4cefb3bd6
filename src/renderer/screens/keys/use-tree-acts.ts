/** What keys and menus do in the tree: open and close, rename, delete, copy, and everything that a list does with a key. */

import type { Ref, ShallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import type { ConnectionInfo } from '../../../preload/contract/connection.ts'
import type { KeyRow } from '../../../preload/contract/key-columns.ts'
import type { ListHandle } from '../../components/list/list-handle.ts'
import { menuPlaceOf } from '../../components/menu/menu-place.ts'
import { isModHeld } from '../../composables/shortcut.ts'
import { useClipboard } from '../../composables/use-clipboard.ts'
import { keyText, textBytes } from '../../format/bytes-text.ts'
import { failureLine } from '../../stores/failure-text.ts'
import { keyOfFolder } from '../../stores/folder-places.ts'
import type { KeyBrowser } from '../../stores/key-browser.ts'
import { getKey } from '../../stores/key-calls.ts'
import type { KeyTree, TreeNode, TreeRow } from '../../stores/key-tree.ts'
import { useSeparatorStore } from '../../stores/separators.ts'
import { useToastStore } from '../../stores/toasts.ts'
import { useFolderMenu, type FolderAct, type OpenMenu } from './use-folder-menu.ts'
import { useRowActs } from './use-row-acts.ts'

/** Folders of a level that are opened at once. */
const levelFoldersMax = 200

/** The tree that the acts are about, and what they ask of its screen. */
export interface TreeActsParts {
  readonly tree: ShallowRef<KeyTree>
  readonly rows: Ref<readonly TreeRow[]>
  readonly active: Ref<number>
  readonly list: Ref<(ListHandle & { readonly $el: HTMLElement }) | null>
  readonly browser: () => KeyBrowser
  readonly connection: () => ConnectionInfo
  readonly tabId: () => string
  /** Rows come or go by the user's own act. */
  readonly settle: () => void
  readonly open: (key: Uint8Array) => void
  readonly act: (act: FolderAct, prefix: Uint8Array) => void
  readonly remove: (rows: readonly Pick<KeyRow, 'key' | 'modRevision'>[]) => void
  readonly restore: (rows: readonly Pick<KeyRow, 'key'>[]) => void
}

/** The acts of a tree. */
export interface TreeActs {
  readonly menu: ShallowRef<OpenMenu | undefined>
  readonly openMenu: (event: MouseEvent) => void
  readonly press: (event: KeyboardEvent) => void
  readonly isExpanded: (path: Uint8Array) => boolean
  readonly toggle: (node: TreeNode) => void
}

export function useTreeActs(parts: TreeActsParts): TreeActs {
  const { rows, active } = parts
  const { t } = useI18n()
  const keyActs = useKeyActsOfTree(parts)
  const { menu, open: openFolderMenu } = useFolderMenu({
    findObstacle: () => findObstacle(),
    revision: () => parts.browser().atRevision.value,
    findRestoreObstacle: () => readOnlyObstacle(),
    run: parts.act,
    open: parts.open,
  })
  const { isExpanded, toggle, press } = useTreeKeys(parts, {
    ...keyActs,
    canWrite: () => findObstacle() === undefined,
  })

  function readOnlyObstacle(): string | undefined {
    return parts.connection().isReadOnly ? t('commands.reasons.readOnly') : undefined
  }

  function findObstacle(): string | undefined {
    if (parts.browser().atRevision.value !== 0) return t('commands.reasons.pastRevision')
    return readOnlyObstacle()
  }

  /** The menu of the active row: the pointer has made its row the active one. */
  function openMenu(event: MouseEvent): void {
    const node = rows.value[active.value]
    if (node === undefined || node.kind === 'more') return
    event.preventDefault()
    const place = menuPlaceOf(event, parts.list.value?.$el.querySelector('.focus'))
    if (node.isFolder) {
      const separator = textBytes(parts.tree.value.separator)
      openFolderMenu(node, keyOfFolder(node, separator), place)
    } else if (node.row !== undefined) {
      const label = t('acts.menu', { key: keyText(node.path) })
      menu.value = { items: keyActs.itemsFor([node.row]), ...place, label }
    }
  }

  return { menu, openMenu, press, isExpanded, toggle }
}

/** What a list does with a key, done with a key of the tree. Its figures may be older than those of a list. */
function useKeyActsOfTree(parts: TreeActsParts): ReturnType<typeof useRowActs> & {
  readonly removeKey: (key: Uint8Array) => Promise<void>
} {
  const { t } = useI18n()
  const separators = useSeparatorStore()
  const toasts = useToastStore()

  async function removeKey(key: Uint8Array): Promise<void> {
    try {
      const pair = await getKey(parts.connection().id, Uint8Array.from(key), 0)
      if (pair !== undefined) parts.remove([pair])
      else toasts.show({ icon: 'info', tone: 'info', text: t('key.absentHere') })
    } catch (failure) {
      toasts.show({ icon: 'warn', tone: 'danger', text: failureLine(failure) })
    }
  }

  const acts = useRowActs({
    connection: parts.connection,
    tabId: parts.tabId,
    revision: () => parts.browser().atRevision.value,
    separator: () => separators.separatorOf(parts.connection().id),
    open: parts.open,
    remove: ([row]) => {
      if (row !== undefined) void removeKey(row.key)
    },
    restore: parts.restore,
    copyRows: () => undefined,
  })
  return { ...acts, removeKey }
}

function useTreeKeys(
  { tree, rows, active, settle, act: actUnder }: TreeActsParts,
  acts: Pick<ReturnType<typeof useKeyActsOfTree>, 'rename' | 'removeKey'> & {
    readonly canWrite: () => boolean
  },
): Pick<TreeActs, 'isExpanded' | 'toggle' | 'press'> {
  const { copy } = useClipboard()

  function isExpanded(path: Uint8Array): boolean {
    return tree.value.expanded.value.has(keyText(path))
  }

  function toggle(node: TreeNode): void {
    tree.value.toggle(node)
    settle()
  }

  /** Opens the folders that stand beside a row. */
  function expandLevel(depth: number): void {
    const first = parentOf(rows.value, active.value)
    const isRoot = first === active.value
    const siblings: TreeNode[] = []
    for (let at = isRoot ? 0 : first + 1; at < rows.value.length; at++) {
      const row = rows.value[at]
      if (row === undefined || row.depth < depth) break
      if (row.kind === 'folder' && row.depth === depth && !isExpanded(row.path)) siblings.push(row)
    }
    for (const node of siblings.slice(0, levelFoldersMax)) tree.value.toggle(node)
    settle()
  }

  function pressOn(node: TreeNode): Readonly<Record<string, () => void>> {
    const remove = (): void => {
      if (!acts.canWrite()) return
      if (node.isFolder) actUnder('remove', node.path)
      else void acts.removeKey(node.path)
    }
    return {
      ArrowLeft: () => {
        if (node.isFolder && isExpanded(node.path)) toggle(node)
        else active.value = parentOf(rows.value, active.value)
      },
      F2: () => {
        if (!acts.canWrite()) return
        if (node.isFolder) actUnder('rename', node.path)
        else if (node.row !== undefined) void acts.rename(node.row)
      },
      Delete: remove,
      'Mod+Backspace': remove,
      'Mod+c': () => void copy(keyText(node.path)),
      '*': () => {
        expandLevel(node.depth)
      },
      ...(node.isFolder
        ? {
            ArrowRight: () => {
              if (!isExpanded(node.path)) toggle(node)
              else active.value = Math.min(rows.value.length - 1, active.value + 1)
            },
          }
        : {}),
    }
  }

  function press(event: KeyboardEvent): void {
    const node = rows.value[active.value]
    if (node === undefined || node.kind === 'more' || event.isComposing) return
    const act = pressOn(node)[`${isModHeld(event) ? 'Mod+' : ''}${event.key}`]
    if (act === undefined) return
    event.preventDefault()
    act()
  }

  return { isExpanded, toggle, press }
}

/** Where the folder of a row stands; the row itself at the root. */
function parentOf(rows: readonly TreeRow[], index: number): number {
  const depth = rows[index]?.depth ?? 0
  for (let at = index - 1; at >= 0; at--) if ((rows[at]?.depth ?? 0) < depth) return at
  return index
}
