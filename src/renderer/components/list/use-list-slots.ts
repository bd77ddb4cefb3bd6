import { computed } from 'vue'
import type { ComputedRef } from 'vue'

/** What a list of fixed rows shows of them. */
interface ListSight {
  readonly count: number
  readonly rowHeight: number
  /** Rows kept above and below what is in sight. */
  readonly overscan: number
  /** Pixels of the rows above what is in sight, and of what is in sight. */
  readonly offset: number
  readonly viewPx: number
  /** How far rows have moved down, as far as they keep their elements. */
  readonly slotShift: number
}

/** The rows that exist, and the elements that they are drawn in. */
export interface ListSlots {
  readonly first: ComputedRef<number>
  /** Indices of the rows that exist. */
  readonly items: ComputedRef<readonly number[]>
  /**
   * Which element draws a row. Rows that leave at one end are those that come in at the other: to fill one anew costs far less than
   * to make it. Of a row that moves to another place the element moves along, so that nothing of it is drawn anew.
   */
  readonly slotOf: (index: number) => number
}

export function useListSlots(sight: () => ListSight): ListSlots {
  const first = computed(() => {
    const { offset, rowHeight, overscan } = sight()
    return Math.max(0, Math.floor(offset / rowHeight) - overscan)
  })
  const last = computed(() => {
    const { count, offset, viewPx, rowHeight, overscan } = sight()
    return Math.min(count - 1, Math.ceil((offset + viewPx) / rowHeight) + overscan)
  })
  const items = computed(() => {
    const length = sight().viewPx === 0 ? 0 : Math.max(0, last.value - first.value + 1)
    return Array.from({ length }, (_, at) => first.value + at)
  })
  const slotCount = computed(() => {
    const { viewPx, rowHeight, overscan } = sight()
    return Math.ceil(viewPx / rowHeight) + 2 * overscan + 2
  })
  const slotOf = (index: number): number => {
    const slot = (index - sight().slotShift) % slotCount.value
    return slot < 0 ? slot + slotCount.value : slot
  }
  return { first, items, slotOf }
}
