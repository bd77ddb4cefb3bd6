import { shallowRef, type ShallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import type { MenuItem } from '../../components/menu/menu-item.ts'
import { useClipboard } from '../../composables/use-clipboard.ts'
import { keyText } from '../../format/bytes-text.ts'
import { revisionText } from '../../format/quantity-text.ts'
import type { TreeNode } from '../../stores/key-tree.ts'

/** An open menu and its place in the window. */
export interface OpenMenu {
  readonly items: readonly MenuItem[]
  readonly left: number
  readonly top: number
  readonly label: string
}

/** What is done with everything under a folder. */
export type FolderAct =
  'new' | 'export' | 'import' | 'rename' | 'remove' | 'restore' | 'watch' | 'compare' | 'bin'

/** The menu of a folder. */
export function useFolderMenu(acts: {
  readonly findObstacle: () => string | undefined
  /** The revision that is read; 0: the head. */
  readonly revision: () => number
  /** Why nothing can be brought back. */
  readonly findRestoreObstacle: () => string | undefined
  readonly run: (act: FolderAct, prefix: Uint8Array) => void
  readonly open: (key: Uint8Array) => void
}): {
  readonly menu: ShallowRef<OpenMenu | undefined>
  /** Opens it at a place; `key`: the key of the same name, where there is one. */
  readonly open: (
    folder: Pick<TreeNode, 'path'>,
    key: Uint8Array | undefined,
    place: { readonly left: number; readonly top: number },
  ) => void
} {
  const { t } = useI18n()
  const { copy } = useClipboard()
  const menu = shallowRef<OpenMenu>()

  /** What is read of the past can be brought back. */
  function restoreLines(
    line: (act: FolderAct, more: Pick<MenuItem, 'label' | 'icon'> & Partial<MenuItem>) => MenuItem,
  ): readonly MenuItem[] {
    const revision = acts.revision()
    if (revision === 0) return []
    const label = t('acts.restorePrefix', { revision: revisionText(revision) })
    return [line('restore', { label, icon: 'undo', obstacle: acts.findRestoreObstacle() })]
  }

  /** A name may be a key as well. */
  function keyLines(key: Uint8Array | undefined): readonly MenuItem[] {
    if (key === undefined) return []
    const run = (): void => {
      acts.open(key)
    }
    return [{ id: 'openKey', icon: 'leaf', label: t('acts.openKey', { key: keyText(key) }), run }]
  }

  const open: ReturnType<typeof useFolderMenu>['open'] = ({ path: prefix }, key, place) => {
    const obstacle = acts.findObstacle()
    const line = (
      act: FolderAct,
      more: Pick<MenuItem, 'label' | 'icon'> & Partial<MenuItem>,
    ): MenuItem => ({
      id: act,
      run: () => {
        acts.run(act, prefix)
      },
      ...more,
    })
    const items: readonly MenuItem[] = [
      ...keyLines(key),
      line('new', { label: t('acts.newHere'), icon: 'plus', obstacle }),
      {
        ...{ id: 'copyKey', icon: 'copy', label: t('acts.copyKey') },
        run: () => void copy(keyText(prefix)),
      },
      line('export', { label: t('acts.exportPrefix'), icon: 'download' }),
      line('import', { label: t('acts.importHere'), icon: 'upload', obstacle }),
      line('rename', { label: t('acts.renameFolder'), icon: 'edit', obstacle, shortcut: 'F2' }),
      line('watch', { label: t('acts.watch'), icon: 'watch', isGroupStart: true }),
      line('compare', { label: t('acts.compare'), icon: 'diff' }),
      line('bin', { label: t('keys.seeDeleted'), icon: 'trash' }),
      ...restoreLines(line),
      line('remove', {
        ...{ label: t('acts.deletePrefix'), icon: 'trash', obstacle },
        ...{ isDanger: true, isGroupStart: true },
      }),
    ]
    menu.value = { items, ...place, label: t('acts.menu', { key: keyText(prefix) }) }
  }

  return { menu, open }
}
