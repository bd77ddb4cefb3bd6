/**
 * What watchers are given at once: whole revisions, in order.
 *
 * Watchers that want the same are given the same: one list of changes is made per range and filter, and a watcher that
 * has seen a part of it already gets the rest of that same list. So whoever encodes a list has encoded it for all.
 */

import { assert } from '../base/assert.ts'
import type { Change, RevisionChanges } from '../mvcc/change.ts'
import { filterCodeCount, isWanted, type FilterCode } from './watcher.ts'
import type { RangeIndex, WatchedRange } from './watched-range.ts'

/** Events for one watcher. Every revision in it is complete, for this watcher's range and filters. */
export class EventBatch {
  /** The changes of this batch are those of this list from `start` on. The list is shared between batches. */
  readonly source: readonly Change[]
  readonly start: number
  /** Everything up to this revision that the watcher wants is in this or an earlier batch: the header's revision. */
  readonly revision: number

  constructor(source: readonly Change[], start: number, revision: number) {
    this.source = source
    this.start = start
    this.revision = revision
  }

  /** In the order of revision, then sub; never empty. The same `Change` object goes to every watcher it matches. */
  get changes(): readonly Change[] {
    return this.start === 0 ? this.source : this.source.slice(this.start)
  }
}

/** The changes that lie in one range, and the batches made of them. */
export class RangeMatches {
  private readonly all: readonly Change[]
  private readonly revision: number
  private readonly byFilter: (readonly Change[] | undefined)[] = []
  /** By filter code: the batch made last. */
  private readonly latest: (EventBatch | undefined)[] = []

  /** @param revision  the last one that was looked at */
  constructor(all: readonly Change[], revision: number) {
    this.all = all
    this.revision = revision
    for (let code = 0; code < filterCodeCount; code++) {
      this.byFilter.push(undefined)
      this.latest.push(undefined)
    }
  }

  /** What a watcher with this filter gets that has seen everything below `nextRevision`; undefined: nothing. */
  batchFor(filterCode: FilterCode, nextRevision: number): EventBatch | undefined {
    const source = this.filtered(filterCode)
    const start = firstFrom(source, nextRevision)
    if (start === source.length) return undefined
    const latest = this.latest[filterCode]
    if (latest?.start === start) return latest
    const batch = new EventBatch(source, start, this.revision)
    this.latest[filterCode] = batch
    return batch
  }

  private filtered(filterCode: FilterCode): readonly Change[] {
    const known = this.byFilter[filterCode]
    if (known !== undefined) return known
    const made =
      filterCode === 0 ? this.all : this.all.filter((change) => isWanted(filterCode, change))
    this.byFilter[filterCode] = made
    return made
  }
}

/**
 * Sorts the changes of whole revisions by the ranges that hold them.
 *
 * @param revisions in order, not empty
 * @param revision  up to which history was looked at
 * @returns ranges that hold none are left out
 */
export function matchRanges(
  index: RangeIndex,
  revisions: readonly RevisionChanges[],
  revision: number,
): Map<WatchedRange, RangeMatches> {
  const collected = new Map<WatchedRange, Change[]>()
  let changeCount = 0
  for (const { revision: expected, changes } of revisions) {
    for (const change of changes) {
      assert(change.keyValue.modRevision === expected, 'a change carries the revision it is in')
      changeCount++
      index.visitMatching(change.keyValue.key, (range) => {
        const matched = collected.get(range)
        if (matched === undefined) collected.set(range, [change])
        else matched.push(change)
      })
    }
  }
  // Ranges that hold everything share one list.
  const [only] = revisions
  let whole: readonly Change[] | undefined = revisions.length === 1 ? only?.changes : undefined
  const matches = new Map<WatchedRange, RangeMatches>()
  for (const [range, changes] of collected) {
    if (changes.length === changeCount) whole ??= changes
    const shared = whole !== undefined && changes.length === changeCount ? whole : changes
    matches.set(range, new RangeMatches(shared, revision))
  }
  return matches
}

/** Position of the first change of this revision or a later one. */
function firstFrom(changes: readonly Change[], revision: number): number {
  let low = 0
  let high = changes.length
  // Nearly always nothing was seen yet.
  if (high > 0 && (changes[0]?.keyValue.modRevision ?? 0) >= revision) return 0
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((changes[middle]?.keyValue.modRevision ?? 0) < revision) low = middle + 1
    else high = middle
  }
  return low
}
