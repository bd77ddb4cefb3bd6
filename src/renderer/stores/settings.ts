/** Settings as the main process keeps them, and the theme that follows from them. */

import { usePreferredDark } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, shallowRef, watchEffect } from 'vue'
import { settingsSchema } from '../../preload/contract/settings.ts'
import type { Settings, SettingsPatch } from '../../preload/contract/settings.ts'
import { appApi } from '../api/host-api.ts'
import { streamApi } from '../api/stream-api.ts'

/** Where `boot-theme.js` finds the theme before the first paint. */
const themeStorageName = 'quorate.theme'

export const useSettingsStore = defineStore('settings', () => {
  const settings = shallowRef<Settings>(settingsSchema.parse({}))
  const prefersDark = usePreferredDark()
  /** The theme in force: `system` is resolved. */
  const theme = computed(() =>
    settings.value.theme === 'system'
      ? prefersDark.value
        ? 'dark'
        : 'light'
      : settings.value.theme,
  )

  watchEffect(() => {
    const root = document.documentElement
    root.dataset['theme'] = theme.value
    root.dataset['density'] = settings.value.density
    localStorage.setItem(themeStorageName, settings.value.theme)
  })

  /** Loads the settings once and follows their changes for as long as the window lives. */
  async function start(): Promise<void> {
    settings.value = await appApi.settings()
    streamApi.settings({
      onBatch: (items) => {
        settings.value = items.at(-1) ?? settings.value
      },
    })
  }

  async function update(patch: SettingsPatch): Promise<void> {
    settings.value = await appApi.updateSettings(patch)
  }

  return { settings, theme, start, update }
})
