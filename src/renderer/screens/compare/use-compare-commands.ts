/** The acts of a comparison as commands, for as long as it is shown. */

import { onScopeDispose } from 'vue'
import { useCommandStore, type Command } from '../../stores/commands.ts'
import { differingCount, type Comparison } from '../../stores/comparison.ts'
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
  const notCompared = (): string | undefined =>
    parts.acts.hasRun.value ? undefined : 'notCompared'
  const nothing = (): string | undefined =>
    differingCount(parts.comparison().run.value?.counts) > 0 ? undefined : 'noDifference'
  const commands: readonly Command[] = [
    ...runCommands(parts),
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
    ...applyCommands(parts.acts),
    ...exportCommands(parts.files, () => notCompared() ?? nothing()),
  ]
  onScopeDispose(useCommandStore().register(commands))
}

/** What is compared, and when. */
function runCommands(parts: CompareCommandParts): readonly Command[] {
  const running = (): string | undefined =>
    parts.comparison().status.value === 'running' ? 'running' : undefined
  return [
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
  ]
}

/** One side is made like the other. */
function applyCommands(acts: CompareApply): readonly Command[] {
  return [
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
  ]
}

function exportCommands(
  files: CompareExport,
  findObstacle: () => string | undefined,
): readonly Command[] {
  return [
    {
      id: 'compare.exportJson',
      icon: 'download',
      shortcuts: ['Mod+S'],
      run: () => void files.save('json'),
      findObstacle,
    },
    {
      id: 'compare.exportDiff',
      icon: 'download',
      shortcuts: ['Mod+Shift+S'],
      run: () => void files.save('diff'),
      findObstacle,
    },
  ]
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
