/** Changes read back from the store, for watchers that were not there when they happened. */

import { StoreError } from '../errors/store-error.ts'
import type { BackendReader } from '../backend/backend.ts'
import type { Change, RevisionChanges } from './change.ts'
import { encodedOfRecord } from './key-record.ts'
import {
  encodeRevisionKey,
  isTombstoneKey,
  mainOfRevisionKey,
  subOfRevisionKey,
} from './revision.ts'
import { deletedKeyValue, keyOfEncoded, storedKeyValueOf } from './stored-key-value.ts'

/** Which part of history: revisions in `[from, to)`, the first `revisionCountMax` that hold something. */
export interface HistoryRange {
  readonly from: number
  readonly to: number
  readonly revisionCountMax: number
  /** No further revision is begun once so much was read. At least one is read, whatever its size. */
  readonly sizeBytesMax?: number
}

/**
 * Reads whole revisions in order. The record of a delete holds its key only; its revision is that of the record's key.
 *
 * @throws StoreError `compacted` when history from `from` on is not whole any more
 */
export function readChanges(
  reader: BackendReader,
  compactedRevision: number,
  { from, to, revisionCountMax, sizeBytesMax = Number.POSITIVE_INFINITY }: HistoryRange,
): RevisionChanges[] {
  if (from < compactedRevision) {
    throw new StoreError('compacted', { requested: from, compacted: compactedRevision })
  }
  let sizeBytes = 0
  const revisions: { readonly revision: number; readonly changes: Change[] }[] = []
  const bounds = {
    start: encodeRevisionKey(Math.max(from, 0), 0),
    end: encodeRevisionKey(Math.max(to, 0), 0),
  }
  for (const record of reader.scan('key', bounds)) {
    const revision = mainOfRevisionKey(record.key)
    let latest = revisions.at(-1)
    if (latest?.revision !== revision) {
      if (revisions.length === revisionCountMax || sizeBytes >= sizeBytesMax) break
      latest = { revision, changes: [] }
      revisions.push(latest)
    }
    sizeBytes += record.value.length
    latest.changes.push(changeOf(record.key, encodedOfRecord(record.value), revision))
  }
  return revisions
}

function changeOf(recordKey: Uint8Array, encoded: Uint8Array, revision: number): Change {
  const sub = subOfRevisionKey(recordKey)
  if (!isTombstoneKey(recordKey)) return { kind: 'put', keyValue: storedKeyValueOf(encoded), sub }
  return { kind: 'delete', keyValue: deletedKeyValue(keyOfEncoded(encoded), revision), sub }
}
