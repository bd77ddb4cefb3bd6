/** Transactions and queries: one session a tab, what was saved by name, and what was run since the window opened. */

import { defineStore } from 'pinia'
import { shallowReactive, shallowRef, watch, type ShallowRef } from 'vue'
import { z } from 'zod'
import { pageStateApi } from '../api/page-state-api.ts'
import { QuerySession, type SessionState } from './query-session.ts'
import { useTabStore } from './tabs.ts'

/** A transaction or a range that was saved by name. */
export interface SavedQuery {
  readonly name: string
  readonly kind: 'txn' | 'range'
  readonly text: string
}

/** One run of this window. */
export interface QueryRun {
  readonly id: number
  readonly atMs: number
  readonly connectionId: string
  readonly kind: 'txn' | 'range'
  readonly text: string
  /** First keys that it named. */
  readonly subject: string
  readonly result: 'then' | 'else' | 'read' | 'failed'
  readonly revision?: number
}

const savedStateName = 'queries.saved'
const savedMax = 100
/** Below what the main process takes for one state of the page. */
const savedTextUnitsMax = 240_000
const runsMax = 50

const savedSchema = z.object({
  schemaVersion: z.literal(1),
  queries: z
    .array(
      z.object({
        name: z.string().min(1).max(200),
        kind: z.enum(['txn', 'range']),
        text: z.string(),
      }),
    )
    .max(savedMax),
})

export const useQueryStore = defineStore('queries', () => {
  const tabs = useTabStore()
  const sessions = shallowReactive(new Map<string, QuerySession>())
  const shelf = useShelf()
  const runs = shallowRef<readonly QueryRun[]>([])
  /** Sessions of the last start, until their tabs are shown. */
  const waiting = new Map<string, SessionState>()
  let lastRunId = 0

  /** The session of a tab; made at the first call. */
  function sessionOf(tabId: string, connectionId: string): QuerySession {
    const known = sessions.get(tabId)
    if (known?.connectionId === connectionId) return known
    const session = new QuerySession(connectionId)
    const state = waiting.get(tabId)
    if (state !== undefined) session.restore(state)
    waiting.delete(tabId)
    sessions.set(tabId, session)
    return session
  }

  /** What a tab holds, to be kept for the next start. */
  function stateOf(tabId: string): SessionState | undefined {
    return sessions.get(tabId)?.state() ?? waiting.get(tabId)
  }

  /** Goes on with what a tab held, once it is shown. */
  function restore(tabId: string, state: SessionState): void {
    waiting.set(tabId, state)
  }

  /** Notes a run; the oldest go. */
  function note(run: Omit<QueryRun, 'id' | 'atMs'>): void {
    const noted = { ...run, id: ++lastRunId, atMs: Date.now() }
    runs.value = [noted, ...runs.value].slice(0, runsMax)
  }

  watch(
    () => tabs.tabs,
    (open) => {
      for (const tabId of [...sessions.keys()]) {
        const session = open.some((tab) => tab.id === tabId) ? undefined : sessions.get(tabId)
        if (session === undefined) continue
        // The tab may be opened again.
        waiting.set(tabId, session.state())
        sessions.delete(tabId)
      }
    },
  )

  return {
    ...{ sessions, runs, ...shelf },
    ...{ sessionOf, stateOf, restore, note },
  }
})

/** What is saved by name. */
function useShelf(): {
  readonly saved: ShallowRef<readonly SavedQuery[]>
  readonly savedError: ShallowRef<unknown>
  readonly load: () => Promise<void>
  readonly save: (query: SavedQuery) => Promise<boolean>
  readonly remove: (name: string) => Promise<void>
} {
  const saved = shallowRef<readonly SavedQuery[]>([])
  /** Why what was saved could not be read or kept. */
  const savedError = shallowRef<unknown>()
  let loading: Promise<void> | undefined

  /** Reads what was saved, once. */
  function load(): Promise<void> {
    loading ??= readSaved()
    return loading
  }

  async function readSaved(): Promise<void> {
    try {
      const text = await pageStateApi.load(savedStateName)
      if (text !== null) saved.value = savedSchema.parse(JSON.parse(text)).queries
      savedError.value = undefined
    } catch (failure) {
      savedError.value = failure
    }
  }

  /** Saves under a name; one of the same name is replaced. Answers whether there was room for it. */
  async function save(query: SavedQuery): Promise<boolean> {
    const others = saved.value.filter((one) => one.name !== query.name)
    return keep([...others, query].sort((left, right) => left.name.localeCompare(right.name)))
  }

  /** Forgets what was saved under a name. */
  async function remove(name: string): Promise<void> {
    await keep(saved.value.filter((one) => one.name !== name))
  }

  async function keep(queries: readonly SavedQuery[]): Promise<boolean> {
    const text = JSON.stringify({ schemaVersion: 1, queries })
    if (queries.length > savedMax || text.length > savedTextUnitsMax) return false
    try {
      await pageStateApi.save(savedStateName, text)
      saved.value = queries
      savedError.value = undefined
      return true
    } catch (failure) {
      savedError.value = failure
      return false
    }
  }

  return { saved, savedError, load, save, remove }
}
