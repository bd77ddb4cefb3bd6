/** The acts of a comparison as commands, for as long as it is shown. */

import { onScopeDispose } from 'vue'
import { useCommandStore, type Command } from '../../stores/commands.ts'
import type { Comparison } from '../../stores/comparison.ts'
import type { CompareApply } from './use-compare-apply.ts'
import type { CompareExport } from './use-compare-export.ts'

export interface CompareCommandParts {
  readonly comparison: () => Comparison
  readonly acts: CompareApply
  readonly files: CompareExport
  readonly start: () => void
  readonly step: (by: 1 | -1) => void
  readonly focusFilter: () => void
}

export function useCompareCommands(parts: CompareCommandParts): void {
  const { acts, files } = parts
  const running = (): string | undefined =>
    parts.comparison().status.value === 'running' ? 'running' : undefined
  const notCompared = (): string | undefined => (acts.hasRun.value ? undefined : 'notCompared')
  const nothing = (): string | undefined => {
    const { added = 0, changed = 0, removed = 0 } = parts.comparison().run.value?.counts ?? {}
    return added + changed + removed > 0 ? undefined : 'noDifference'
  }
  const commands: readonly Command[] = [
    {
      id: 'compare.start',
      icon: 'diff',
      shortcuts: ['Mod+Enter', 'F5'],
      run: parts.start,
      findObstacle: running,
    },
    {
      id: 'compare.cancel',
      icon: 'stop',
      shortcuts: [],
      run: () => {
        parts.comparison().cancel()
      },
      findObstacle: () => (running() === undefined ? 'notRunning' : undefined),
    },
    {
      id: 'compare.swap',
      icon: 'swap',
      shortcuts: ['Alt+S'],
      run: () => {
        parts.comparison().swap()
      },
    },
    ...stepCommands(parts, nothing),
    {
      id: 'compare.view',
      icon: 'rows',
      shortcuts: [],
      run: () => {
        parts.comparison().setFlat(!parts.comparison().isFlat.value)
      },
    },
    { id: 'compare.filter', icon: 'filter', shortcuts: ['Mod+F'], run: parts.focusFilter },
    {
      id: 'compare.applyRight',
      icon: 'fwd',
      shortcuts: ['Mod+Alt+Right'],
      run: () => {
        acts.apply('right')
      },
      findObstacle: () => acts.obstacleOf('right'),
    },
    {
      id: 'compare.applyLeft',
      icon: 'back',
      shortcuts: ['Mod+Alt+Left'],
      run: () => {
        acts.apply('left')
      },
      findObstacle: () => acts.obstacleOf('left'),
    },
    {
      id: 'compare.exportJson',
      icon: 'download',
      shortcuts: ['Mod+S'],
      run: () => void files.save('json'),
      findObstacle: () => notCompared() ?? nothing(),
    },
    {
      id: 'compare.exportDiff',
      icon: 'download',
      shortcuts: ['Mod+Shift+S'],
      run: () => void files.save('diff'),
      findObstacle: () => notCompared() ?? nothing(),
    },
  ]
  onScopeDispose(useCommandStore().register(commands))
}

function stepCommands(
  { step }: CompareCommandParts,
  nothing: () => string | undefined,
): readonly Command[] {
  return [
    {
      id: 'compare.next',
      icon: 'dn',
      shortcuts: ['Alt+Down'],
      run: () => {
        step(1)
      },
      findObstacle: nothing,
    },
    {
      id: 'compare.previous',
      icon: 'up',
      shortcuts: ['Alt+Up'],
      run: () => {
        step(-1)
      },
      findObstacle: nothing,
    },
  ]
}
