/**
 * The rows of a log that pass a test, in the log's order, kept current row by row.
 *
 * Looking at a hundred thousand rows anew takes longer than a frame, so that it is done in slices; rows that come meanwhile
 * wait for its end. A frozen view takes nothing in, and shows all of it at once when it goes on.
 */

import type { WatchLog } from './watch-log.ts'
import { SortedIds } from './sorted-ids.ts'

/** Longest slice of work in milliseconds: half a frame. */
const sliceMs = 8
/** Rows between two looks at the clock. */
const rowsPerLook = 256

export class WatchView {
  ids: SortedIds
  /** Rows that wait for the view to go on. */
  waitingCount = 0
  private readonly log: WatchLog
  private readonly onChange: () => void
  private test: ((id: number) => boolean) | undefined
  private isFrozen = false
  private isBuilding = false
  /** Rows that came while the view was built. */
  private pending: number[] = []
  private build = 0

  /** @param onChange  called when a build that took several slices is done */
  constructor(log: WatchLog, onChange: () => void) {
    this.log = log
    this.onChange = onChange
    this.ids = this.emptyIds()
  }

  /** Takes rows of the log that are new to it. */
  take(added: readonly number[]): void {
    if (this.isFrozen) {
      this.waitingCount += added.length
    } else if (this.isBuilding) {
      this.pending.push(...added)
    } else {
      const { test } = this
      this.ids.merge(test === undefined ? added : added.filter(test))
    }
  }

  /** Forgets the rows that left the log. */
  prune(): void {
    const { ids, log } = this
    let count = 0
    while (count < ids.length && !log.has(ids.at(count) ?? 0)) count++
    ids.dropFront(count)
  }

  /** Shows what passes another test; undefined: everything. */
  setTest(test: ((id: number) => boolean) | undefined): void {
    this.test = test
    this.rebuild()
  }

  /** Nothing passes, at once. */
  showNothing(): void {
    this.clear()
    this.test = () => false
  }

  /** Forgets everything; the test stays. */
  clear(): void {
    this.build++
    this.isBuilding = false
    this.pending = []
    this.waitingCount = 0
    this.ids = this.emptyIds()
  }

  /** Stops taking rows in, or shows at once what came meanwhile. */
  setFrozen(isFrozen: boolean): void {
    this.isFrozen = isFrozen
    if (!isFrozen) this.rebuild()
    this.waitingCount = 0
  }

  private rebuild(): void {
    const build = ++this.build
    const { test, log } = this
    this.pending = []
    if (test === undefined) {
      this.isBuilding = false
      this.ids = this.emptyIds()
      this.ids.copyFrom(log.order)
      return
    }
    this.isBuilding = true
    const all = log.order.toArray()
    const found: number[] = []
    let at = 0
    const slice = (): void => {
      if (build !== this.build) return
      const endsAtMs = performance.now() + sliceMs
      while (at < all.length) {
        const id = all[at++] ?? 0
        if (log.has(id) && test(id)) found.push(id)
        if (at % rowsPerLook === 0 && performance.now() > endsAtMs) {
          setTimeout(slice, 0)
          return
        }
      }
      this.finish(found.filter((id) => log.has(id)))
    }
    slice()
  }

  private finish(found: readonly number[]): void {
    this.isBuilding = false
    this.ids = this.emptyIds()
    this.ids.merge(found)
    const { pending } = this
    this.pending = []
    this.takeSorted(pending.filter((id) => this.log.has(id)))
    this.onChange()
  }

  /** Rows of several watches and batches at once: each run that is in order by itself. */
  private takeSorted(ids: readonly number[]): void {
    const { log } = this
    this.take(ids.toSorted((left, right) => log.placeOf(left) - log.placeOf(right)))
  }

  private emptyIds(): SortedIds {
    return new SortedIds((id) => this.log.placeOf(id))
  }
}
