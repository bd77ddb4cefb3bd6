/** Watch panes, one per connection. They go on while other views are shown. */

import { defineStore } from 'pinia'
import { shallowReactive, watchEffect } from 'vue'
import { useConnectionStore } from './connections.ts'
import { useSettingsStore } from './settings.ts'
import { WatchPane } from './watch-pane.ts'

export const useWatchStore = defineStore('watches', () => {
  const panes = shallowReactive(new Map<string, WatchPane>())
  const connections = useConnectionStore()
  const settings = useSettingsStore()

  /** The pane of a connection; made at the first call. */
  function paneOf(connectionId: string): WatchPane {
    const known = panes.get(connectionId)
    if (known !== undefined) return known
    const pane = new WatchPane(connectionId)
    pane.rowsMax.value = settings.settings.watchRows
    panes.set(connectionId, pane)
    return pane
  }

  watchEffect(() => {
    for (const [id, pane] of panes) {
      pane.rowsMax.value = settings.settings.watchRows
      const state = connections.findConnection(id)?.state
      if (connections.status === 'ready' && (state === undefined || state === 'closed')) {
        pane.dispose()
        panes.delete(id)
      }
    }
  })

  return { panes, paneOf }
})
