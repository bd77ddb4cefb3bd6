/** Alternates between the servers (A B A B), because a machine's speed drifts, and makes one row of the medians. */
import { kinds, memoryOf, opponent } from './servers.mjs'

export const roundCount = Number(process.env.BENCH_ROUNDS ?? 2)
export const durationSeconds = Number(process.env.BENCH_SECONDS ?? 2)

/** The middle of some numbers; of an even count the mean of the two in the middle. Undefined for none. */
export function median(numbers) {
  const sorted = numbers.filter((number) => number !== undefined).sort((a, b) => a - b)
  if (sorted.length === 0) return undefined
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

const measures = ['value', 'p50Ms', 'p99Ms', 'residentMb', 'anonymousMb', 'fileMb', 'peakMb']

/** The samples of one server as one: the median of each measure. */
function combine(samples) {
  return Object.fromEntries(
    measures.flatMap((measure) => {
      const value = median(samples.map((sample) => sample[measure]))
      return value === undefined ? [] : [[measure, value]]
    }),
  )
}

/**
 * @param {{ name: string, label: string, unit: string, target: number, isLowerBetter?: boolean, note?: string }} description
 * @param {{ quorate: object[], etcd: object[] }} samples with a `value` each, and any of the other measures
 */
export function makeRow(description, samples) {
  const [ours, theirs] = kinds.map((kind) => combine(samples[kind]))
  const ratio = ours.value / theirs.value
  const isMet = description.isLowerBetter
    ? ratio <= description.target
    : ratio >= description.target
  return { ...description, ours, etcd: theirs, ratio, isMet, opponent: opponent().version }
}

/** A row for something that could not be measured, with the reason. */
export function missingRow(description, note) {
  return { ...description, note, isMet: false, opponent: opponent().version }
}

/**
 * Calls `measure(kind)` in alternation.
 * @returns {Promise<{ quorate: object[], etcd: object[] }>} what it returned
 */
export async function alternate(measure, rounds = roundCount) {
  const samples = { quorate: [], etcd: [] }
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) samples[kind].push(await measure(kind, round))
  }
  return samples
}

/** A rate with its delays and the server's memory as one sample. */
export function rateSample(result, server) {
  const { perSecond, p50Ms, p99Ms } = result
  return { value: perSecond, p50Ms, p99Ms, ...memoryOf(server.pid) }
}
