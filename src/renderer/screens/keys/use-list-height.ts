/** How high the list of keys may be above what is opened below it. */

import { useElementSize } from '@vueuse/core'
import { computed, ref, type ComputedRef, type Ref } from 'vue'

const usualPx = 248
const leastPx = 112
/** Heights of what stands above the list. */
const axisPx = 141
const sentencePx = 36
/** The opened key, or what changed, keeps room for its head and some lines. */
const keyPx = 330
const changesPx = 400

/** The chosen height in pixels, and the most that there is room for. */
export function useListHeight(parts: {
  readonly root: Ref<HTMLElement | null>
  readonly isAxisOpen: Ref<boolean>
  readonly isPast: Ref<boolean>
  readonly hasChanges: Ref<boolean>
}): { readonly listHeight: Ref<number>; readonly listHeightMax: ComputedRef<number> } {
  const { height } = useElementSize(parts.root)
  const listHeight = ref(usualPx)
  const listHeightMax = computed(() => {
    const abovePx = (parts.isAxisOpen.value ? axisPx : 0) + (parts.isPast.value ? sentencePx : 0)
    const belowPx = parts.hasChanges.value ? changesPx : keyPx
    return Math.max(leastPx, height.value - abovePx - belowPx)
  })
  return { listHeight, listHeightMax }
}
