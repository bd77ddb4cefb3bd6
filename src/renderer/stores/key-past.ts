/**
 * Every readable change of one key, in rising order, as columns: a key may have a hundred thousand of them, and an object for
 * each would cost more than the window has.
 *
 * Changes arrive in blocks of rising revisions, the blocks in any order. A block is kept as it came; beside it stand four
 * sorted columns that tell the order. Most blocks fit between two neighbours and cost one move of memory.
 */

import type { HistoryColumns } from '../../preload/contract/history.ts'
import { historyRowAt } from '../../preload/contract/history-columns.ts'
import type { HistoryRow } from '../../preload/contract/history-columns.ts'
import type { Operation } from '../components/marks/operation.ts'

/** One life of a key: from its creation to its deletion, or until now. Places are those of `KeyPast`. */
export interface Generation {
  /** 1 is the oldest one that is readable. */
  readonly number: number
  /** Places of its first and last put; none: `last < first`. */
  readonly first: number
  readonly last: number
  /** Revision of the deletion; absent while the key lives. */
  readonly deletedAt?: number
  /** Its creation was read, so nothing of it is missing at the old end. */
  readonly hasBeginning: boolean
}

const deletionFlag = 1
const creationFlag = 2
const capacityMin = 64
/** Changes kept in the window; the oldest ones give way. */
const changesMax = 1_000_000

/** The changes of one key. Invariant: revisions rise strictly from place 0 to `count - 1`. */
export class KeyPast {
  count = 0
  /** Places that hold a value, that is all but deletions. */
  readableCount = 0
  /** Older changes gave way to newer ones. */
  isCut = false
  /** Up to where changes were compacted away; 0 when nothing was. */
  compactedRevision = 0
  private blocks: HistoryColumns[] = []
  private revisions = new Float64Array(capacityMin)
  private flags = new Uint8Array(capacityMin)
  private blockOf = new Uint32Array(capacityMin)
  private rowOf = new Uint32Array(capacityMin)
  /** All changes that are kept; those after `endRevision` have places at and above `count`. */
  private storedCount = 0
  private endRevision = Number.POSITIVE_INFINITY

  /** Takes a block of rising revisions; those that are known already are passed over. */
  add(columns: HistoryColumns): void {
    const block = this.blocks.push(columns) - 1
    let row = 0
    while (row < columns.rowCount) {
      const revision = columns.revisions[row] ?? 0
      const place = this.storedFrom(revision)
      if (place < this.storedCount && this.revisions[place] === revision) {
        row++
        continue
      }
      // Rows up to the next known revision go in together.
      const next =
        place < this.storedCount ? (this.revisions[place] ?? 0) : Number.POSITIVE_INFINITY
      let end = row + 1
      while (end < columns.rowCount && (columns.revisions[end] ?? 0) < next) end++
      this.insert(place, { block, columns, row, end })
      row = end
    }
    this.trim()
  }

  /** A compaction took changes away: all up to this revision but for the newest of them, and that one too if it was a deletion. */
  compact(revision: number): void {
    if (revision <= this.compactedRevision) return
    this.compactedRevision = revision
    this.trim()
  }

  /** Ends the history at a revision: what came later is kept and not shown. 0: nothing is hidden. */
  endAt(revision: number): void {
    this.endRevision = revision === 0 ? Number.POSITIVE_INFINITY : revision
    this.show()
  }

  /** Revision at a place; 0 outside. */
  revisionAt(place: number): number {
    return place >= 0 && place < this.count ? (this.revisions[place] ?? 0) : 0
  }

  isDeletion(place: number): boolean {
    return ((this.flags[place] ?? 0) & deletionFlag) !== 0
  }

  /** What the change did to the key. */
  operationAt(place: number): Operation {
    const flags = this.flags[place] ?? 0
    if ((flags & deletionFlag) !== 0) return 'delete'
    return (flags & creationFlag) === 0 ? 'put' : 'create'
  }

  /** The change at a place. Throws `RangeError` outside. */
  rowAt(place: number): HistoryRow {
    const columns = this.blocks[this.blockOf[place] ?? 0]
    if (columns === undefined || place < 0 || place >= this.count) {
      throw new RangeError(`change ${String(place)} of ${String(this.count)}`)
    }
    return historyRowAt(columns, this.rowOf[place] ?? 0)
  }

