/** Comparisons, one a tab. They go on while other views are shown. */

import { defineStore } from 'pinia'
import { shallowReactive, watch } from 'vue'
import type { CompareSideChoice } from './compare-side.ts'
import { Comparison } from './comparison.ts'
import { useConnectionStore } from './connections.ts'
import { useKeyStore } from './keys.ts'
import { useSettingsStore } from './settings.ts'
import { subjectOf } from './key-subject.ts'
import { useTabStore } from './tabs.ts'

/** What a comparison is opened for. What is left out is as the active tab shows it. */
export interface CompareIntent {
  readonly left: CompareSideChoice
  readonly right: CompareSideChoice
  /** Compares at once, instead of waiting for the user. */
  readonly isImmediate?: boolean
}

export const useCompareStore = defineStore('compare', () => {
  const tabs = useTabStore()
  const connections = useConnectionStore()
  const settings = useSettingsStore()
  const keys = useKeyStore()
  const comparisons = shallowReactive(new Map<string, Comparison>())

  /** The comparison of a tab; made at the first call, with the tab's prefix on both sides. */
  function comparisonOf(tabId: string): Comparison {
    const known = comparisons.get(tabId)
    if (known !== undefined) return known
    const comparison = new Comparison(settings.settings.keySeparator)
    const tab = tabs.tabs.find((one) => one.id === tabId)
    const connectionId = tab?.connectionId ?? connections.activeId
    if (connectionId !== undefined) {
      const side = { connectionId, subject: tab?.subject ?? '', revision: 0 }
      comparison.sides.value = { left: side, right: side }
    }
    comparisons.set(tabId, comparison)
    return comparison
  }

  /** Opens a comparison in a tab of its own. */
  function open(intent: CompareIntent): Comparison {
    const { left, right } = intent
    const { connectionId, subject } = right
    const tab = tabs.open('compare', { connectionId, subject, isNew: true })
    const comparison = comparisonOf(tab.id)
    comparison.sides.value = { left, right }
    if (intent.isImmediate === true) comparison.start()
    return comparison
  }

  /** Opens a comparison of what the active tab shows: its prefix at a revision to be chosen, and at the head. */
  function openHere(): void {
    const connectionId = connections.activeId
    if (connectionId === undefined) return
    const browser = tabs.activeId === undefined ? undefined : keys.browsers.get(tabs.activeId)
    const isOwn = browser?.connectionId === connectionId
    const side = { connectionId, subject: isOwn ? subjectOf(browser.range) : '', revision: 0 }
    open({ left: side, right: side })
  }

  watch(
    () => tabs.tabs,
    (shown) => {
      for (const [tabId, comparison] of comparisons) {
        if (shown.some((tab) => tab.id === tabId)) continue
        comparison.dispose()
        comparisons.delete(tabId)
      }
    },
  )
  watch(
    () => settings.settings.keySeparator,
    (separator) => {
      for (const comparison of comparisons.values()) comparison.setSeparator(separator)
    },
  )

  return { comparisons, comparisonOf, open, openHere }
})
