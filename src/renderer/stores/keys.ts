/** Key browsers and opened keys, one of each per tab. */

import { defineStore } from 'pinia'
import { computed, shallowReactive, shallowRef, watch } from 'vue'
import { keyText, parseKeyText } from '../format/bytes-text.ts'
import { KeyBrowser } from './key-browser.ts'
import { KeyDetail } from './key-detail.ts'
import type { KeyTable } from './key-table.ts'
import { useTabStore } from './tabs.ts'

export const useKeyStore = defineStore('keys', () => {
  const tabs = useTabStore()
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
    return openPrefix(tabId, connectionId, parseKeyText(subject))
  }

  /** Shows another prefix in a tab. */
  function openPrefix(tabId: string, connectionId: string, prefix: Uint8Array): KeyBrowser {
    browsers.get(tabId)?.dispose()
    const browser = new KeyBrowser(connectionId, prefix)
    browsers.set(tabId, browser)
    tabs.describe(tabId, { subject: keyText(prefix) })
    void browser.load()
    return browser
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
    const detail = new KeyDetail(connectionId, key)
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

  /** Keys that this window has loaded of a connection: the longest list. */
  function findSeen(connectionId: string): KeyTable | undefined {
    const tables = [...browsers.values()]
      .filter((browser) => browser.connectionId === connectionId)
      .map((browser) => browser.table.value)
    return tables.sort((left, right) => right.length - left.length)[0]
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
    ...{ browserOf, openPrefix, openKey, replaceKey, closeKey, goToKey, findSeen },
  }
})
