/** Reading a tab as of an older revision: opening such tabs, and going from one revision to another. */

import { defineStore } from 'pinia'
import { keyText } from '../format/bytes-text.ts'
import { useKeyStore } from './keys.ts'
import { useTabStore } from './tabs.ts'

export const useTravelStore = defineStore('travel', () => {
  const tabs = useTabStore()
  const keys = useKeyStore()

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

  /** Reads everything in a tab as of a revision; 0: the head. A tab with unsaved text stays where it is. */
  function setRevision(tabId: string, revision: number): void {
    if (keys.details.get(tabId)?.isDirty.value === true) return
    if (revision !== 0) keys.details.get(tabId)?.discard()
    keys.setRevision(tabId, revision)
  }

  return { openAt, revisionOf, setRevision }
})
