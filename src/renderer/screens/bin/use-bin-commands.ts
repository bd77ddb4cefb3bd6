import { onScopeDispose } from 'vue'
import { useCommandStore } from '../../stores/commands.ts'
import type { BinRestore } from './use-bin-restore.ts'

/** The acts of the bin as commands, for as long as it is shown. */
export function useBinCommands(
  acts: BinRestore,
  parts: { readonly find: () => void; readonly refresh: () => void },
): void {
  const findObstacle = (): string | undefined => (acts.isReadOnly.value ? 'readOnly' : undefined)
  onScopeDispose(
    useCommandStore().register([
      { id: 'bin.find', icon: 'search', shortcuts: ['Mod+F'], run: parts.find },
      { id: 'bin.refresh', icon: 'refresh', shortcuts: ['F5'], run: parts.refresh },
      {
        id: 'bin.restore',
        icon: 'undo',
        shortcuts: ['Mod+Enter'],
        run: acts.restoreChosen,
        findObstacle,
      },
      {
        id: 'bin.restoreAll',
        icon: 'undo',
        shortcuts: ['Mod+Shift+Enter'],
        run: acts.restoreAll,
        findObstacle,
      },
      {
        id: 'bin.restoreTo',
        icon: 'history',
        shortcuts: [],
        run: () => {
          acts.isAsking.value = true
        },
        findObstacle,
      },
    ]),
  )
}
