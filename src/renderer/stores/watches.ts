/** Watch panes, one per connection. They go on while other views are shown, and come back after a restart. */

import { defineStore } from 'pinia'
import { shallowReactive, watchEffect } from 'vue'
import { pageStateApi } from '../api/page-state-api.ts'
import { useClusterStore } from './clusters.ts'
import { useConnectionStore } from './connections.ts'
import { useSettingsStore } from './settings.ts'
import { parseSavedWatches } from './watch-definition.ts'
import type { SavedWatches } from './watch-definition.ts'
import { WatchPane } from './watch-pane.ts'

/** Name of the page state that keeps the watches. */
const stateName = 'watches'

export const useWatchStore = defineStore('watches', () => {
  const panes = shallowReactive(new Map<string, WatchPane>())
  const connections = useConnectionStore()
  const clusters = useClusterStore()
  const settings = useSettingsStore()
  let saved: SavedWatches = {}
  /** What was kept, once it is read. Nothing is written before. */
  const loading = load()

  /** The pane of a connection; made at the first call, with the watches that it had when the app ended. */
  function paneOf(connectionId: string): WatchPane {
    const known = panes.get(connectionId)
    if (known !== undefined) return known
    const pane = new WatchPane(connectionId)
    // A view that is about to leave may ask once more; what it gets is not kept, or it would be made and taken away for ever.
    if (isGone(connectionId)) {
      pane.dispose()
      return pane
    }
    pane.setRowsMax(settings.settings.watchRows)
    panes.set(connectionId, pane)
    void restore(pane)
    return pane
  }

  function isGone(connectionId: string): boolean {
    const state = connections.findConnection(connectionId)?.state
    return connections.status === 'ready' && (state === undefined || state === 'closed')
  }

  /** The newest revision that is known of a connection: what is not newer happened before now. */
  function headRevisionOf(connectionId: string): number {
    const ofConnection = connections.findConnection(connectionId)?.headRevision ?? 0
    return Math.max(clusters.states.get(connectionId)?.snapshot?.headRevision ?? 0, ofConnection)
  }

  async function restore(pane: WatchPane): Promise<void> {
    await loading
    if (panes.get(pane.connectionId) !== pane) return
    for (const definition of saved[pane.connectionId] ?? [])
      pane.add(definition, headRevisionOf(pane.connectionId))
    pane.onWatchesChanged = () => {
      const definitions = pane.watches.map((watch) => watch.definition)
      saved = { ...saved, [pane.connectionId]: definitions }
      void pageStateApi.save(stateName, JSON.stringify(saved))
    }
    // What was added while this was read is kept from now on.
    if (pane.watches.length > 0) pane.onWatchesChanged()
  }

  async function load(): Promise<void> {
    const text = await pageStateApi.load(stateName)
    if (text !== null) saved = parseSavedWatches(text)
  }

  watchEffect(() => {
    for (const [id, pane] of panes) {
      pane.setRowsMax(settings.settings.watchRows)
      if (isGone(id)) {
        pane.dispose()
        panes.delete(id)
      }
    }
  })

  /** Ends the files that events are written to. Resolves when each is whole. */
  async function endRecordings(): Promise<void> {
    const running = [...panes.values()].flatMap(({ recording }) => recording.value ?? [])
    for (const recording of running) recording.stop()
    await Promise.all(running.map(({ ended }) => ended))
  }

  return { panes, paneOf, headRevisionOf, endRecordings }
})
