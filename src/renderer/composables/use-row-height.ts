import { computed } from 'vue'
import type { ComputedRef } from 'vue'
import { useSettingsStore } from '../stores/settings.ts'

/** Height of one row in pixels, as the density has it: the same figure as `--row-h`. */
export function useRowHeight(): ComputedRef<number> {
  const settings = useSettingsStore()
  return computed(() => (settings.settings.density === 'compact' ? 24 : 28))
}
