import { computed, onScopeDispose, shallowRef, watch, type ComputedRef, type ShallowRef } from 'vue'
import type { ConnectionInfo } from '../../../preload/contract/connection.ts'
import type { BinEntry, BinPane } from '../../stores/bin-pane.ts'
import { useBinStore } from '../../stores/bins.ts'
import { useConnectionStore } from '../../stores/connections.ts'
import { useTabStore } from '../../stores/tabs.ts'

/** What a tab of deleted keys shows. */
export interface BinTab {
  readonly pane: ComputedRef<BinPane | undefined>
  /** The prefix; empty: all keys. */
  readonly subject: ComputedRef<string>
  readonly connection: ComputedRef<ConnectionInfo | undefined>
  readonly opened: Readonly<ShallowRef<BinEntry | undefined>>
  readonly open: (entry: BinEntry | undefined) => void
}

/** The bin of a tab and the key that is opened in it. The bin of a tab that is closed ends; of one that is only left it goes on. */
export function useBinTab(tabId: () => string): BinTab {
  const tabs = useTabStore()
  const bins = useBinStore()
  const connections = useConnectionStore()
  const openedText = shallowRef<string>()
  const opened = shallowRef<BinEntry>()

  const tab = computed(() => tabs.tabs.find((one) => one.id === tabId()))
  const subject = computed(() => tab.value?.subject ?? '')
  const connection = computed(() => connections.findConnection(tab.value?.connectionId))
  const pane = computed(() =>
    tab.value?.connectionId === undefined
      ? undefined
      : bins.paneOf(tabId(), tab.value.connectionId, subject.value),
  )

  function open(entry: BinEntry | undefined): void {
    openedText.value = entry?.text
    if (entry === undefined) opened.value = undefined
  }

  // The opened key stays open when it comes back, until another one is opened: what was read is still true.
  watch(
    () => [openedText.value, pane.value?.rows.value],
    () => {
      const text = openedText.value
      const entry = text === undefined ? undefined : pane.value?.findEntry(text)
      if (entry !== undefined && entry !== opened.value) opened.value = entry
    },
  )
  watch(pane, () => {
    open(undefined)
  })

  function forgetClosed(): void {
    if (tab.value === undefined) bins.forget(tabId())
  }
  watch(tab, forgetClosed)
  onScopeDispose(forgetClosed)
  return { pane, subject, connection, opened, open }
}
