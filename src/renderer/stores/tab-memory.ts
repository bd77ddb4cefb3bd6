/** The window as it was: its tabs with what they showed, kept by the main process and brought back at the next start. */

import { defineStore } from 'pinia'
import { ref, shallowRef, watch } from 'vue'
import type { ConnectionInfo } from '../../preload/contract/connection.ts'
import { appApi, connectionApi } from '../api/host-api.ts'
import { pageStateApi } from '../api/page-state-api.ts'
import { streamApi } from '../api/stream-api.ts'
import { useColumnLayoutStore } from './column-layouts.ts'
import { useCompareStore, type CompareState } from './compare.ts'
import { useConnectionStore } from './connections.ts'
import { useKeyTreeStore } from './key-trees.ts'
import { useKeyStore } from './keys.ts'
import { useLayoutStore } from './layout.ts'
import { useNodeStore } from './nodes.ts'
import { useQueryStore } from './queries.ts'
import { useSeparatorStore } from './separators.ts'
import {
  closedTabOf,
  connectionsBefore,
  parseWindowState,
  tabOf,
  textOfWindow,
  withConnections,
  type WindowState,
} from './tab-memory-state.ts'
import { useTabStore } from './tabs.ts'
import { useWatchStore } from './watches.ts'

const stateName = 'window.tabs'
const saveAfterMs = 300
/** Scrolling is not announced, so it is looked at now and then. */
const lookEveryMs = 2_000
const playgroundId = 'playground'
const playgroundNodesUsual = 3

export const useTabMemoryStore = defineStore('tabMemory', () => {
  /** `restored`: what there was to bring back is there, and from now on everything is kept. */
  const status = ref<'idle' | 'loading' | 'restored'>('idle')
  /** Why the window of the last time could not be brought back, or the present one not be kept. */
  const error = shallowRef<unknown>()
  const watches = useWatchStore()
  const take = useWindowState()
  const bringBack = useBringBack()
  let savedText = ''
  let lastSave: Promise<void> = Promise.resolve()
  let timer: ReturnType<typeof setTimeout> | undefined

  /** Brings back the window of the last time and keeps the present one from then on. Never rejects. */
  async function start(): Promise<void> {
    status.value = 'loading'
    try {
      const text = await pageStateApi.load(stateName)
      if (text !== null) await bringBack(parseWindowState(text))
    } catch (failure) {
      error.value = failure
    }
    showAsked()
    status.value = 'restored'
    watch(() => textOfWindow(take()), saveSoon)
    setInterval(saveSoon, lookEveryMs)
    streamApi.closing({ onBatch: () => void keepAndLeave() })
  }

  function saveSoon(): void {
    timer ??= setTimeout(() => void save(), saveAfterMs)
  }

  /** Resolves when the window as it is now is kept, or is known not to be. */
  function save(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    const text = textOfWindow(take())
    if (text !== savedText) {
      savedText = text
      lastSave = tell(() => pageStateApi.save(stateName, text))
    }
    return lastSave
  }

  /** What is sent while the window closes does not arrive, so the window waits for this. */
  async function keepAndLeave(): Promise<void> {
    await Promise.all([save(), watches.endRecordings()])
    await tell(() => appApi.readyToClose())
  }

  async function tell(act: () => Promise<null>): Promise<void> {
    try {
      await act()
    } catch (failure) {
      error.value = failure
    }
  }

  return { status, error, start }
})

/** What the flags of this start ask for is shown, also when the last window looked at something else. */
function showAsked(): void {
  const tabs = useTabStore()
  const info = useConnectionStore().appInfo
  const connectionId = info?.initialConnectionId
  if (tabs.tabs.length === 0 || connectionId === undefined || info?.isFirstStart === true) return
  if (tabs.active?.connectionId === connectionId) return
  const last = tabs.tabs.findLast((tab) => tab.connectionId === connectionId)
  if (last === undefined) tabs.open('keys', { connectionId })
  else tabs.show(last.id)
}

