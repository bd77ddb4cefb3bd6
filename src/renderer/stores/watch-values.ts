/** Whole values of an event: the ring keeps their beginnings, the rest is read as of the revision. */

import { kvApi } from '../api/kv-api.ts'
import { failureLine } from './failure-text.ts'
import type { EventRow } from './watch-log.ts'

/** A value before and after; absent where there was none. */
export interface EventValues {
  readonly before: Uint8Array | undefined
  readonly after: Uint8Array | undefined
  /** Only the beginning is known, for this reason. */
  readonly isCut: boolean
  readonly reason?: string
}

/** The values of a row; what can no longer be read is left as its beginning, and that is said. */
export async function loadEventValues(connectionId: string, row: EventRow): Promise<EventValues> {
  // Copies, for the ring may use the bytes' place again.
  const before = row.hasPrevious ? row.previousValue.slice() : undefined
  const after = row.createRevision === 0 ? undefined : row.value.slice()
  const isBeforeCut = before !== undefined && before.length < row.previousSizeBytes
  const isAfterCut = after !== undefined && after.length < row.sizeBytes
  if (!isBeforeCut && !isAfterCut) return { before, after, isCut: false }
  const key = row.key.slice()
  try {
    return {
      before: isBeforeCut ? await read(connectionId, key, row.previousRevision) : before,
      after: isAfterCut ? await read(connectionId, key, row.revision) : after,
      isCut: false,
    }
  } catch (failure) {
    return { before, after, isCut: true, reason: failureLine(failure) }
  }
}

async function read(
  connectionId: string,
  key: Uint8Array,
  revision: number,
): Promise<Uint8Array | undefined> {
  const { pair } = await kvApi.get({ connectionId, key, revision })
  return pair?.value
}
