/** Key browsers and opened keys, one of each per tab. */

import { defineStore } from 'pinia'
import { computed, shallowReactive, shallowRef, watch } from 'vue'
import { keyText } from '../format/bytes-text.ts'
import type { KeyRange } from '../../preload/contract/kv.ts'
import type { KeyRow } from '../../preload/contract/key-columns.ts'
import { KeyBrowser } from './key-browser.ts'
import { KeyDetail } from './key-detail.ts'
import { includesBytes } from './key-order.ts'
import { rangeOfSubject, subjectOf } from './key-subject.ts'
import { useSettingsStore } from './settings.ts'
import { useTabStore } from './tabs.ts'

export const useKeyStore = defineStore('keys', () => {
  const tabs = useTabStore()
  const settings = useSettingsStore()
  const browsers = shallowReactive(new Map<string, KeyBrowser>())
  const details = shallowReactive(new Map<string, KeyDetail>())
  /** A key that would take the place of one with unsaved text. */
  const waiting = shallowRef<{ tabId: string; connectionId: string; key: Uint8Array }>()
  const activeDetail = computed(() =>
    tabs.activeId === undefined ? undefined : details.get(tabs.activeId),
  )

  /** The browser of a tab; made, and its list read, at the first call. */
  function browserOf(tabId: string, connectionId: string): KeyBrowser {
    const known = browsers.get(tabId)
    if (known?.connectionId === connectionId) return known
    const subject = tabs.tabs.find((tab) => tab.id === tabId)?.subject ?? ''
    return openRange(tabId, connectionId, rangeOfSubject(subject))
  }

  /** The revision that a tab reads as of; 0: the head. */
  function revisionOf(tabId: string): number {
    return tabs.tabs.find((tab) => tab.id === tabId)?.revision ?? 0
  }

  /** Shows another range in a tab, as of the tab's revision. */
  function openRange(tabId: string, connectionId: string, range: KeyRange): KeyBrowser {
    browsers.get(tabId)?.dispose()
    const { pageRows } = settings.settings
    const browser = new KeyBrowser({ connectionId, range, pageRows, revision: revisionOf(tabId) })
    browsers.set(tabId, browser)
    tabs.describe(tabId, { subject: subjectOf(range) })
    void browser.load()
    return browser
  }

  /** Reads everything in a tab as of another revision; 0: the head. */
  function setRevision(tabId: string, revision: number): void {
    tabs.describe(tabId, { revision })
    browsers.get(tabId)?.setRevision(revision)
    void details.get(tabId)?.readAsOf(revision)
  }

  /** Opens a key in a tab, in place of the one that is open there. Unsaved text is asked about first. */
  function openKey(tabId: string, connectionId: string, key: Uint8Array): void {
    const known = details.get(tabId)
    if (known !== undefined && keyText(known.key) === keyText(key)) return
    if (known?.isDirty.value === true) waiting.value = { tabId, connectionId, key }
    else replaceKey(tabId, connectionId, key)
  }

  function replaceKey(tabId: string, connectionId: string, key: Uint8Array): void {
    waiting.value = undefined
    details.get(tabId)?.dispose()
    const detail = new KeyDetail(connectionId, key, revisionOf(tabId))
    details.set(tabId, detail)
    void detail.load()
  }

  function closeKey(tabId: string): void {
    details.get(tabId)?.dispose()
    details.delete(tabId)
  }

  /** Shows a key from anywhere: in a key tab of its connection, under the folder that holds it. */
  function goToKey(connectionId: string, key: Uint8Array): void {
    const text = keyText(key)
    const folder = text.slice(0, text.lastIndexOf('/') + 1)
    const tab = tabs.open('keys', { connectionId, subject: folder })
    browserOf(tab.id, connectionId)
    openKey(tab.id, connectionId, key)
  }

  /** Rows that this window has loaded of a connection and whose keys hold some bytes. */
  function searchSeen(connectionId: string, needle: Uint8Array, countMax: number): KeyRow[] {
    const own = [...browsers.values()].filter((one) => one.connectionId === connectionId)
    return searchLoaded(own, needle, countMax)
  }

  /** Ends what a closed tab held. */
  function release(tabId: string): void {
    browsers.get(tabId)?.dispose()
    browsers.delete(tabId)
    closeKey(tabId)
  }

  watch(
    () => tabs.tabs,
    (open) => {
      for (const tabId of new Set([...browsers.keys(), ...details.keys()])) {
        if (!open.some((tab) => tab.id === tabId)) release(tabId)
      }
    },
  )

  return {
    ...{ browsers, details, waiting, activeDetail },
    ...{
      browserOf,
      openRange,
      revisionOf,
      setRevision,
      openKey,
      replaceKey,
      closeKey,
      goToKey,
      searchSeen,
    },
  }
})

function searchLoaded(
  browsers: readonly KeyBrowser[],
  needle: Uint8Array,
  countMax: number,
): KeyRow[] {
  const found = new Map<string, KeyRow>()
  for (const browser of browsers) {
    browser.eachLoaded((row) => {
      if (includesBytes(row.key, needle)) found.set(keyText(row.key), row)
      return found.size < countMax
    })
  }
  return [...found.values()]
}
