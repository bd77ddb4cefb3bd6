import { assert } from '../base/assert.ts'
import { emptyBytes } from '../base/bytes.ts'
import { noLease, type LeaseId } from '../base/ids.ts'
import type { BackendBatch } from '../backend/backend.ts'
import type { Change, RevisionChanges } from './change.ts'
import { findHead, putHead, scanHeads } from './index-store.ts'
import { decodeHead, isDeletedHead, succeed, type KeyHead } from './key-index.ts'
import { getKeyRecord, putKeyRecord } from './key-record.ts'
import { boundsOf, isEmptyRange, type KeyRange } from './key-range.ts'
import {
  keyOnlyPair,
  readRangeAt,
  type ReadRangeOptions,
  type ReadRangeResult,
} from './read-view.ts'
import type { ReadContext } from './read-context.ts'
import { firstRevision, markLayout } from './restore.ts'
import type { Revision } from './revision.ts'
import type { StoreState } from './store-state.ts'
import { deletedKeyValue, type StoredKeyValue } from './stored-key-value.ts'

/** What a put did. */
export interface PutOutcome {
  /** The pair that was replaced; read from the store when asked for, so ask within the same turn. */
  readonly previous: StoredKeyValue | undefined
  readonly current: StoredKeyValue
}

/**
 * The changes of one applied request. All share one revision, the next one, and are numbered in order; reads inside see
 * them. If there are none, the revision stays as it is.
 *
 * What can fail is checked before the first change: there is no way back from the middle.
 */
export class WriteView {
  private readonly state: StoreState
  private readonly batch: BackendBatch
  private readonly beginRevision: number
  private readonly changes: Change[] = []
  private operationCount = 0
  private isOpen = true

  constructor(state: StoreState, batch: BackendBatch) {
    this.state = state
    this.batch = batch
    this.beginRevision = state.newestRevision
  }

  /** What a read inside sees now: the old revision until something has changed, the new one from there on. */
  get revision(): number {
    return this.changes.length === 0 ? this.beginRevision : this.beginRevision + 1
  }

  /** As `MvccStore.readRange`, with the changes made so far. @throws StoreError as there */
  readRange(range: KeyRange, options: ReadRangeOptions): ReadRangeResult {
    this.operationCount++
    this.state.operations.rangeCount++
    const context: ReadContext = {
      reader: this.batch,
      counts: this.state.counts,
      currentRevision: this.revision,
      compactedRevision: this.state.compactedRevision,
    }
    return readRangeAt(context, range, options)
  }

  /** Writes a key; makes a revision even if nothing differs. */
  put(key: Uint8Array, value: Uint8Array, lease: LeaseId): PutOutcome {
    const revision = this.nextRevision()
    const { operations } = this.state
    this.state.runs.forget(key)
    this.operationCount++
    operations.putCount++
    operations.putSizeBytes += key.length + value.length
    const previous = this.state.counts.isSurelyNew(key) ? undefined : findHead(this.batch, key)
    const isAlive = previous?.isTombstone === false
    const created = isAlive ? previous.created : revision.main
    const version = isAlive ? previous.version + 1 : 1
    const { main, sub } = revision
    const { batch, state } = this
    if (main === firstRevision + 1) markLayout(batch)
    const { rank, trail, ancestry } = succeed(previous, state.arena)
    const current = putKeyRecord(
      batch,
      { main, sub, isTombstone: false },
      {
        fields: { key, value, createRevision: created, modRevision: main, version, lease },
        ancestry,
        arena: state.arena,
      },
    )
    // The store's own copy of the key goes into the index, because the caller's is often a part of a large buffer.
    const ownKey = current.key
    const head = { main, sub, isTombstone: false, created, version, rank, trail }
    putHead(batch, { key: ownKey, head }, state.arena)
    if (!isAlive) {
      state.counts.noteHead(batch, ownKey, { alive: 1, heads: previous === undefined ? 1 : 0 })
    }
    this.changes.push({ kind: 'put', keyValue: current, sub })
    return new PutOutcomeInBatch(this.batch, current, isAlive ? previous : undefined)
  }

