/** Folders that a typed prefix may go on with, as its cluster has them. */

import { onScopeDispose, shallowRef, type ShallowRef } from 'vue'
import { prefixesBelow } from '../stores/prefix-completion.ts'
import type { CompareSideChoice } from '../stores/compare-side.ts'
import { useSeparatorStore } from '../stores/separators.ts'

/** The cluster is asked when typing rests. */
const restMs = 150

export function usePrefixCompletion(): {
  readonly suggestions: ShallowRef<readonly string[]>
  readonly complete: (choice: CompareSideChoice) => void
} {
  const separators = useSeparatorStore()
  const suggestions = shallowRef<readonly string[]>([])
  let timer: ReturnType<typeof setTimeout> | undefined
  let newest = 0

  function complete(choice: CompareSideChoice): void {
    clearTimeout(timer)
    timer = setTimeout(() => void ask(choice), restMs)
  }

  async function ask(choice: CompareSideChoice): Promise<void> {
    newest++
    const mine = newest
    const found = await prefixesBelow(choice, separators.separatorOf(choice.connectionId))
    if (mine === newest) suggestions.value = found
  }

  onScopeDispose(() => {
    clearTimeout(timer)
    newest++
  })

  return { suggestions, complete }
}
