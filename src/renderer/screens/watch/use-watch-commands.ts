import { onScopeDispose } from 'vue'
import { useCommandStore } from '../../stores/commands.ts'
import type { Command } from '../../stores/commands.ts'
import type { WatchPane } from '../../stores/watch-pane.ts'
import type { EventList } from './use-event-list.ts'
import type { WatchActs } from './use-watch-acts.ts'

/** What the commands of the watch screen are made of. */
interface WatchCommandParts {
  readonly list: EventList
  readonly acts: WatchActs
  readonly pane: () => WatchPane
  readonly openNew: () => void
  readonly openSearch: () => void
  readonly openSave: () => void
  readonly goToFound: (step: 1 | -1) => void
  readonly goToMark: (step: 1 | -1) => void
  readonly togglePause: () => void
}

/** Registers the commands of the watch screen for as long as it lives. */
export function useWatchCommands(parts: WatchCommandParts): void {
  const commands = useCommandStore()
  onScopeDispose(commands.register([...paneCommands(parts), ...rowCommands(parts)]))
}

function paneCommands(parts: WatchCommandParts): readonly Command[] {
  const { list, pane } = parts
  return [
    { id: 'watch.add', icon: 'plus', shortcuts: ['Mod+N'], run: parts.openNew },
    { id: 'watch.pause', icon: 'pause', shortcuts: [], run: parts.togglePause },
    {
      id: 'watch.follow',
      icon: 'live',
      shortcuts: ['Mod+End'],
      run: () => {
        list.isFollowing.value = true
      },
    },
    {
      id: 'watch.order',
      icon: 'updown',
      shortcuts: [],
      run: () => {
        pane().setNewestFirst(!pane().isNewestFirst)
      },
    },
    {
      id: 'watch.clear',
      icon: 'broom',
      shortcuts: [],
      run: () => {
        pane().clear()
      },
    },
    { id: 'watch.find', icon: 'search', shortcuts: ['Mod+F'], run: parts.openSearch },
    {
      id: 'watch.findNext',
      icon: 'dn',
      shortcuts: ['F3'],
      run: () => {
        parts.goToFound(1)
      },
    },
    {
      id: 'watch.findPrevious',
      icon: 'up',
      shortcuts: ['Shift+F3'],
      run: () => {
        parts.goToFound(-1)
      },
    },
    { id: 'watch.save', icon: 'download', shortcuts: ['Mod+S'], run: parts.openSave },
  ]
}

function rowCommands(parts: WatchCommandParts): readonly Command[] {
  const { list, acts, pane } = parts
  const findObstacle = (): string | undefined =>
    list.activeId.value === undefined || !pane().log.has(list.activeId.value)
      ? 'noEvent'
      : undefined
  const withRow = (act: (id: number) => void) => () => {
    if (list.activeId.value !== undefined) act(list.activeId.value)
  }
  return [
    {
      id: 'watch.mark',
      icon: 'star',
      shortcuts: ['M'],
      run: withRow((id) => {
        pane().toggleMark(id)
      }),
      findObstacle,
    },
    {
      id: 'watch.nextMark',
      icon: 'dn',
      shortcuts: ['N'],
      run: () => {
        parts.goToMark(1)
      },
    },
    {
      id: 'watch.previousMark',
      icon: 'up',
      shortcuts: ['Shift+N'],
      run: () => {
        parts.goToMark(-1)
      },
    },
    {
      id: 'watch.travel',
      icon: 'time',
      shortcuts: ['T'],
      run: withRow(acts.travel),
      findObstacle,
    },
    { id: 'watch.openKey', icon: 'key', shortcuts: [], run: withRow(acts.openKey), findObstacle },
    {
      id: 'watch.details',
      icon: 'diff',
      shortcuts: ['D'],
      run: withRow(list.toggleDetails),
      findObstacle,
    },
    {
      id: 'watch.copy',
      icon: 'copy',
      shortcuts: ['Mod+C'],
      run: () => {
        acts.copy(list.chosenIds())
      },
      findObstacle,
    },
    { id: 'watch.selectAll', icon: 'rows', shortcuts: ['Mod+A'], run: list.chooseAll },
  ]
}