  /**
   * Deletes every key of the range, in key order.
   *
   * @param options `isKeysOnly`: the pairs returned have no values and leases and cost no reading
   * @returns the pairs as they were before
   */
  deleteRange(
    range: KeyRange,
    options: { readonly isKeysOnly?: boolean } = {},
  ): readonly StoredKeyValue[] {
    this.operationCount++
    this.state.operations.deleteCount++
    // Collected first: nothing may be written while the index is walked.
    const deleted = this.headsOf(range)
    const previous: StoredKeyValue[] = []
    for (const { key, head } of deleted) {
      previous.push(
        options.isKeysOnly === true ? keyOnlyPair(key, head) : getKeyRecord(this.batch, head),
      )
      this.putTombstone(key, head)
    }
    return previous
  }

  /** Ends the request. Undefined: nothing changed, and the revision stays. */
  end(): RevisionChanges | undefined {
    assert(this.isOpen, 'a write ends once')
    this.isOpen = false
    if (this.operationCount > 1) this.state.operations.txnCount++
    if (this.changes.length === 0) return undefined
    assert(this.state.newestRevision === this.beginRevision, 'writes follow one another')
    this.state.newestRevision = this.beginRevision + 1
    this.state.counts.flush(this.batch)
    return { revision: this.beginRevision + 1, changes: this.changes }
  }

  private nextRevision(): Revision {
    assert(this.isOpen, 'nothing is written after the end')
    return { main: this.beginRevision + 1, sub: this.changes.length }
  }

  private putTombstone(key: Uint8Array, previous: KeyHead): void {
    const { main, sub } = this.nextRevision()
    const { batch, state } = this
    state.runs.forget(key)
    const { rank, trail, ancestry } = succeed(previous, state.arena)
    const { key: ownKey } = putKeyRecord(
      batch,
      { main, sub, isTombstone: true },
      { fields: { ...tombstoneFields, key }, ancestry, arena: state.arena },
    )
    const head = { main, sub, isTombstone: true, created: 0, version: 0, rank, trail }
    putHead(batch, { key: ownKey, head }, state.arena)
    state.counts.noteHead(batch, ownKey, { alive: -1, heads: 0 })
    this.changes.push({ kind: 'delete', keyValue: deletedKeyValue(ownKey, main), sub })
  }

  private headsOf(range: KeyRange): { readonly key: Uint8Array; readonly head: KeyHead }[] {
    if (isEmptyRange(range)) return []
    if (range.end === undefined) {
      const head = findHead(this.batch, range.start)
      return head?.isTombstone === false ? [{ key: range.start, head }] : []
    }
    const found: { readonly key: Uint8Array; readonly head: KeyHead }[] = []
    for (const { key, encodedHead } of scanHeads(this.batch, boundsOf(range))) {
      if (!isDeletedHead(encodedHead)) found.push({ key, head: decodeHead(encodedHead) })
    }
    return found
  }
}

/** What the record of a delete holds beside the key: nothing. */
const tombstoneFields = {
  value: emptyBytes,
  createRevision: 0,
  modRevision: 0,
  version: 0,
  lease: noLease,
}

class PutOutcomeInBatch implements PutOutcome {
  readonly current: StoredKeyValue
  private readonly batch: BackendBatch
  private readonly previousHead: KeyHead | undefined

  constructor(batch: BackendBatch, current: StoredKeyValue, previousHead: KeyHead | undefined) {
    this.batch = batch
    this.current = current
    this.previousHead = previousHead
  }

  get previous(): StoredKeyValue | undefined {
    return this.previousHead === undefined ? undefined : getKeyRecord(this.batch, this.previousHead)
  }
}
