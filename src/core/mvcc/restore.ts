/** What the store must know when it starts; none of it depends on the number of keys but the blocks of the count index. */

import { assert } from '../base/assert.ts'
import type { Backend } from '../backend/backend.ts'
import { metaKeys } from '../backend/buckets.ts'
import { ByteArena } from './byte-arena.ts'
import { CountIndex } from './count-index.ts'
import { mainOfRevisionKey } from './revision.ts'
import type { StoreState } from './store-state.ts'

/** Revision of a store that nobody wrote to yet; the first write is the next one. */
const firstRevision = 1
/** So that no revision is below it. */
const neverCompacted = -1

/**
 * Reads the state back.
 *
 * The current revision is the largest of the last record, the compacted and the scheduled revision: where the last
 * change was a delete and a compaction has removed even its tombstone, the records alone would let the revision fall
 * back, and the next write would take a number that was given before.
 */
export function restoreState(backend: Backend): StoreState {
  const finishedRevision = findMarker(backend, metaKeys.finishedCompactRevision)
  const scheduledRevision = findMarker(backend, metaKeys.scheduledCompactRevision)
  const compactedRevision = Math.max(finishedRevision, scheduledRevision)
  const newestRevision = Math.max(firstRevision, lastRecordRevision(backend), compactedRevision)
  const arena = new ByteArena()
  return {
    backend,
    counts: CountIndex.load(backend, arena),
    arena,
    publishedRevision: newestRevision,
    newestRevision,
    compactedRevision,
    finishedRevision,
    compactionCursor: undefined,
  }
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
