/**
 * What became of the rows in sight after the revision that is shown.
 *
 * Two questions, both bounded. The first compares the rows with the head: which are unchanged, deleted, or how many
 * versions newer. The second finds the first change behind the revision by a watch that begins there, and ends as soon as
 * every row that changed has one; where a busy range would make it long it is given up, and the row shows only how it ended.
 * Rows that do not follow one another (sorted, found) are compared one by one: what lies between them may be a million keys.
 */

import { shallowRef } from 'vue'
import type { KeyRow } from '../../preload/contract/key-columns.ts'
import { keyRowAt } from '../../preload/contract/key-columns.ts'
import type { KeyRange } from '../../preload/contract/kv.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import type { WatchItem } from '../../preload/contract/watch.ts'
import { kvApi } from '../api/kv-api.ts'
import { streamApi } from '../api/stream-api.ts'
import { passOverCall } from './failure-text.ts'
import { keyText } from '../format/bytes-text.ts'
import { compareKeys, successor } from './key-order.ts'

const restMs = 80
const changesMax = 5_000
const rowsMax = 200
const questionsAtOnceMax = 8

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

  /** Asks about rows as of a revision; replaces what was asked before. */
  want(
    rows: readonly KeyRow[],
    { revision, areNeighbours }: { readonly revision: number; readonly areNeighbours: boolean },
  ): void {
    if (revision !== this.revision) {
      this.revision = revision
      this.states.value = new Map()
    }
    const { value } = this.states
    const missing = rows.filter((row) => !value.has(keyText(row.key)))
    clearTimeout(this.timer)
    if (missing.length === 0 || revision === 0) return
    const asked = missing.slice(0, rowsMax).sort((left, right) => compareKeys(left.key, right.key))
    this.timer = setTimeout(() => void this.look(asked, areNeighbours), restMs)
  }

  dispose(): void {
    this.generation++
    clearTimeout(this.timer)
    this.watch?.close()
  }

  private async look(rows: readonly KeyRow[], areNeighbours: boolean): Promise<void> {
    const generation = ++this.generation
    this.watch?.close()
    const [first] = rows
    const last = rows.at(-1)
    if (first === undefined || last === undefined) return
    const range = { kind: 'interval', start: first.key, end: successor(last.key) } as const
    try {
      const unknown = areNeighbours ? await this.compareAll(rows, range, generation) : rows
      await this.compareEach(unknown, generation)
      if (generation === this.generation) this.findFirst(range, this.revision + 1)
    } catch (failure) {
      // What came after is an extra: without it the rows still show what they were.
      passOverCall(failure)
    }
  }

  /** Compares rows with the head by one question. Answers with those behind what one answer holds: keys that are new since may fill it. */
  private async compareAll(
    rows: readonly KeyRow[],
    range: KeyRange,
    generation: number,
  ): Promise<readonly KeyRow[]> {
    const { connectionId } = this
    const limit = rowsMax * 2
    const page = await kvApi.range({ connectionId, range, limit, revision: 0, valueBytesMax: 0 })
    const heads = new Map<string, KeyRow>()
    for (let at = 0; at < page.columns.rowCount; at++) {
      const row = keyRowAt(page.columns, at)
      heads.set(keyText(row.key), row)
    }
    const lastAt = page.columns.rowCount - 1
    const edge = page.hasMore && lastAt >= 0 ? keyRowAt(page.columns, lastAt).key : undefined
    const isKnown = (row: KeyRow): boolean => edge === undefined || compareKeys(row.key, edge) <= 0
    if (generation === this.generation) this.take(rows.filter(isKnown), heads)
    return rows.filter((row) => !isKnown(row))
  }

  /** Compares rows with the head one by one, some of them at a time. */
  private async compareEach(rows: readonly KeyRow[], generation: number): Promise<void> {
    const { connectionId } = this
    for (let at = 0; at < rows.length; at += questionsAtOnceMax) {
      if (generation !== this.generation) return
      const some = rows.slice(at, at + questionsAtOnceMax)
      const heads = new Map<string, KeyRow>()
      await Promise.all(
        some.map(async ({ key }) => {
          const request = { connectionId, limit: 1, revision: 0, valueBytesMax: 0 }
          const { columns } = await kvApi.range({ ...request, range: { kind: 'key', key } })
          if (columns.rowCount > 0) heads.set(keyText(key), keyRowAt(columns, 0))
        }),
      )
      if (generation === this.generation) this.take(some, heads)
    }
  }

  private take(rows: readonly KeyRow[], heads: ReadonlyMap<string, KeyRow>): void {
    const states = new Map(this.states.value)
    for (const row of rows) {
      const name = keyText(row.key)
      states.set(name, stateOf(row, heads.get(name)))
    }
    this.states.value = states
  }

  private findFirst(range: KeyRange, from: number): void {
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
