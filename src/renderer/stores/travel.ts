/** Reading a tab as of an older revision: opening such tabs, and going from one revision to another. */

import { defineStore } from 'pinia'
import { shallowReactive, watch } from 'vue'
import type { KeyRange } from '../../preload/contract/kv.ts'
import { keyText } from '../format/bytes-text.ts'
import { useKeyStore } from './keys.ts'
import { subjectOf } from './key-subject.ts'
import { Comparison } from './comparison.ts'
import { useSeparatorStore } from './separators.ts'
import { useTabStore } from './tabs.ts'
import { RevisionActivity } from './travel-activity.ts'

export const useTravelStore = defineStore('travel', () => {
  const tabs = useTabStore()
  const keys = useKeyStore()
  /** Tabs whose timeline is open although they show the head. */
  const opened = shallowReactive(new Set<string>())
  /** Tabs that show what changed since their revision. */
  const withChanges = shallowReactive(new Set<string>())
  const activities = useActivities()
  const comparisons = useComparisons()

  /** Opens a tab of keys that reads as of a revision, under a prefix or all of them; answers its id. */
  function openAt(place: {
    readonly connectionId: string
    readonly revision: number
    readonly prefix?: Uint8Array
  }): string {
    const { connectionId, revision, prefix } = place
    const subject = prefix === undefined ? '' : keyText(prefix)
    return tabs.open('keys', { connectionId, subject, revision }).id
  }

  /** The revision that a tab reads as of; 0: the head. */
  function revisionOf(tabId: string): number {
    return keys.revisionOf(tabId)
  }

  /**
   * Reads everything in a tab as of a revision; 0: the head. A tab with unsaved text stays where it is.
   *
   * @returns  whether it went there
   */
  function setRevision(tabId: string, revision: number): boolean {
    const detail = keys.details.get(tabId)
    if (revision !== 0 && detail?.isDirty.value === true) return false
    if (revision !== 0) detail?.discard()
    // A timeline that was in use stays when the tab is back at the head.
    opened.add(tabId)
    keys.setRevision(tabId, revision)
    return true
  }

  function isOpen(tabId: string): boolean {
    return opened.has(tabId) || revisionOf(tabId) !== 0
  }

  /** Opens or closes the timeline of a tab that shows the head. */
  function setOpen(tabId: string, isWanted: boolean): void {
    if (isWanted) opened.add(tabId)
    else {
      opened.delete(tabId)
      activities.end(tabId)
    }
  }

  function hasChanges(tabId: string): boolean {
    return withChanges.has(tabId)
  }

  function setChanges(tabId: string, isWanted: boolean): void {
    if (isWanted) withChanges.add(tabId)
    else {
      withChanges.delete(tabId)
      comparisons.end(tabId)
    }
  }

  watch(
    () => tabs.tabs,
    (open) => {
      for (const tabId of new Set([...activities.tabIds(), ...opened, ...withChanges])) {
        if (open.some((tab) => tab.id === tabId)) continue
        opened.delete(tabId)
        withChanges.delete(tabId)
        comparisons.end(tabId)
        activities.end(tabId)
      }
    },
  )

  return {
    ...{ openAt, revisionOf, setRevision, isOpen, setOpen },
    ...{ hasChanges, setChanges },
    ...{ activityOf: activities.of, comparisonOf: comparisons.of },
  }
})

/** How busy the past of each tab's range was. */
function useActivities() {
  const activities = new Map<string, RevisionActivity>()

  /** How busy the past of a tab's range was; begun at the first call, and anew for another range. */
  function of(tabId: string, connectionId: string, range: KeyRange): RevisionActivity {
    const known = activities.get(tabId)
    const isSame =
      known?.connectionId === connectionId && subjectOf(known.range) === subjectOf(range)
    if (known !== undefined && isSame) return known
    known?.close()
    const activity = new RevisionActivity(connectionId, range)
    activities.set(tabId, activity)
    return activity
  }

  function end(tabId: string): void {
    activities.get(tabId)?.close()
    activities.delete(tabId)
  }

  return { of, end, tabIds: () => activities.keys() }
}

/** What changed in each tab's range since its revision. */
function useComparisons() {
  const tabs = useTabStore()
  const separators = useSeparatorStore()
  const comparisons = new Map<string, Comparison>()

  /** What changed in a tab's range between its revision and the head; not begun yet. */
  function of(tabId: string): Comparison {
    const known = comparisons.get(tabId)
    if (known !== undefined) return known
    const tab = tabs.tabs.find(({ id }) => id === tabId)
    const comparison = new Comparison(separators.separatorOf(tab?.connectionId))
    comparisons.set(tabId, comparison)
    return comparison
  }

  function end(tabId: string): void {
    comparisons.get(tabId)?.dispose()
    comparisons.delete(tabId)
  }

  return { of, end }
}
