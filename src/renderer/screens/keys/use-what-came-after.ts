/** What became of the rows in sight after the revision that is read. */

import { computed, onScopeDispose, shallowRef, watch } from 'vue'
import type { ComputedRef } from 'vue'
import type { KeyRow } from '../../../preload/contract/key-columns.ts'
import type { KeyBrowser } from '../../stores/key-browser.ts'
import { AfterLookup } from '../../stores/travel-after.ts'

/** Answers for the rows in sight, and a way to ask for those. Without an older revision there is nothing to answer. */
export function useWhatCameAfter(browser: () => KeyBrowser): {
  readonly after: ComputedRef<AfterLookup | undefined>
  readonly want: (first: number, last: number) => void
} {
  const lookup = shallowRef(new AfterLookup(browser().connectionId))
  const after = computed(() => (browser().atRevision.value === 0 ? undefined : lookup.value))

  watch(browser, () => {
    lookup.value.dispose()
    lookup.value = new AfterLookup(browser().connectionId)
  })
  onScopeDispose(() => {
    lookup.value.dispose()
  })

  function want(first: number, last: number): void {
    if (after.value === undefined) return
    const rows: KeyRow[] = []
    for (let at = first; at <= last; at++) {
      const row = browser().rowAt(at)
      if (row !== undefined) rows.push(row)
    }
    const { revision, isInKeyOrder } = browser()
    after.value.want(rows, { revision: revision.value, areNeighbours: isInKeyOrder })
  }

  return { after, want }
}
