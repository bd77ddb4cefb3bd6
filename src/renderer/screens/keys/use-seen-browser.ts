/** A list that nobody sees is not kept current: on a busy cluster that would be work for every change. */

import { onBeforeUnmount, watch, type Ref } from 'vue'
import type { KeyBrowser } from '../../stores/key-browser.ts'
import { useWatchStore } from '../../stores/watches.ts'

/** Wakes the list of a screen while the screen is there. */
export function useSeenBrowser(browser: Ref<KeyBrowser | undefined>): void {
  const watches = useWatchStore()
  watch(
    browser,
    (now) => {
      now?.wake(watches.headRevisionOf(now.connectionId))
    },
    { immediate: true },
  )
  onBeforeUnmount(() => {
    browser.value?.rest()
  })
}
