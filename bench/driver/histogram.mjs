/**
 * Counts of durations with an error below 0.4 %: microseconds are exact up to 512, and each doubling beyond has 256 steps (the idea
 * of HdrHistogram). Histograms of several processes add up.
 */
const exactLimit = 512
const stepsPerDoubling = 256
const bucketCount = exactLimit + stepsPerDoubling * 24

function bucketOf(us) {
  if (us < exactLimit) return us
  const doublings = Math.floor(Math.log2(us)) - 8
  const step = Math.floor(us / 2 ** doublings) - stepsPerDoubling
  return Math.min(bucketCount - 1, exactLimit + (doublings - 1) * stepsPerDoubling + step)
}

function middleOf(bucket) {
  if (bucket < exactLimit) return bucket + 0.5
  const doublings = Math.floor((bucket - exactLimit) / stepsPerDoubling) + 1
  const step = (bucket - exactLimit) % stepsPerDoubling
  return (step + stepsPerDoubling + 0.5) * 2 ** doublings
}

export class Histogram {
  #counts = new Uint32Array(bucketCount)
  count = 0
  maxMs = 0

  record(ms) {
    this.#counts[bucketOf(Math.max(0, Math.floor(ms * 1000)))]++
    this.count++
    if (ms > this.maxMs) this.maxMs = ms
  }

  /** The duration, in ms, that `fraction` of all did not exceed; undefined without any. */
  quantileMs(fraction) {
    if (this.count === 0) return undefined
    let rest = Math.ceil(this.count * fraction)
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      rest -= this.#counts[bucket]
      if (rest <= 0) return middleOf(bucket) / 1000
    }
    return this.maxMs
  }

  /** As plain data for another process: pairs of bucket and count. */
  toJson() {
    const pairs = []
    this.#counts.forEach((count, bucket) => {
      if (count > 0) pairs.push([bucket, count])
    })
    return { pairs, maxMs: this.maxMs }
  }

  /** Adds what `toJson` of another gave. */
  add({ pairs, maxMs }) {
    for (const [bucket, count] of pairs) {
      this.#counts[bucket] += count
      this.count += count
    }
    this.maxMs = Math.max(this.maxMs, maxMs)
  }
}