  /** Place of a revision that changed the key; -1 for any other. */
  placeOf(revision: number): number {
    const place = this.placeFrom(revision)
    return place < this.count && this.revisions[place] === revision ? place : -1
  }

  /** First place at or above a revision; `count` when there is none. */
  placeFrom(revision: number): number {
    return Math.min(this.count, this.storedFrom(revision))
  }

  /** The nearest place before or after one that holds a value; -1 when there is none. */
  readableFrom(place: number, by: 1 | -1): number {
    for (let at = place + by; at >= 0 && at < this.count; at += by) {
      if (!this.isDeletion(at)) return at
    }
    return -1
  }

  /** All lives of the key, the newest first. */
  generations(): readonly Generation[] {
    const found: Omit<Generation, 'number'>[] = []
    let first = 0
    for (let place = 0; place < this.count; place++) {
      const flags = this.flags[place] ?? 0
      if ((flags & deletionFlag) !== 0) {
        const deletedAt = this.revisionAt(place)
        found.push({ first, last: place - 1, deletedAt, hasBeginning: this.isCreation(first) })
        first = place + 1
      } else if ((flags & creationFlag) !== 0 && place > first) {
        // What came between is not read yet.
        found.push({ first, last: place - 1, hasBeginning: this.isCreation(first) })
        first = place
      }
    }
    if (first < this.count) {
      found.push({ first, last: this.count - 1, hasBeginning: this.isCreation(first) })
    }
    return found.map((one, index) => ({ ...one, number: index + 1 })).reverse()
  }

  private storedFrom(revision: number): number {
    let low = 0
    let high = this.storedCount
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.revisions[middle] ?? 0) < revision) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Counts what is shown after the changes or their end have moved. */
  private show(): void {
    const { endRevision, storedCount } = this
    this.count =
      endRevision < Number.POSITIVE_INFINITY ? this.storedFrom(endRevision + 1) : storedCount
    let readable = 0
    for (let place = 0; place < this.count; place++) if (!this.isDeletion(place)) readable++
    this.readableCount = readable
  }

  private isCreation(place: number): boolean {
    return place < this.count && ((this.flags[place] ?? 0) & creationFlag) !== 0
  }

  private insert(
    place: number,
    from: {
      readonly block: number
      readonly columns: HistoryColumns
      readonly row: number
      readonly end: number
    },
  ): void {
    const { block, columns, row, end } = from
    const added = end - row
    this.reserve(this.storedCount + added)
    for (const column of [this.revisions, this.flags, this.blockOf, this.rowOf]) {
      column.copyWithin(place + added, place, this.storedCount)
    }
    for (let at = 0; at < added; at++) {
      const isDeletion = columns.kinds[row + at] === 1
      const isCreation = !isDeletion && columns.versions[row + at] === 1
      this.revisions[place + at] = columns.revisions[row + at] ?? 0
      this.flags[place + at] = (isDeletion ? deletionFlag : 0) | (isCreation ? creationFlag : 0)
      this.blockOf[place + at] = block
      this.rowOf[place + at] = row + at
    }
    this.storedCount += added
  }

  private reserve(count: number): void {
    if (count <= this.revisions.length) return
    const capacity = Math.max(count, this.revisions.length * 2)
    const grown = <Column extends Float64Array | Uint8Array | Uint32Array>(
      column: Column,
      larger: Column,
    ): Column => {
      larger.set(column.subarray(0, this.storedCount))
      return larger
    }
    this.revisions = grown(this.revisions, new Float64Array(capacity))
    this.flags = grown(this.flags, new Uint8Array(capacity))
    this.blockOf = grown(this.blockOf, new Uint32Array(capacity))
    this.rowOf = grown(this.rowOf, new Uint32Array(capacity))
  }

  private trim(): void {
    let dropped = 0
    if (this.compactedRevision > 0) {
      const behind = this.storedFrom(this.compactedRevision + 1)
      dropped = behind === 0 ? 0 : this.isDeletion(behind - 1) ? behind : behind - 1
    }
    const surplus = this.storedCount - changesMax
    if (surplus > dropped) {
      dropped = surplus
      this.isCut = true
    }
    if (dropped > 0) this.drop(dropped)
    this.show()
  }

  private drop(dropped: number): void {
    for (const column of [this.revisions, this.flags, this.blockOf, this.rowOf]) {
      column.copyWithin(0, dropped, this.storedCount)
    }
    this.storedCount -= dropped
    if (this.storedCount === 0) this.blocks = []
  }
}
