/** Key browsers and opened keys, one of each per tab. */

import { defineStore } from 'pinia'
import { computed, shallowReactive, shallowRef, watch } from 'vue'
import { keyText, parseKeyText } from '../format/bytes-text.ts'
import type { KeyRange } from '../../preload/contract/kv.ts'
import type { KeyRow } from '../../preload/contract/key-columns.ts'
import { KeyBrowser } from './key-browser.ts'
import { KeyDetail } from './key-detail.ts'
import { includesBytes } from './key-order.ts'
import { rangeOfSubject, subjectOf } from './key-subject.ts'
import { useSettingsStore } from './settings.ts'
import type { ListOrder } from './sorted-rows.ts'
import { useTabStore } from './tabs.ts'

/** Where a tab of keys is. */
export interface KeyPlace {
  readonly openedKey: string | undefined
  readonly topKey: string | undefined
  /** What the list is sorted by, where it is not by key. */
  readonly order?: KeptOrder | undefined
}

/** Sorting by size looks at every key there is, which nobody asked for at a start. */
type KeptOrder = ListOrder & { readonly by: Exclude<ListOrder['by'], 'size'> }

export const useKeyStore = defineStore('keys', () => {
  const tabs = useTabStore()
  const settings = useSettingsStore()
  const browsers = shallowReactive(new Map<string, KeyBrowser>())
  const { details, waiting, openKey, replaceKey, closeKey } = useOpenedKeys(revisionOf)
  const activeDetail = computed(() =>
    tabs.activeId === undefined ? undefined : details.get(tabs.activeId),
  )
  const { placeOf, remember, takePlace } = usePlaces(browsers, details)

  /** The browser of a tab; made, and its list read, at the first call. */
  function browserOf(tabId: string, connectionId: string): KeyBrowser {
    const known = browsers.get(tabId)
    if (known?.connectionId === connectionId) return known
    const subject = tabs.tabs.find((tab) => tab.id === tabId)?.subject ?? ''
    const browser = openRange(tabId, connectionId, rangeOfSubject(subject))
    const place = takePlace(tabId)
    if (place?.openedKey !== undefined) openKey(tabId, connectionId, parseKeyText(place.openedKey))
    if (place?.order !== undefined) void sortOnceRead(browser, place.order)
    if (place?.topKey !== undefined) void browser.scrollToKey(parseKeyText(place.topKey))
    return browser
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

  /** Ends what a closed tab held. One that may be opened again shows the same place then. */
  function release(tabId: string): void {
    if (tabs.state().closed.some((tab) => tab.id === tabId)) remember(tabId, placeOf(tabId))
    browsers.get(tabId)?.dispose()
    browsers.delete(tabId)
    closeKey(tabId)
  }

  followTabs({
    openIds: () => [...browsers.keys(), ...details.keys()],
    release,
    showAgain: (tabId, subject) => {
      const known = browsers.get(tabId)
      if (known !== undefined) openRange(tabId, known.connectionId, rangeOfSubject(subject))
    },
  })

  return {
    ...{ browsers, details, waiting, activeDetail },
    ...{ browserOf, openRange, placeOf, remember, revisionOf, setRevision },
    ...{ openKey, replaceKey, closeKey, goToKey, searchSeen },
  }
})

/** What closed tabs held ends; back and forward show a range again that a tab showed before. */
function followTabs(acts: {
  readonly openIds: () => readonly string[]
  readonly release: (tabId: string) => void
  readonly showAgain: (tabId: string, subject: string) => void
}): void {
  const tabs = useTabStore()
  watch(
    () => tabs.tabs,
    (open) => {
      for (const tabId of new Set(acts.openIds())) {
        if (!open.some((tab) => tab.id === tabId)) acts.release(tabId)
      }
    },
  )
  watch(
    () => tabs.revisit,
    (visit) => {
      if (visit !== undefined) acts.showAgain(visit.tabId, visit.subject)
    },
  )
}

/** The key that is open in each tab. */
function useOpenedKeys(revisionOf: (tabId: string) => number) {
  const details = shallowReactive(new Map<string, KeyDetail>())
  /** A key that would take the place of one with unsaved text. */
  const waiting = shallowRef<{ tabId: string; connectionId: string; key: Uint8Array }>()

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

  return { details, waiting, openKey, replaceKey, closeKey }
}

/** Where each tab is, and where tabs of the last start were. */
function usePlaces(
  browsers: ReadonlyMap<string, KeyBrowser>,
  details: ReadonlyMap<string, KeyDetail>,
) {
  const settings = useSettingsStore()
  /** What tabs of the last start showed, until they are shown again. */
  const remembered = new Map<string, KeyPlace>()

  /** The key that is open in a tab, and the first one in sight of its list, both as text. */
  function placeOf(tabId: string): KeyPlace {
    const waitingPlace = remembered.get(tabId)
    if (waitingPlace !== undefined) return waitingPlace
    const browser = browsers.get(tabId)
    const detail = details.get(tabId)
    const top = browser?.rowAt(
      Math.round(browser.scrollTop / rowHeightPx(settings.settings.density)),
    )
    return {
      openedKey: detail === undefined ? undefined : keyText(detail.key),
      topKey:
        top === undefined || browser?.scrollTop === 0 || browser?.order.value.by !== 'key'
          ? undefined
          : keyText(top.key),
      order: orderToKeep(browser?.order.value),
    }
  }

  /** Shows a place again once its tab is shown. */
  function remember(tabId: string, place: KeyPlace): void {
    const { openedKey, topKey, order } = place
    if ((openedKey ?? topKey ?? order) !== undefined) remembered.set(tabId, place)
  }

  /** Where a tab was at the last start, once. */
  function takePlace(tabId: string): KeyPlace | undefined {
    const place = remembered.get(tabId)
    remembered.delete(tabId)
    return place
  }

  return { placeOf, remember, takePlace }
}

async function sortOnceRead(browser: KeyBrowser, order: ListOrder): Promise<void> {
  await browser.whenRead()
  await browser.sort(order)
}

function orderToKeep(order: ListOrder | undefined): KeptOrder | undefined {
  if (order === undefined) return undefined
  const { by, isDescending } = order
  return by === 'size' || (by === 'key' && !isDescending) ? undefined : { by, isDescending }
}

/** Height of a row in pixels, as the density has it. */
function rowHeightPx(density: 'comfortable' | 'compact'): number {
  return density === 'compact' ? 24 : 28
}

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
