/** Every action has an id; shortcuts, the palette, buttons and the native menu all run it by that id. */

import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import { useCompareStore } from './compare.ts'
import { useConnectionStore } from './connections.ts'
import { useLayoutStore } from './layout.ts'
import { useNodeStore } from './nodes.ts'
import { useSettingsStore } from './settings.ts'
import { useTabStore } from './tabs.ts'
import type { ViewName } from '../router.ts'

/** One action. Its title stands in the texts under `commands.<id>`. */
export interface Command {
  readonly id: string
  readonly icon: string
  /** For example `Mod+K`; the first is the one shown. */
  readonly shortcuts: readonly string[]
  /** In a text field or a dialog the same keys are not for this command. */
  readonly yieldsToFields?: true
  readonly run: () => void
  /** Name of the reason why it cannot run now, under `commands.reasons`; undefined: it can. */
  readonly findObstacle?: () => string | undefined
}

export const useCommandStore = defineStore('commands', () => {
  const fixed = fixedCommands()
  /** Commands of the screen that is shown, for as long as it is shown. */
  const scoped = shallowRef<readonly Command[]>([])
  const all = computed(() => [...scoped.value, ...fixed])

  /** Runs a command by id. Unknown ids (a menu of another version) and commands with an obstacle do nothing. */
  function run(id: string): void {
    const command = all.value.find((one) => one.id === id)
    if (command !== undefined && command.findObstacle?.() === undefined) command.run()
  }

  /** Adds the commands of a screen; the answer takes them away again. */
  function register(commands: readonly Command[]): () => void {
    scoped.value = [...commands, ...scoped.value]
    return () => {
      scoped.value = scoped.value.filter((one) => !commands.includes(one))
    }
  }

  return { all, run, register }
})

function fixedCommands(): readonly Command[] {
  const settings = useSettingsStore()
  return [
    ...viewCommands(),
    goToKeyCommand(),
    ...layoutCommands(),
    ...tabCommands(),
    ...themeCommands(settings.update),
    ...numberedTabCommands(),
  ]
}

function layoutCommands(): readonly Command[] {
  const layout = useLayoutStore()
  return [
    {
      id: 'view.palette',
      icon: 'search',
      shortcuts: ['Mod+K', 'Mod+Shift+P'],
      run: () => {
        layout.openPalette()
      },
    },
    {
      id: 'view.side',
      icon: 'rows',
      shortcuts: ['Mod+B'],
      run: () => {
        layout.isSideOpen = !layout.isSideOpen
      },
    },
    {
      id: 'view.inspector',
      icon: 'panelr',
      shortcuts: ['Mod+I'],
      run: () => {
        layout.isInspectorOpen = !layout.isInspectorOpen
      },
    },
    {
      id: 'view.shortcuts',
      icon: 'flag',
      shortcuts: ['F1', 'Shift+?', 'Mod+Slash'],
      run: () => {
        layout.isShortcutsOpen = true
      },
    },
  ]
}

function numberedTabCommands(): readonly Command[] {
  const tabs = useTabStore()
  return [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number): Command => ({
    id: `tab.show${String(number)}`,
    icon: 'rows',
    shortcuts: [`Mod+${String(number)}`],
    run: () => {
      const tab = number === 9 ? tabs.tabs.at(-1) : tabs.tabs[number - 1]
      if (tab !== undefined) tabs.show(tab.id)
    },
  }))
}

