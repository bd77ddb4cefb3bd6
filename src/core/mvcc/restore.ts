/** What the store must know when it starts; none of it depends on the number of keys but the blocks of the count index. */

import { assert } from '../base/assert.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { Backend, BackendBatch } from '../backend/backend.ts'
import { metaKeys } from '../backend/buckets.ts'
import { ByteArena } from './byte-arena.ts'
import { CountIndex } from './count-index.ts'
import { KnownCounts } from './known-counts.ts'
import type { OperationCounts } from './operation-counts.ts'
import { PairRuns } from './pair-runs.ts'
import { mainOfRevisionKey } from './revision.ts'
import type { StoreState } from './store-state.ts'

/** Revision of a store that nobody wrote to yet; the first write is the next one. */
export const firstRevision = 1
/** So that no revision is below it. */
const neverCompacted = -1

/** What the records look like: see `key-index.ts`, `key-record.ts` and `count-index.ts`. */
const layoutVersion = 2

/**
 * Reads the state back.
 *
 * The current revision is the largest of the last record, the compacted and the scheduled revision: where the last
 * change was a delete and a compaction has removed even its tombstone, the records alone would let the revision fall
 * back, and the next write would take a number that was given before.
 */
export function restoreState(
  backend: Backend,
  { operations, runSizeBytesMax }: { operations: OperationCounts; runSizeBytesMax: number },
): StoreState {
  checkLayout(backend)
  const finishedRevision = findMarker(backend, metaKeys.finishedCompactRevision)
  const scheduledRevision = findMarker(backend, metaKeys.scheduledCompactRevision)
  const compactedRevision = Math.max(finishedRevision, scheduledRevision)
  const newestRevision = Math.max(firstRevision, lastRecordRevision(backend), compactedRevision)
  const arena = new ByteArena()
  return {
    backend,
    counts: CountIndex.load(backend, arena),
    knownCounts: new KnownCounts(),
    operations,
    runs: new PairRuns(runSizeBytesMax, operations.runs),
    arena,
    publishedRevision: newestRevision,
    newestRevision,
    compactedRevision,
    finishedRevision,
    compactionCursor: undefined,
  }
}

/** @throws StorageFault when the records are laid out in another way */
function checkLayout(backend: Backend): void {
  const marker = backend.get('meta', metaKeys.layoutVersion)
  if (marker?.[0] === layoutVersion) return
  if (marker !== undefined || lastRecordRevision(backend) !== 0) {
    throw new StorageFault('the database has a layout that this version does not know', {
      path: 'key',
    })
  }
}

/** Marks the store with the version of its layout; goes into the batch of the first change. */
export function markLayout(batch: BackendBatch): void {
  batch.put('meta', metaKeys.layoutVersion, Uint8Array.of(layoutVersion))
}

function lastRecordRevision(backend: Backend): number {
  for (const record of backend.scan('key', { isReverse: true })) {
    return mainOfRevisionKey(record.key)
  }
  return 0
}

function findMarker(backend: Backend, key: Uint8Array): number {
  const marker = backend.get('meta', key)
  if (marker === undefined) return neverCompacted
  const revision = mainOfRevisionKey(marker)
  assert(Number.isSafeInteger(revision), 'a compaction marker holds a revision')
  return revision
}
