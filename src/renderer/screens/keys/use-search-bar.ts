import { nextTick, ref, type Ref } from 'vue'
import type { KeyBrowser } from '../../stores/key-browser.ts'
import type { KeySearch } from '../../stores/key-search.ts'

interface SearchBarParts {
  readonly browser: () => KeyBrowser | undefined
  /** Shows every key of the cluster instead. */
  readonly openAll: (connectionId: string) => KeyBrowser
  readonly searchBar: Readonly<Ref<{ focus(): void } | null>>
  readonly list: Readonly<Ref<{ focus(): void } | null>>
}

/** The bar of the search above a list of keys: whether it is shown, and where the focus goes with it. */
export function useSearchBar({ browser, openAll, searchBar, list }: SearchBarParts): {
  readonly isSearching: Ref<boolean>
  readonly find: () => void
  /** The search goes on among all keys. */
  readonly searchAll: (search?: KeySearch) => Promise<void>
  /** Ends a search or a sort that looks at every key. */
  readonly cancelScan: () => void
  readonly endSearch: () => void
} {
  const isSearching = ref(false)

  function find(): void {
    if (isSearching.value) searchBar.value?.focus()
    isSearching.value = true
  }

  /** The button goes with the list that it stood in; the focus it had goes to the text. */
  async function searchAll(search?: KeySearch): Promise<void> {
    const connectionId = browser()?.connectionId
    if (connectionId === undefined) return
    const wide = openAll(connectionId)
    isSearching.value = true
    void nextTick(() => searchBar.value?.focus())
    await wide.whenRead()
    if (browser() === wide) wide.search(search)
  }

  /** The button goes with the scan that it ends; the focus it had goes to the text, or to the rows. */
  function cancelScan(): void {
    browser()?.cancelScan()
    if (isSearching.value) searchBar.value?.focus()
    else list.value?.focus()
  }

  function endSearch(): void {
    isSearching.value = false
    void nextTick(() => list.value?.focus())
  }

  return { isSearching, find, searchAll, cancelScan, endSearch }
}
