/**
 * How long something took, in buckets.
 *
 * Made for places that are passed thousands of times a second: recording is a few comparisons and three additions, and
 * whoever wants to know reads the fields.
 */
export class TimeHistogram {
  /** Upper bounds of the buckets in seconds, ascending; what is above the last is in none. */
  readonly boundsSeconds: readonly number[]
  /** How many fell into each bucket, and no lower one. */
  readonly counts: number[]
  count = 0
  sumSeconds = 0

  /** @param boundsSeconds  of the buckets, ascending */
  constructor(boundsSeconds: readonly number[]) {
    this.boundsSeconds = boundsSeconds
    this.counts = boundsSeconds.map(() => 0)
  }

  /** Notes one that took so long, in milliseconds. */
  recordMs(tookMs: number): void {
    const seconds = tookMs / 1_000
    this.count++
    this.sumSeconds += seconds
    const { boundsSeconds } = this
    for (let position = 0; position < boundsSeconds.length; position++) {
      if (seconds > (boundsSeconds[position] ?? 0)) continue
      this.counts[position] = (this.counts[position] ?? 0) + 1
      return
    }
  }
}

/** So many bounds of buckets, each twice the one before. */
export function doublingSeconds(firstBoundSeconds: number, bucketCount: number): readonly number[] {
  return Array.from({ length: bucketCount }, (_, position) => firstBoundSeconds * 2 ** position)
}
