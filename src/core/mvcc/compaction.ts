/**
 * Removing history that nobody may ask for any more, in bounded steps that survive a crash.
 *
 * A compaction at C keeps, of each key, the newest version not after C and everything later; of tombstones only those
 * exactly at C, so that a watcher starting there still sees the delete (etcd #18089, #19179).
 *
 * Each change in (last compaction, C] makes the version before it in its key superfluous, and these are all that can be
 * superfluous. So a step looks at the next changes of that stretch of the `key` bucket, and removes what each names as its
 * previous version; the cost follows what was written since the last compaction and not the size of the store. Tombstones are removed when
 * the walk meets them, also the ones that lie exactly at the last compaction's revision and were kept for watchers.
 *
 * Two markers make it resumable: `scheduledCompactRev` is written with the request, `finishedCompactRev` with the last
 * removals. After a crash between the two, the walk begins again at the last finished one; what is gone is not met again.
 */

import { failpoint } from '../base/failpoints.ts'
import { assert } from '../base/assert.ts'
import { compareBytes, concatBytes, copyBytes } from '../base/bytes.ts'
import { StoreError } from '../errors/store-error.ts'
import type { BackendBatch, RawRecord } from '../backend/backend.ts'
import { metaKeys } from '../backend/buckets.ts'
import { findHead, removeHead } from './index-store.ts'
import { ancestryOfRecord, keyOfRecord } from './key-record.ts'
import {
  compareRevisions,
  encodeRevisionKey,
  isTombstoneKey,
  mainOfRevisionKey,
  subOfRevisionKey,
  type KeyVersion,
} from './revision.ts'
import type { StoreState } from './store-state.ts'

/**
 * Makes history up to the revision unreadable from now on, and writes the marker that the removal starts from.
 *
 * @throws StoreError `compacted` when that was done already, `futureRevision`
 */
export function scheduleCompaction(state: StoreState, batch: BackendBatch, revision: number): void {
  if (revision <= state.compactedRevision) {
    throw new StoreError('compacted', { requested: revision, compacted: state.compactedRevision })
  }
  if (revision > state.newestRevision) {
    throw new StoreError('futureRevision', { requested: revision, current: state.newestRevision })
  }
  // A compaction that is running goes on to the new end: what it removed so far is superfluous for this one too. Only the
  // tombstones at its own end, which it may have passed, must be met again.
  const passed = encodeRevisionKey(Math.max(state.compactedRevision, 0), 0)
  const { compactionCursor } = state
  if (compactionCursor !== undefined && compareBytes(compactionCursor, passed) > 0) {
    state.compactionCursor = passed
  }
  state.compactedRevision = revision
  failpoint('compactBeforeCommitScheduledCompact')
  batch.put('meta', metaKeys.scheduledCompactRevision, encodeRevisionKey(revision, 0))
  failpoint('compactAfterCommitScheduledCompact')
}

/** Whether something scheduled is not finished. */
export function hasCompactionWork(state: StoreState): boolean {
  return state.finishedRevision < state.compactedRevision
}

/** Looks at the next changes, at most `revisionCountMax`, and removes what they made superfluous. */
export function runCompactionStep(
  state: StoreState,
  batch: BackendBatch,
  revisionCountMax: number,
): 'done' | 'more' {
  assert(hasCompactionWork(state), 'a step is taken only while a compaction is running')
  const target = state.compactedRevision
  const start = state.compactionCursor ?? encodeRevisionKey(Math.max(state.finishedRevision, 0), 0)
  const end = encodeRevisionKey(target + 1, 0)
  const records: SeenRecord[] = []
  batch.visit('key', { start, end }, (raw) => {
    records.push(seenRecordOf(raw))
    return records.length < revisionCountMax
  })
  for (const record of records) removeSuperfluous(state, batch, record)
  failpoint('compactBeforeCommitBatch')
  state.counts.flush(batch)
  const last = records.at(-1)
  if (last !== undefined && records.length === revisionCountMax) {
    state.compactionCursor = concatBytes([last.recordKey, Uint8Array.of(0)])
    return 'more'
  }
  failpoint('compactBeforeSetFinishedCompact')
  batch.put('meta', metaKeys.finishedCompactRevision, encodeRevisionKey(target, 0))
  failpoint('compactAfterSetFinishedCompact')
  state.finishedRevision = target
  state.compactionCursor = undefined
  return 'done'
}

/** What is remembered of a record. Nothing is removed while records are walked. */
interface SeenRecord {
  readonly recordKey: Uint8Array
  readonly previous: KeyVersion | undefined
  /** Of tombstones only. */
  readonly deletedKey: Uint8Array | undefined
}

function seenRecordOf(raw: RawRecord): SeenRecord {
  const recordKey = raw.copyKey()
  const value = raw.valueBytes.subarray(raw.valueStart, raw.valueStart + raw.valueSizeBytes)
  return {
    recordKey,
    previous: ancestryOfRecord(value).previous,
    deletedKey: isTombstoneKey(recordKey) ? copyBytes(keyOfRecord(value)) : undefined,
  }
}

function removeSuperfluous(state: StoreState, batch: BackendBatch, record: SeenRecord): void {
  const { recordKey, previous, deletedKey } = record
  if (previous !== undefined) {
    batch.remove('key', encodeRevisionKey(previous.main, previous.sub, previous.isTombstone))
  }
  const revision = { main: mainOfRevisionKey(recordKey), sub: subOfRevisionKey(recordKey) }
  if (deletedKey === undefined || revision.main >= state.compactedRevision) return
  batch.remove('key', recordKey)
  const head = findHead(batch, deletedKey)
  assert(head !== undefined, 'a key with a tombstone has a head')
  if (compareRevisions(head, revision) !== 0) return
  removeHead(batch, deletedKey)
  state.counts.noteHead(batch, deletedKey, { alive: 0, heads: -1 })
}
