/** The bins of deleted keys, one a tab, and what is shown of the chosen entry. */

import { defineStore } from 'pinia'
import type { RevisionChangesReply } from '../../preload/contract/bin.ts'
import { binApi } from '../api/plan-api.ts'
import { kvApi } from '../api/kv-api.ts'
import { BinPane, type BinEntry } from './bin-pane.ts'
import { rangeOfSubject } from './key-subject.ts'
import { useSeparatorStore } from './separators.ts'

/** Changes of a transaction that are listed; a delete of a prefix may be a million. */
const changesShownMax = 500

export const useBinStore = defineStore('bins', () => {
  const separators = useSeparatorStore()
  const panes = new Map<string, BinPane>()

  /** The bin of a tab; another prefix or connection makes it anew. */
  function paneOf(tabId: string, connectionId: string, subject: string): BinPane {
    const known = panes.get(tabId)
    const range = rangeOfSubject(subject)
    if (known?.connectionId === connectionId && isSameRange(known, subject)) return known
    known?.close()
    const pane = new BinPane(connectionId, range, () => separators.separatorOf(connectionId))
    panes.set(tabId, pane)
    subjects.set(pane, subject)
    return pane
  }

  const subjects = new WeakMap<BinPane, string>()
  const isSameRange = (pane: BinPane, subject: string): boolean => subjects.get(pane) === subject

  /** Ends the bin of a tab that was closed. */
  function forget(tabId: string): void {
    panes.get(tabId)?.close()
    panes.delete(tabId)
  }

  /** The value that a key had when it was deleted; undefined when it cannot be told. */
  async function lastValueOf(
    connectionId: string,
    { key, deletedRevision }: BinEntry,
  ): Promise<Uint8Array | undefined> {
    const reply = await kvApi.get({ connectionId, key, revision: deletedRevision - 1 })
    return reply.pair?.value
  }

  /** Everything that the revision of a deletion changed. */
  function changesOf(connectionId: string, revision: number): Promise<RevisionChangesReply> {
    return binApi.changes({ connectionId, revision, limit: changesShownMax })
  }

  return { paneOf, forget, lastValueOf, changesOf }
})
