/**
 * The past of one opened key, followed for as long as it is open: its changes, two of them marked for comparison, and values
 * of any of them, which are read when they are looked at.
 */

import { computed, shallowRef, triggerRef } from 'vue'
import type { BridgeError, Subscription } from '../../preload/contract/reply.ts'
import type { HistoryItem } from '../../preload/contract/history.ts'
import { historyColumnsOf } from '../../preload/contract/history-columns.ts'
import type { HistoryRow } from '../../preload/contract/history-columns.ts'
import { kvApi } from '../api/kv-api.ts'
import { streamApi } from '../api/stream-api.ts'
import { KeyPast } from './key-past.ts'

/** The list of revisions shows one line of each value. */
const headBytesMax = 120
/** Values kept for stepping to and fro. */
const cacheBytesMax = 16 * 1024 * 1024
const cacheEntriesMax = 64

/** Two revisions marked for comparison, the older one first; 0: not marked. */
export interface HistoryMarks {
  readonly a: number
  readonly b: number
}

/** The past of one key of one connection. */
export class KeyHistory {
  readonly status = shallowRef<'idle' | 'loading' | 'ready' | 'failed'>('idle')
  readonly error = shallowRef<unknown>()
  /** Why only the newest life of the key could be read. */
  readonly refusal = shallowRef<BridgeError>()
  /** Up to where changes went away while the history was open; 0: none did. */
  readonly movedTo = shallowRef(0)
  readonly marks = shallowRef<HistoryMarks>({ a: 0, b: 0 })
  readonly generations = computed(() => {
    return this.past.generations()
  })
  readonly compactedRevision = computed(() => {
    return this.past.compactedRevision
  })
  readonly readableCount = computed(() => {
    return this.past.readableCount
  })
  /** Its content changes in place; whoever read it is told. */
  private readonly pastRef = shallowRef(new KeyPast())
  private readonly connectionId: string
  private readonly key: Uint8Array
  private stream: Subscription | undefined
  private readonly values = new Map<number, Uint8Array>()
  private valuesSizeBytes = 0

  constructor(connectionId: string, key: Uint8Array) {
    this.connectionId = connectionId
    this.key = key
  }

  /** The changes that are known. Reading them in a computed value makes it follow them. */
  get past(): KeyPast {
    return this.pastRef.value
  }

  /** Begins to read, or reads again what may have been missed. What is known stays. */
  open(): void {
    this.stream?.close()
    this.status.value = 'loading'
    this.error.value = undefined
    const { connectionId, key } = this
    this.stream = streamApi.history(
      { connectionId, key, headBytesMax },
      {
        onBatch: (items) => {
          this.take(items)
        },
        onEnd: (error) => {
          if (error === undefined) return
          this.status.value = 'failed'
          this.error.value = error
        },
      },
    )
  }

  /** Ends the reading; what is known stays. */
  close(): void {
    this.stream?.close()
    this.stream = undefined
  }

  /** Takes changes that a watch delivered, in rising order. */
  addLive(rows: readonly HistoryRow[]): void {
    if (rows.length === 0) return
    this.past.add(historyColumnsOf(rows))
    triggerRef(this.pastRef)
  }

  /** Ends the history at a revision, as the tab reads it; 0: it goes on to the head. */
  endAt(revision: number): void {
    this.past.endAt(revision)
    this.keepMarks()
    triggerRef(this.pastRef)
  }

  /** Marks a revision as one of the two to compare. A is the older one: an A that is newer than B begins a new pair. */
  mark(which: 'a' | 'b', revision: number): void {
    const { a, b } = this.marks.value
    if (which === 'a') this.marks.value = { a: revision, b: revision < b ? b : 0 }
    else if (revision === a) this.marks.value = { a: 0, b: revision }
    else if (revision < a) this.markPair(a, revision)
    else this.marks.value = { a, b: revision }
  }

  /** Marks two revisions at once. */
  markPair(one: number, other: number): void {
    this.marks.value = { a: Math.min(one, other), b: Math.max(one, other) }
  }

  clearMarks(): void {
    this.marks.value = { a: 0, b: 0 }
  }

  /**
   * The value that a change left behind; undefined after a deletion.
   *
   * @throws CallError  `compacted` when it went away meanwhile, and as the call behind it
   */
  async valueAt(revision: number): Promise<Uint8Array | undefined> {
    const place = this.past.placeOf(revision)
    const row = place === -1 ? undefined : this.past.rowAt(place)
    if (row?.kind === 'delete') return undefined
    if (row !== undefined && row.head.length === row.valueSizeBytes) return row.head
    const known = this.values.get(revision)
    if (known !== undefined) return known
    const { connectionId, key } = this
    const { pair } = await kvApi.get({
      ...{ connectionId, key },
      revision: this.readRevisionOf(revision),
    })
    if (pair !== undefined) this.keep(revision, pair.value)
    return pair?.value
  }

  /** Where a change is read: what is older than the compacted revision is readable as of that one. */
  readRevisionOf(revision: number): number {
    return Math.max(revision, this.past.compactedRevision)
  }

  private take(items: readonly HistoryItem[]): void {
    for (const item of items) {
      switch (item.kind) {
        case 'changes':
          this.past.add(item.columns)
          break
        case 'compacted':
          this.takeCompacted(item.revision)
          break
        case 'finished':
          this.status.value = 'ready'
          this.refusal.value = item.refusal
          break
      }
    }
    triggerRef(this.pastRef)
  }

  private takeCompacted(revision: number): void {
    const isMoved = this.status.value === 'ready' && revision > this.past.compactedRevision
    this.past.compact(revision)
    if (isMoved) this.movedTo.value = revision
    this.keepMarks()
  }

  /** A mark goes with its change. */
  private keepMarks(): void {
    const { a, b } = this.marks.value
    const kept = (marked: number): number => (this.past.placeOf(marked) === -1 ? 0 : marked)
    this.marks.value = { a: kept(a), b: kept(b) }
  }

  private keep(revision: number, value: Uint8Array): void {
    this.values.set(revision, value)
    this.valuesSizeBytes += value.length
    for (const [oldest, dropped] of this.values) {
      if (this.valuesSizeBytes <= cacheBytesMax && this.values.size <= cacheEntriesMax) return
      this.values.delete(oldest)
      this.valuesSizeBytes -= dropped.length
    }
  }
}