/** Reads the present window from the stores. */
function useWindowState(): () => WindowState {
  const tabs = useTabStore()
  const keys = useKeyStore()
  const trees = useKeyTreeStore()
  const queries = useQueryStore()
  const compares = useCompareStore()
  const columns = useColumnLayoutStore()
  const separators = useSeparatorStore()
  const layout = useLayoutStore()
  const connections = useConnectionStore()
  const nodes = useNodeStore()
  return () => {
    const { tabs: open, activeId, closed, visits } = tabs.state()
    const extras = open.map(({ id }) => ({
      ...keys.placeOf(id),
      ...{ query: queries.stateOf(id), compare: compares.stateOf(id) },
    }))
    const used = new Set([
      ...[...open, ...closed].map((tab) => tab.connectionId),
      ...extras.flatMap(({ compare }) => connectionsOf(compare)),
      ...columns.layouts.keys(),
      ...separators.chosen.keys(),
    ])
    return {
      schemaVersion: 1,
      tabs: open.map((tab, at) => ({ ...tab, ...extras[at] })),
      ...{ activeId, closed: [...closed] },
      visits: { ...visits, entries: [...visits.entries] },
      connections: connectionsBefore(connections.connections.filter(({ id }) => used.has(id))),
      playgroundNodes: nodes.nodes.length,
      trees: [...trees.trees.values()].map((tree) => ({
        connectionId: tree.connectionId,
        separator: tree.separator,
        expanded: [...tree.expanded.value],
      })),
      columns: [...columns.layouts].map(([connectionId, { order, widths }]) => ({
        ...{ connectionId, order: [...order], widths: { ...widths } },
      })),
      separators: [...separators.chosen].map(([connectionId, separator]) => ({
        ...{ connectionId, separator },
      })),
      layout: {
        isSideOpen: layout.isSideOpen,
        isInspectorOpen: layout.isInspectorOpen,
        sideWidth: layout.sideWidth,
        inspectorWidth: layout.inspectorWidth,
      },
    }
  }
}

/** Puts a kept window into the stores, its connections first. */
function useBringBack(): (state: WindowState) => Promise<void> {
  const tabs = useTabStore()
  const keys = useKeyStore()
  const trees = useKeyTreeStore()
  const queries = useQueryStore()
  const compares = useCompareStore()
  const columns = useColumnLayoutStore()
  const layout = useLayoutStore()
  const separators = useSeparatorStore()

  return async (kept) => {
    const state = withConnections(kept, await connectionApi.list())
    Object.assign(layout, state.layout)
    for (const kept of state.columns) columns.restore(kept.connectionId, kept)
    for (const { connectionId, separator } of state.separators)
      separators.choose(connectionId, separator)
    for (const tree of state.trees) {
      if (tree.separator === separators.separatorOf(tree.connectionId)) trees.expandLater(tree)
    }
    for (const { id, openedKey, topKey, order, query, compare } of state.tabs) {
      keys.remember(id, { openedKey, topKey, order })
      if (query !== undefined) queries.restore(id, query)
      if (compare !== undefined) compares.restore(id, compare)
    }
    await reopenConnections(state)
    tabs.restore({
      tabs: state.tabs.map(tabOf),
      activeId: state.activeId,
      closed: state.closed.map(closedTabOf),
      visits: state.visits,
    })
  }
}

/** The connections of both sides of a comparison. */
function connectionsOf(compare: CompareState | undefined): readonly string[] {
  return compare === undefined ? [] : [compare.left.connectionId, compare.right.connectionId]
}

/**
 * Opens what the tabs need. One that does not open keeps its tabs: they say so and offer to try again, so a failure here
 * is told there.
 */
async function reopenConnections(state: WindowState): Promise<void> {
  const connections = useConnectionStore()
  const nodes = useNodeStore()
  const list = await connectionApi.list()
  const used = new Set(
    state.tabs.flatMap((tab) => [tab.connectionId, ...connectionsOf(tab.compare)]),
  )
  const stateOf = (id: string): ConnectionInfo['state'] | undefined =>
    list.find((one) => one.id === id)?.state
  const openings = [...used].map(async (id) => {
    if (id === undefined) return
    if (id === playgroundId && stateOf(id) === undefined) {
      await nodes.startPlayground(state.playgroundNodes || playgroundNodesUsual)
    } else if (stateOf(id) === 'closed') {
      await connections.openSaved(id)
    }
  })
  await Promise.allSettled(openings)
}
