/** What splits the keys of a connection into folders: its own choice, or what the settings say. Kept with the window. */

import { defineStore } from 'pinia'
import { shallowReactive } from 'vue'
import { useSettingsStore } from './settings.ts'

export const useSeparatorStore = defineStore('separators', () => {
  const settings = useSettingsStore()
  /** Only of connections that have another one than the settings. */
  const chosen = shallowReactive(new Map<string, string>())

  /** The separator of a connection; empty: its keys have no folders. */
  function separatorOf(connectionId: string | undefined): string {
    const own = connectionId === undefined ? undefined : chosen.get(connectionId)
    return own ?? settings.settings.keySeparator
  }

  /** Gives a connection a separator of its own; the one of the settings takes that away again. */
  function choose(connectionId: string, separator: string): void {
    if (separator === settings.settings.keySeparator) chosen.delete(connectionId)
    else chosen.set(connectionId, separator)
  }

  return { chosen, separatorOf, choose }
})
