/**
 * What became of the rows in sight after the revision that is shown.
 *
 * Two questions, both bounded. The first compares the rows with the head: which are unchanged, deleted, or how many
 * versions newer. The second finds the first change behind the revision by a watch that begins there, and ends as soon as
 * every row that changed has one; where a busy range would make it long it is given up, and the row shows only how it ended.
 */

import { shallowRef } from 'vue'
import type { KeyRow } from '../../preload/contract/key-columns.ts'
import { keyRowAt } from '../../preload/contract/key-columns.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import type { WatchItem } from '../../preload/contract/watch.ts'
import { kvApi } from '../api/kv-api.ts'
import { streamApi } from '../api/stream-api.ts'
import { keyText } from '../format/bytes-text.ts'
import { compareKeys, successor } from './key-order.ts'

const restMs = 80
const changesMax = 5_000
const rowsMax = 200

/** What came after: nothing, or the first change if known, how many there were if known, and how it ended. */
export type AfterState =
  | { readonly kind: 'same' }
  | {
      readonly kind: 'changed'
      /** The first change; 0 while it is not known. */
      readonly revision: number
      readonly isDeletion: boolean
      /** Changes behind the first one as far as versions tell; 0 for a key that was deleted since. */
      readonly moreCount: number
      readonly end: 'exists' | 'deleted' | 'recreated'
    }

/** Answers for the rows in sight of one list. */
export class AfterLookup {
  readonly states = shallowRef<ReadonlyMap<string, AfterState>>(new Map())
  private readonly connectionId: string
  private revision = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private watch: Subscription | undefined
  private generation = 0

  constructor(connectionId: string) {
    this.connectionId = connectionId
  }

  /** Asks about rows that stand next to each other, as of a revision; replaces what was asked before. */
  want(rows: readonly KeyRow[], revision: number): void {
    if (revision !== this.revision) {
      this.revision = revision
      this.states.value = new Map()
    }
    const { value } = this.states
    const missing = rows.filter((row) => !value.has(keyText(row.key)))
    clearTimeout(this.timer)
    if (missing.length === 0 || revision === 0) return
    this.timer = setTimeout(() => void this.look(missing.slice(0, rowsMax)), restMs)
  }

  dispose(): void {
    this.generation++
    clearTimeout(this.timer)
    this.watch?.close()
  }

  private async look(rows: readonly KeyRow[]): Promise<void> {
    const generation = ++this.generation
    this.watch?.close()
    const [first] = rows
    const last = rows.at(-1)
    if (first === undefined || last === undefined) return
    const range = { kind: 'interval', start: first.key, end: successor(last.key) } as const
    const { connectionId, revision } = this
    try {
      const limit = rowsMax * 2
      const page = await kvApi.range({ connectionId, range, limit, revision: 0, valueBytesMax: 0 })
      if (generation !== this.generation) return
      const heads = new Map<string, KeyRow>()
      for (let at = 0; at < page.columns.rowCount; at++) {
        const row = keyRowAt(page.columns, at)
        heads.set(keyText(row.key), row)
      }
      // Keys that are new since may fill the page; what lies behind it is not known.
      const lastAt = page.columns.rowCount - 1
      const edge = page.hasMore && lastAt >= 0 ? keyRowAt(page.columns, lastAt).key : undefined
      const states = new Map(this.states.value)
      for (const row of rows) {
        const name = keyText(row.key)
        if (edge === undefined || compareKeys(row.key, edge) <= 0)
          states.set(name, stateOf(row, heads.get(name)))
      }
      this.states.value = states
      this.findFirst(range, revision + 1)
    } catch {
      // What came after is an extra: without it the rows still show what they were.
    }
  }

  private findFirst(range: Parameters<typeof streamApi.watch>[0]['range'], from: number): void {
    const open = new Set<string>()
    for (const [name, state] of this.states.value)
      if (state.kind === 'changed' && state.revision === 0) open.add(name)
    if (open.size === 0) return
    let seenCount = 0
    const watch = streamApi.watch(
      {
        ...{ connectionId: this.connectionId, range, startRevision: from, hasPrevious: false },
        ...{ isWithoutPuts: false, isWithoutDeletes: false, valueBytesMax: 0 },
      },
      {
        onBatch: (items) => {
          seenCount += items.length
          this.takeChanges(items, open)
          if (open.size === 0 || seenCount > changesMax) watch.close()
        },
      },
    )
    this.watch = watch
  }

  private takeChanges(items: readonly WatchItem[], open: Set<string>): void {
    const states = new Map(this.states.value)
    let hasChanged = false
    for (const item of items) {
      if (item.kind !== 'change') continue
      const name = keyText(item.change.key)
      const state = states.get(name)
      if (!open.delete(name) || state?.kind !== 'changed') continue
      const { revision, kind } = item.change
      states.set(name, { ...state, revision, isDeletion: kind === 'delete' })
      hasChanged = true
    }
    if (hasChanged) this.states.value = states
  }
}

/** What the head alone tells of a row. Exported for its tests. */
export function stateOf(row: KeyRow, head: KeyRow | undefined): AfterState {
  if (head === undefined)
    return { kind: 'changed', revision: 0, isDeletion: true, moreCount: 0, end: 'deleted' }
  if (head.modRevision === row.modRevision) return { kind: 'same' }
  if (head.createRevision !== row.createRevision)
    return { kind: 'changed', revision: 0, isDeletion: true, moreCount: 0, end: 'recreated' }
  const moreCount = head.version - row.version - 1
  // The only change since is the one that the head shows.
  const revision = moreCount === 0 ? head.modRevision : 0
  return { kind: 'changed', revision, isDeletion: false, moreCount, end: 'exists' }
}
