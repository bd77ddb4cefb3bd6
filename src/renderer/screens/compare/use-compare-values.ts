/** The values of the open difference on both sides, read at the revisions that were compared. */

import { shallowRef, watch, type ShallowRef } from 'vue'
import { readBothValues, type BothValues } from '../../stores/compare-values.ts'
import type { Comparison } from '../../stores/comparison.ts'

export interface CompareValues {
  readonly status: ShallowRef<'none' | 'loading' | 'ready' | 'failed'>
  readonly values: ShallowRef<BothValues | undefined>
  readonly error: ShallowRef<unknown>
  readonly load: () => Promise<void>
}

export function useCompareValues(comparison: () => Comparison): CompareValues {
  const status = shallowRef<'none' | 'loading' | 'ready' | 'failed'>('none')
  const values = shallowRef<BothValues>()
  const error = shallowRef<unknown>()
  let newest = 0

  async function load(): Promise<void> {
    newest++
    const mine = newest
    const { run, openRow, readValues } = comparison()
    const open = openRow.value
    const row = open === undefined ? undefined : comparison().findRow(open)
    if (open === undefined || row === undefined || run.value === undefined) {
      status.value = 'none'
      values.value = undefined
      return
    }
    // Both sides are pinned: what was read of a row stays true for as long as the run is shown.
    if (readValues.value?.row === open) {
      values.value = readValues.value.both
      status.value = 'ready'
      return
    }
    status.value = 'loading'
    try {
      const both = await readBothValues(run.value, row)
      if (mine !== newest) return
      readValues.value = { row: open, both }
      values.value = both
      status.value = 'ready'
    } catch (failure) {
      if (mine !== newest) return
      values.value = undefined
      error.value = failure
      status.value = 'failed'
    }
  }

  watch(
    () => [comparison(), comparison().openRow.value],
    () => void load(),
    { immediate: true },
  )

  return { status, values, error, load }
}
