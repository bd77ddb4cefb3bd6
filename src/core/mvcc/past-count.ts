/**
 * How many keys of a range were alive at one revision.
 *
 * The problem: whoever looks at a large range of the past wants its count with every page, and again at each step of a way
 * through time. Walking the range costs as much as reading it.
 *
 * The plain idea: at some revision the count is known, the newest one at least, where the count index has it. Between two
 * revisions it changes only by what was written between them, and each record tells by itself what it did: a tombstone
 * ended a life, and a put without a living version before it began one. So neither the keys nor their heads are looked at.
 *
 *     revision    10      11      12      13                at 13 the index says 7
 *     record      put a   put b   del a   put b             so at 10 it was 7 - (1 - 1 + 0) = 7
 *                         new             again
 *
 * What is far from every known count, in writes, is walked: see {@link recordCountMaxOf}.
 */

import type { BackendReader } from '../backend/backend.ts'
import { visitHeads } from './index-store.ts'
import { copyHead, findVersionAt, isDeletedHead, mainOfHead, type KeyHead } from './key-index.ts'
import { keyAfter, type KeyBounds } from './key-range.ts'
import { growthOfRecord } from './key-record.ts'
import type { ReadContext } from './read-context.ts'
import { encodeRevisionKey } from './revision.ts'

/** A count at a revision whose later history is there. */
export interface CountAtRevision {
  readonly revision: number
  readonly count: number
}

/** Records that cost as much as walking one key of the past, about; measured 3 to 10. */
const recordsPerKey = 4
const leastRecordCountMax = 1_024
/** Heads noted before their older versions are looked for. */
const notedHeadCountMax = 4_096

/**
 * See the head of this file.
 *
 * @param revision  not after the context's current one, and not compacted
 * @param known  the same range at another revision, if that was counted; not used where it is compacted
 */
export function countAliveAt(
  context: ReadContext,
  bounds: KeyBounds,
  { revision, known }: { readonly revision: number; readonly known?: CountAtRevision | undefined },
): number {
  const { reader, counts, currentRevision, compactedRevision } = context
  if (counts === undefined) return walkAliveAt(reader, bounds, revision)
  const current = { revision: currentRevision, count: counts.countAlive(reader, bounds) }
  if (revision === currentRevision) return current.count
  const isKnown = known !== undefined && known.revision >= compactedRevision
  const near = isKnown && isNearer(known, current, revision) ? known : current
  const growth = growthBetween(reader, bounds, {
    after: Math.min(revision, near.revision),
    upTo: Math.max(revision, near.revision),
    recordCountMax: recordCountMaxOf(near.count),
  })
  if (growth === undefined) return walkAliveAt(reader, bounds, revision)
  return near.count + (revision < near.revision ? -growth : growth)
}

function isNearer(one: CountAtRevision, other: CountAtRevision, revision: number): boolean {
  return Math.abs(one.revision - revision) < Math.abs(other.revision - revision)
}

function recordCountMaxOf(keyCount: number): number {
  return Math.max(leastRecordCountMax, keyCount * recordsPerKey)
}

/** By how much the number of alive keys grew; undefined where that many records do not tell. */
function growthBetween(
  reader: BackendReader,
  bounds: KeyBounds,
  options: { readonly after: number; readonly upTo: number; readonly recordCountMax: number },
): number | undefined {
  const { after, upTo, recordCountMax } = options
  // Each revision has a record or more.
  if (upTo - after > recordCountMax) return undefined
  const stretch = { start: encodeRevisionKey(after + 1, 0), end: encodeRevisionKey(upTo + 1, 0) }
  let growth = 0
  let recordCount = 0
  reader.visit('key', stretch, (record) => {
    growth += growthOfRecord(record, bounds)
    return ++recordCount <= recordCountMax
  })
  return recordCount > recordCountMax ? undefined : growth
}

function walkAliveAt(reader: BackendReader, bounds: KeyBounds, revision: number): number {
  let count = 0
  let start: Uint8Array | undefined = bounds.start
  while (start !== undefined) {
    const newer: KeyHead[] = []
    let next: Uint8Array | undefined
    visitHeads(reader, { start, end: bounds.end }, (head) => {
      const { valueBytes, valueStart } = head
      if (mainOfHead(valueBytes, valueStart) <= revision) {
        if (!isDeletedHead(valueBytes, valueStart)) count++
        return true
      }
      newer.push(copyHead(valueBytes, valueStart, head.valueSizeBytes))
      if (newer.length < notedHeadCountMax) return true
      next = keyAfter(head.copyKey())
      return false
    })
    for (const head of newer) {
      if (findVersionAt(reader, head, revision)?.isTombstone === false) count++
    }
    start = next
  }
  return count
}
