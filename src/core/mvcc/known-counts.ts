/**
 * Counts of ranges that were answered, kept for whoever asks again or goes on where an answer ended.
 *
 * The problem: every answer with a limit says how many keys its whole range has, and counting walks the two ends of it,
 * which costs more than a page of pairs that are kept. At an old revision it costs as much as reading all that is left. The
 * plain idea: what was counted is remembered, and of a page also what follows it. The next page begins there.
 *
 *     page 1 of [a, z)    200,000 keys: counted. 500 of them answered, the last one is k: [k\0, z) has 199,500
 *     page 2 of [k\0, z)  known
 *
 * A count is that of one revision for ever, and that of the newest one for as long as no key came or went. It is also what
 * the count of a revision near by is found from: see `past-count.ts`.
 */

import { nameOfKey } from '../backend/key-name.ts'
import type { KeyBounds } from './key-range.ts'
import type { CountAtRevision } from './past-count.ts'

interface KnownCount extends CountAtRevision {
  /** Of the count index, when this was the newest revision; undefined: it was not. */
  readonly growthNumber: number | undefined
}

/** When a count is asked for or told. */
export interface CountMoment {
  readonly revision: number
  /** Changes of the count index so far; undefined where the revision is not the newest one. */
  readonly growthNumber: number | undefined
}

const rangeCountMax = 2_048
/** Of both ends together; longer ones are not remembered. */
const boundsSizeBytesMax = 512

/** See the head of this file. */
export class KnownCounts {
  /** By the names of both ends, the one that was told last at the end. */
  private readonly ranges = new Map<string, KnownCount>()

  find(bounds: KeyBounds, { revision, growthNumber }: CountMoment): number | undefined {
    const known = this.ranges.get(nameOfBounds(bounds))
    if (known === undefined) return undefined
    const isAsItWas = growthNumber !== undefined && known.growthNumber === growthNumber
    return isAsItWas || known.revision === revision ? known.count : undefined
  }

  /** The range as it was counted last, whenever that was. */
  findAnyRevision(bounds: KeyBounds): CountAtRevision | undefined {
    return this.ranges.get(nameOfBounds(bounds))
  }

  note(bounds: KeyBounds, { revision, growthNumber }: CountMoment, count: number): void {
    const { start, end } = bounds
    if (start.length + (end?.length ?? 0) > boundsSizeBytesMax) return
    const { ranges } = this
    const name = nameOfBounds(bounds)
    ranges.delete(name)
    ranges.set(name, { count, revision, growthNumber })
    if (ranges.size <= rangeCountMax) return
    const [oldest] = ranges.keys()
    if (oldest !== undefined) ranges.delete(oldest)
  }
}

/** Names of keys have no character above 255. */
function nameOfBounds({ start, end }: KeyBounds): string {
  return end === undefined ? nameOfKey(start) : `${nameOfKey(start)}\u0100${nameOfKey(end)}`
}
