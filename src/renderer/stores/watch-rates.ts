/** How many events there were in each of the last seconds, by what they were; and when there was no stream. */

import type { Operation } from '../components/marks/operation.ts'

/** What the bars are stacked of, from the bottom. */
export const ratedOps = ['create', 'put', 'delete'] as const
type RatedOp = (typeof ratedOps)[number]

/** Seconds that are kept. */
export const ratedSeconds = 300
/** The rate is the mean of this many whole seconds. */
const meanSeconds = 5

/** One second. */
export interface RatedSecond {
  readonly counts: Readonly<Record<RatedOp, number>>
  /** A watch had no stream in it. */
  readonly isSilent: boolean
}

export class WatchRates {
  private readonly counts = Object.fromEntries(
    ratedOps.map((op) => [op, new Uint32Array(ratedSeconds)]),
  ) as Record<RatedOp, Uint32Array>
  private readonly silent = new Uint8Array(ratedSeconds)
  /** Number of the present second since the beginning. */
  second = 0

  add(op: Operation, count: number): void {
    const column = this.counts[op === 'expire' ? 'delete' : op]
    const at = this.second % ratedSeconds
    column[at] = (column[at] ?? 0) + count
  }

  /** A second is over. */
  tick(isSilent: boolean): void {
    this.silent[this.second % ratedSeconds] = isSilent ? 1 : 0
    this.second++
    const at = this.second % ratedSeconds
    for (const op of ratedOps) this.counts[op][at] = 0
    this.silent[at] = isSilent ? 1 : 0
  }

  /** Whole seconds that passed, at most those that are kept; oldest first. */
  seconds(): readonly RatedSecond[] {
    const length = Math.min(this.second, ratedSeconds - 1)
    return Array.from({ length }, (_, back) => {
      const at = (this.second - length + back) % ratedSeconds
      return {
        counts: {
          create: this.counts.create[at] ?? 0,
          put: this.counts.put[at] ?? 0,
          delete: this.counts.delete[at] ?? 0,
        },
        isSilent: this.silent[at] === 1,
      }
    })
  }

  /** Events a second, over the last whole seconds. */
  perSecond(): number {
    const length = Math.min(this.second, meanSeconds)
    if (length === 0) return 0
    let sum = 0
    for (let back = 1; back <= length; back++) {
      const at = (this.second - back) % ratedSeconds
      for (const op of ratedOps) sum += this.counts[op][at] ?? 0
    }
    return sum / length
  }
}
