/**
 * Removing history that nobody may ask for any more, in bounded steps that survive a crash.
 *
 * A compaction at C keeps, of each key, the newest version not after C and everything later; of tombstones only those
 * exactly at C, so that a watcher starting there still sees the delete (etcd #18089, #19179).
 *
 * Each change in (last compaction, C] makes the versions before it in its key superfluous, and these are all that can be
 * superfluous. So a step looks at the next changes of that stretch of the `key` bucket, and removes what came before them;
 * the cost follows what was written since the last compaction and not the size of the store. Tombstones are removed when
 * the walk meets them, also the ones that lie exactly at the last compaction's revision and were kept for watchers.
 *
 * Two markers make it resumable: `scheduledCompactRev` is written with the request, `finishedCompactRev` with the last
 * removals. After a crash between the two, the walk begins again at the last finished one; what is gone is not met again.
 */

import { assert } from '../base/assert.ts'
import { concatBytes } from '../base/bytes.ts'
import { StoreError } from '../errors/store-error.ts'
import type { BackendBatch, BackendRecord } from '../backend/backend.ts'
import { metaKeys } from '../backend/buckets.ts'
import { findHead, removeHead } from './index-store.ts'
import { removeFromHistory, versionsBefore } from './key-index.ts'
import {
  compareRevisions,
  encodeRevisionKey,
  isTombstoneKey,
  mainOfRevisionKey,
  subOfRevisionKey,
  type Revision,
} from './revision.ts'
import type { StoreState } from './store-state.ts'
import { keyOfEncoded } from './stored-key-value.ts'

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
  state.compactedRevision = revision
  batch.put('meta', metaKeys.scheduledCompactRevision, encodeRevisionKey(revision, 0))
  // A compaction that is running goes on to the new end: what it removed so far is superfluous for this one too.
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
  const records: BackendRecord[] = []
  for (const record of batch.scan('key', { start, end })) {
    records.push(record)
    if (records.length === revisionCountMax) break
  }
  for (const record of records) removeSuperfluous(state, batch, record)
  const last = records.at(-1)
  if (last !== undefined && records.length === revisionCountMax) {
    state.compactionCursor = concatBytes([last.key, Uint8Array.of(0)])
    return 'more'
  }
  batch.put('meta', metaKeys.finishedCompactRevision, encodeRevisionKey(target, 0))
  state.finishedRevision = target
  state.compactionCursor = undefined
  return 'done'
}

function removeSuperfluous(state: StoreState, batch: BackendBatch, record: BackendRecord): void {
  const revision: Revision = {
    main: mainOfRevisionKey(record.key),
    sub: subOfRevisionKey(record.key),
  }
  const key = keyOfEncoded(record.value)
  const head = findHead(batch, key)
  assert(head !== undefined, 'a key with a record has a head')
  const indexed = { key, head }
  for (const version of versionsBefore(batch, indexed, revision)) {
    batch.remove('key', encodeRevisionKey(version.main, version.sub, version.isTombstone))
    removeFromHistory(batch, indexed, version)
  }
  if (!isTombstoneKey(record.key) || revision.main >= state.compactedRevision) return
  batch.remove('key', record.key)
  if (compareRevisions(head, revision) === 0) {
    removeHead(batch, key)
    state.counts.noteHead(batch, key, { alive: 0, heads: -1 })
  } else removeFromHistory(batch, indexed, revision)
}
