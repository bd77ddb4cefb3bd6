import { shallowRef, type ShallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import type { MenuItem } from '../../components/menu/menu-item.ts'
import { useClipboard } from '../../composables/use-clipboard.ts'
import { keyText } from '../../format/bytes-text.ts'
import { revisionText } from '../../format/quantity-text.ts'

/** An open menu and its place in the window. */
interface OpenMenu {
  readonly items: readonly MenuItem[]
  readonly left: number
  readonly top: number
  readonly label: string
}

/** What is done with everything under a folder. */
export type FolderAct = 'export' | 'import' | 'rename' | 'remove' | 'restore'

/** The menu of a folder. */
export function useFolderMenu(acts: {
  readonly findObstacle: () => string | undefined
  /** The revision that is read; 0: the head. */
  readonly revision: () => number
  /** Why nothing can be brought back. */
  readonly findRestoreObstacle: () => string | undefined
  readonly run: (act: FolderAct, prefix: Uint8Array) => void
}): {
  readonly menu: ShallowRef<OpenMenu | undefined>
  readonly open: (
    prefix: Uint8Array,
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

  function open(prefix: Uint8Array, place: { readonly left: number; readonly top: number }): void {
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
      {
        ...{ id: 'copyKey', icon: 'copy', label: t('acts.copyKey') },
        run: () => void copy(keyText(prefix)),
      },
      line('export', { label: t('acts.exportPrefix'), icon: 'download' }),
      line('import', { label: t('acts.importHere'), icon: 'upload', obstacle }),
      line('rename', { label: t('acts.renameFolder'), icon: 'edit', obstacle, shortcut: 'F2' }),
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
