/** The last writes of each tab, so that they can be taken back where nobody wrote since. */

import { defineStore } from 'pinia'
import { watch } from 'vue'
import type { KeyValue, TxnReply, TxnRequest } from '../../preload/contract/kv.ts'
import type { PlanReport } from '../../preload/contract/plan.ts'
import { kvApi } from '../api/kv-api.ts'
import { isLeaseGone } from './failure-text.ts'
import { usePlanStore } from './plans.ts'
import { useTabStore } from './tabs.ts'

/** One key that was written. */
export interface WrittenKey {
  readonly key: Uint8Array
  /** Its mod revision since; 0: it was deleted. */
  readonly revision: number
  /** The key before; absent: there was none. */
  readonly before?: KeyValue
}

/** One transaction that can be taken back, whatever number of keys it wrote. */
export interface Write {
  readonly kind: 'keys'
  readonly connectionId: string
  readonly keys: readonly WrittenKey[]
}

type Entry =
  Write | { readonly kind: 'plan'; readonly report: PlanReport; readonly subject: string }

/** What became of an undo: `doneWithoutLease`: the lease that a key had is gone; `plan`: its own dialog goes on. */
export type UndoOutcome = 'nothing' | 'done' | 'doneWithoutLease' | 'changed' | 'plan'

/** Writes that are kept for each tab. */
const entriesMax = 50

export const useUndoStore = defineStore('undoWrites', () => {
  const plans = usePlanStore()
  const tabs = useTabStore()
  const entries = new Map<string, Entry[]>()

  function push(tabId: string, entry: Entry): void {
    const list = entries.get(tabId) ?? []
    list.push(entry)
    entries.set(tabId, list.slice(-entriesMax))
  }

  /** Remembers a write of a tab: one transaction, whatever number of keys. */
  function note(tabId: string, connectionId: string, keys: readonly WrittenKey[]): Write {
    const write = { kind: 'keys', connectionId, keys } as const
    push(tabId, write)
    return write
  }

  async function undo(tabId: string, entry: Entry): Promise<UndoOutcome> {
    entries.set(
      tabId,
      (entries.get(tabId) ?? []).filter((one) => one !== entry),
    )
    if (entry.kind === 'plan') {
      plans.undo(entry.report, entry.subject)
      return 'plan'
    }
    try {
      return await takeBack(entry.connectionId, entry.keys)
    } catch (failure) {
      push(tabId, entry)
      throw failure
    }
  }

  /** Takes back the last write of a tab. Throws `CallError`; the write is then still remembered. */
  async function undoLast(tabId: string): Promise<UndoOutcome> {
    const entry = entries.get(tabId)?.at(-1)
    return entry === undefined ? 'nothing' : undo(tabId, entry)
  }

  /** Takes back one write of a tab. Throws `CallError`; the write is then still remembered. */
  function undoWrite(tabId: string, write: Write): Promise<UndoOutcome> {
    return undo(tabId, write)
  }

  watch(
    () => plans.reported,
    (reported) => {
      const report = reported?.session.report.value
      if (report === undefined || reported === undefined || tabs.activeId === undefined) return
      if (report.sourceKind === 'undo' || report.undoableCount === 0) return
      push(tabs.activeId, { kind: 'plan', report, subject: reported.session.intent.subject })
    },
  )

  return { note, undoLast, undoWrite }
})

/**
 * Puts keys back as they were, all or none, if they still are as this app left them. Where the lease that one of them had is
 * gone, they come back without leases. Throws `CallError`.
 */
export async function takeBack(
  connectionId: string,
  keys: readonly WrittenKey[],
): Promise<'done' | 'doneWithoutLease' | 'changed'> {
  try {
    const { hasSucceeded } = await putBack(connectionId, keys)
    return hasSucceeded ? 'done' : 'changed'
  } catch (failure) {
    if (!isLeaseGone(failure)) throw failure
    const { hasSucceeded } = await putBack(connectionId, keys.map(withoutLease))
    return hasSucceeded ? 'doneWithoutLease' : 'changed'
  }
}

function withoutLease(one: WrittenKey): WrittenKey {
  return one.before === undefined ? one : { ...one, before: { ...one.before, lease: 0n } }
}

function putBack(connectionId: string, keys: readonly WrittenKey[]): Promise<TxnReply> {
  const thenOperations = keys.map((one): TxnRequest['thenOperations'][number] => {
    const { key, before } = one
    if (before === undefined) return { kind: 'delete', range: { kind: 'key', key } }
    const { value, lease } = before
    return { kind: 'put', key, value, ...(lease === 0n ? {} : { lease }) }
  })
  return kvApi.txn({
    connectionId,
    compares: keys.map(({ key, revision }) => ({
      key,
      relation: 'equal',
      operand: { kind: 'modRevision', modRevision: revision },
    })),
    thenOperations,
    elseOperations: [],
  })
}

/** Gives a key another name in one transaction: it keeps value and lease. Throws `CallError`. */
export function renameKey(
  connectionId: string,
  pair: KeyValue,
  name: Uint8Array,
): Promise<TxnReply> {
  const { key, value, lease, modRevision } = pair
  return kvApi.txn({
    connectionId,
    compares: [
      { key, relation: 'equal', operand: { kind: 'modRevision', modRevision } },
      { key: name, relation: 'equal', operand: { kind: 'modRevision', modRevision: 0 } },
    ],
    thenOperations: [
      { kind: 'put', key: name, value, ...(lease === 0n ? {} : { lease }) },
      { kind: 'delete', range: { kind: 'key', key } },
    ],
    elseOperations: [
      { kind: 'range', range: { kind: 'key', key: name }, limit: 1, isCountOnly: true },
    ],
  })
}
