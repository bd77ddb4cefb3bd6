/** Which regions of the window are open and how wide they are. */

import { defineStore } from 'pinia'
import { ref } from 'vue'

/** Bounds of the side bar and the inspector in pixels. */
export const sideWidthPx = { min: 180, max: 600, default: 280 } as const
export const inspectorWidthPx = { min: 240, max: 520, default: 320 } as const

export const useLayoutStore = defineStore('layout', () => {
  const isSideOpen = ref(true)
  const isInspectorOpen = ref(true)
  const sideWidth = ref<number>(sideWidthPx.default)
  const inspectorWidth = ref<number>(inspectorWidthPx.default)
  const isPaletteOpen = ref(false)
  /** Text that the palette starts with; its first character is its mode. */
  const paletteText = ref('')

  const isShortcutsOpen = ref(false)

  function openPalette(text = ''): void {
    paletteText.value = text
    isPaletteOpen.value = true
  }

  return {
    isSideOpen,
    isInspectorOpen,
    sideWidth,
    inspectorWidth,
    isPaletteOpen,
    paletteText,
    isShortcutsOpen,
    openPalette,
  }
})