function tabCommands(): readonly Command[] {
  const tabs = useTabStore()
  const moveBy = (step: 1 | -1) => () => {
    const at = tabs.tabs.findIndex((tab) => tab.id === tabs.activeId)
    if (tabs.activeId !== undefined) tabs.move(tabs.activeId, at + step)
  }
  return [
    {
      id: 'tab.close',
      icon: 'x',
      shortcuts: ['Mod+W'],
      run: () => {
        if (tabs.activeId !== undefined) tabs.requestClose(tabs.activeId)
      },
    },
    { id: 'tab.reopen', icon: 'undo', shortcuts: ['Mod+Shift+T'], run: tabs.reopen },
    {
      id: 'tab.next',
      icon: 'fwd',
      shortcuts: ['Mod+Tab', 'Mod+PageDown'],
      run: () => {
        tabs.cycle(1)
      },
    },
    {
      id: 'tab.previous',
      icon: 'back',
      shortcuts: ['Mod+Shift+Tab', 'Mod+PageUp'],
      run: () => {
        tabs.cycle(-1)
      },
    },
    { id: 'tab.moveLeft', icon: 'back', shortcuts: ['Mod+Shift+PageUp'], run: moveBy(-1) },
    { id: 'tab.moveRight', icon: 'fwd', shortcuts: ['Mod+Shift+PageDown'], run: moveBy(1) },
    {
      ...{ id: 'tab.keep', icon: 'pin', shortcuts: [] },
      run: () => {
        if (tabs.activeId !== undefined) tabs.describe(tabs.activeId, { isPreview: false })
      },
    },
    {
      ...{ id: 'view.back', icon: 'back', shortcuts: ['Alt+Left'] },
      run: () => {
        tabs.go(-1)
      },
      findObstacle: () => (tabs.canGoBack ? undefined : 'nothingVisited'),
    },
    {
      ...{ id: 'view.forward', icon: 'fwd', shortcuts: ['Alt+Right'] },
      run: () => {
        tabs.go(1)
      },
      findObstacle: () => (tabs.canGoForward ? undefined : 'nothingVisited'),
    },
  ]
}

function themeCommands(update: ReturnType<typeof useSettingsStore>['update']): readonly Command[] {
  return (['light', 'dark', 'contrast', 'system'] as const).map((theme) => ({
    id: `theme.${theme}`,
    icon: 'half',
    shortcuts: [],
    run: () => void update({ theme }),
  }))
}

function viewCommands(): readonly Command[] {
  const tabs = useTabStore()
  const connections = useConnectionStore()
  const nodes = useNodeStore()
  const compares = useCompareStore()
  const ofCluster = (view: ViewName, icon: string, shortcuts: readonly string[] = []): Command => ({
    id: `view.${view}`,
    icon,
    shortcuts,
    run: () => {
      const connectionId = connections.activeId
      if (connectionId !== undefined) showView(view, connectionId)
    },
    findObstacle: () => (connections.activeId === undefined ? 'noConnection' : undefined),
  })
  /** The last tab of this view, or a new one. */
  const showView = (view: ViewName, connectionId: string): void => {
    const open = tabs.tabs.findLast((tab) => tab.view === view && tab.connectionId === connectionId)
    if (open === undefined) tabs.open(view, { connectionId })
    else tabs.show(open.id)
  }
  const ofWindow = (view: ViewName, icon: string, shortcuts: readonly string[]): Command => ({
    id: `view.${view}`,
    icon,
    shortcuts,
    run: () => void tabs.open(view),
  })
  return [
    ofCluster('keys', 'key'),
    ofCluster('bin', 'trash'),
    ofCluster('watch', 'watch'),
    ofCluster('query', 'query'),
    ofCluster('members', 'members'),
    {
      id: 'keys.compare',
      icon: 'diff',
      shortcuts: ['Mod+Shift+D'],
      run: () => {
        compares.openHere()
      },
      findObstacle: () => (connections.activeId === undefined ? 'noConnection' : undefined),
    },
    {
      id: 'view.nodes',
      icon: 'playground',
      shortcuts: [],
      run: () => {
        const { connectionId } = nodes.playground
        tabs.open('nodes', connectionId === undefined ? {} : { connectionId })
      },
    },
    ofWindow('connections', 'connections', ['Mod+Shift+N']),
    ofWindow('settings', 'settings', ['Mod+Comma']),
    ofWindow('welcome', 'flag', []),
    {
      id: 'tab.new',
      icon: 'plus',
      shortcuts: ['Mod+T'],
      run: () => {
        const connectionId = connections.activeId
        if (connectionId === undefined) tabs.open('connections')
        else tabs.open('keys', { connectionId, isNew: true })
      },
    },
  ]
}

function goToKeyCommand(): Command {
  const tabs = useTabStore()
  const layout = useLayoutStore()
  const connections = useConnectionStore()
  return {
    id: 'keys.goTo',
    icon: 'key',
    shortcuts: ['Mod+P'],
    // The palette looks for keys where its text begins like one.
    run: () => {
      const { subject = '' } = tabs.active ?? {}
      layout.openPalette(subject.startsWith('/') ? subject : '/')
    },
    findObstacle: () => (connections.activeId === undefined ? 'noConnection' : undefined),
  }
}
