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
 * Where more was written between them than the range has keys, it is walked after all. Either way is gone a step at a time,
 * so that a node has other turns in between.
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
/** Records, or heads that are newer than the revision, in one step. */
const stepSize = 1_024

/** From a revision where the count is known towards the one that is asked for. */
interface Growing {
  readonly from: CountAtRevision
  /** The older one of both. */
  readonly after: number
  readonly end: Uint8Array
  readonly recordCountMax: number
  next: Uint8Array
  growth: number
  recordCount: number
}

/** One count that is being made. See the head of this file. */
export class PastCounting {
  readonly bounds: KeyBounds
  readonly revision: number
  private growing: Growing | undefined
  private walking: { next: Uint8Array; count: number } | undefined

  /** @param revision  not after the current one; what later writes do does not matter */
  constructor(bounds: KeyBounds, revision: number) {
    this.bounds = bounds
    this.revision = revision
  }

  /**
   * Counts on; the revision must not be compacted.
   *
   * @param known  the same range at another revision, if that was counted; not used where it is compacted
   * @returns the count; undefined: there is more to be done
   */
  step(context: ReadContext, known: CountAtRevision | undefined): number | undefined {
    if (this.growing !== undefined && this.growing.after < context.compactedRevision) {
      // What it began from is compacted meanwhile, and history right behind it with it.
      this.growing = undefined
    }
    if (this.growing === undefined && this.walking === undefined) {
      const count = this.begin(context, known)
      if (count !== undefined) return count
    }
    const { growing, walking } = this
    if (growing !== undefined) return this.growOn(context.reader, growing)
    return walking && this.walkOn(context.reader, walking)
  }

  private begin(context: ReadContext, known: CountAtRevision | undefined): number | undefined {
    const { bounds, revision } = this
    const { reader, counts, currentRevision, compactedRevision } = context
    if (counts === undefined) {
      this.beginWalk()
      return undefined
    }
    const current = { revision: currentRevision, count: counts.countAlive(reader, bounds) }
    if (revision === currentRevision) return current.count
    const isKnown = known !== undefined && known.revision >= compactedRevision
    const from = isKnown && isNearer(known, current, revision) ? known : current
    if (from.revision === revision) return from.count
    const after = Math.min(revision, from.revision)
    const upTo = Math.max(revision, from.revision)
    const recordCountMax = Math.max(leastRecordCountMax, from.count * recordsPerKey)
    // Each revision has a record or more.
    if (upTo - after > recordCountMax) {
      this.beginWalk()
      return undefined
    }
    this.growing = {
      from,
      after,
      end: encodeRevisionKey(upTo + 1, 0),
      recordCountMax,
      next: encodeRevisionKey(after + 1, 0),
      growth: 0,
      recordCount: 0,
    }
    return undefined
  }

  private beginWalk(): void {
    this.growing = undefined
    this.walking = { next: this.bounds.start, count: 0 }
  }

  private growOn(reader: BackendReader, growing: Growing): number | undefined {
    const { bounds, revision } = this
    const { from, end } = growing
    let stepCount = 0
    reader.visit('key', { start: growing.next, end }, (record) => {
      growing.growth += growthOfRecord(record, bounds)
      if (++stepCount < stepSize) return true
      growing.next = keyAfter(record.copyKey())
      return false
    })
    growing.recordCount += stepCount
    if (stepCount < stepSize) {
      return from.count + (revision < from.revision ? -growing.growth : growing.growth)
    }
    if (growing.recordCount > growing.recordCountMax) this.beginWalk()
    return undefined
  }

  private walkOn(
    reader: BackendReader,
    walking: { next: Uint8Array; count: number },
  ): number | undefined {
    const { bounds, revision } = this
    const newer: KeyHead[] = []
    let stepCount = 0
    let next: Uint8Array | undefined
    visitHeads(reader, { start: walking.next, end: bounds.end }, (head) => {
      const { valueBytes, valueStart } = head
      if (mainOfHead(valueBytes, valueStart) > revision)
        newer.push(copyHead(valueBytes, valueStart, head.valueSizeBytes))
      else if (!isDeletedHead(valueBytes, valueStart)) walking.count++
      if (++stepCount < stepSize) return true
      next = keyAfter(head.copyKey())
      return false
    })
    for (const head of newer) {
      if (findVersionAt(reader, head, revision)?.isTombstone === false) walking.count++
    }
    if (next === undefined) return walking.count
    walking.next = next
    return undefined
  }
}

/** As {@link PastCounting}, in one go. */
export function countAliveAt(context: ReadContext, bounds: KeyBounds, revision: number): number {
  const counting = new PastCounting(bounds, revision)
  for (;;) {
    const count = counting.step(context, undefined)
    if (count !== undefined) return count
  }
}

function isNearer(one: CountAtRevision, other: CountAtRevision, revision: number): boolean {
  return Math.abs(one.revision - revision) < Math.abs(other.revision - revision)
}
