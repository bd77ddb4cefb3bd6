/** Comparisons, one a tab. They go on while other views are shown. */

import { defineStore } from 'pinia'
import { shallowReactive, watch } from 'vue'
import type { CompareSideChoice } from './compare-side.ts'
import { Comparison, type CompareOptions } from './comparison.ts'
import { useConnectionStore } from './connections.ts'
import { useKeyStore } from './keys.ts'
import { useSeparatorStore } from './separators.ts'
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

/** A comparison as it is kept for the next start. */
export interface CompareState {
  readonly left: CompareSideChoice
  readonly right: CompareSideChoice
  readonly options: CompareOptions
  /** Its differences were on the screen. */
  readonly hasRun: boolean
}

export const useCompareStore = defineStore('compare', () => {
  const tabs = useTabStore()
  const connections = useConnectionStore()
  const settings = useSettingsStore()
  const separators = useSeparatorStore()
  const findSideHere = useSideHere()
  const comparisons = shallowReactive(new Map<string, Comparison>())
  /** What tabs of the last start, and closed ones, compared, until they are shown again. */
  const remembered = new Map<string, CompareState>()

  /** The comparison of a tab; made at the first call, with the tab's prefix on both sides. */
  function comparisonOf(tabId: string): Comparison {
    const known = comparisons.get(tabId)
    if (known !== undefined) return known
    const kept = remembered.get(tabId)
    remembered.delete(tabId)
    const tab = tabs.tabs.find((one) => one.id === tabId)
    const connectionId = tab?.connectionId ?? connections.activeId
    const comparison = new Comparison(separators.separatorOf(connectionId))
    if (connectionId !== undefined) {
      const side = { connectionId, subject: tab?.subject ?? '', revision: 0 }
      comparison.sides.value = { left: side, right: side }
    }
    comparisons.set(tabId, comparison)
    if (kept !== undefined) resume(comparison, kept)
    return comparison
  }

  /** What a tab compares, to be kept for the next start. */
  function stateOf(tabId: string): CompareState | undefined {
    const comparison = comparisons.get(tabId)
    const sides = comparison?.sides.value
    if (comparison === undefined || sides === undefined) return remembered.get(tabId)
    const hasRun = comparison.status.value !== 'idle'
    return { ...sides, options: comparison.options.value, hasRun }
  }

  /** Goes on with what a tab compared, once it is shown. */
  function restore(tabId: string, state: CompareState): void {
    remembered.set(tabId, state)
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

  watch(
    () => tabs.tabs,
    (shown) => {
      for (const [tabId, comparison] of comparisons) {
        if (shown.some((tab) => tab.id === tabId)) continue
        const state = stateOf(tabId)
        comparison.dispose()
        comparisons.delete(tabId)
        // The tab may be opened again.
        if (state !== undefined) restore(tabId, state)
      }
    },
  )
  watch(
    () => [settings.settings.keySeparator, [...separators.chosen]],
    () => {
      for (const comparison of comparisons.values()) {
        const connectionId = comparison.sides.value?.right.connectionId
        comparison.setSeparator(separators.separatorOf(connectionId))
      }
    },
  )

  /** Opens a comparison of what the active tab shows: its prefix at a revision to be chosen, and at the head. */
  function openHere(): void {
    const side = findSideHere()
    if (side !== undefined) open({ left: side, right: side })
  }

  return { comparisons, comparisonOf, open, openHere, stateOf, restore }
})

/** Goes on with what was kept. In production nothing is read that nobody asked for. */
function resume(comparison: Comparison, { left, right, options, hasRun }: CompareState): void {
  const connections = useConnectionStore()
  const isProduction = [left, right].some(
    ({ connectionId }) => connections.findConnection(connectionId)?.environment === 'production',
  )
  comparison.sides.value = { left, right }
  comparison.setOptions(options)
  if (hasRun && !isProduction) comparison.start()
}

/** Finds what the active tab shows. */
function useSideHere(): () => CompareSideChoice | undefined {
  const tabs = useTabStore()
  const connections = useConnectionStore()
  const keys = useKeyStore()
  return () => {
    const connectionId = connections.activeId
    if (connectionId === undefined) return undefined
    const browser = tabs.activeId === undefined ? undefined : keys.browsers.get(tabs.activeId)
    const isOwn = browser?.connectionId === connectionId
    return { connectionId, subject: isOwn ? subjectOf(browser.range) : '', revision: 0 }
  }
}
