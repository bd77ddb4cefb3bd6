/** Jobs for the load generator that several benchmarks share, and the keys they are about. */
import { digits, placesOf } from './driver/sources.mjs'
import { run } from './driver/pool.mjs'
import { paths, putBody, rangeBody, txnOfPutsBody } from './messages.mjs'
import { durationSeconds } from './rounds.mjs'

/** Every key is this prefix and eight digits. */
export const keyPrefix = 'million/'
export const keyOf = (number) => `${keyPrefix}${digits(number)}`
export const value = 'v'.repeat(256)
/** How many keys the large benchmarks are about. */
export const keyCount = Number(process.env.BENCH_KEYS ?? 1_000_000)
const keysPerTxn = 100
const warmUpMs = 500
const paceMs = 1_000
const paceAloneMs = 4_000
const markerNumber = 99_999_999

const withPlaces = (template) => ({
  template,
  digitsAt: placesOf(template, keyPrefix).map((place) => place + keyPrefix.length),
})

/** A put of one random key among `count`. */
export const randomPut = (count = keyCount) => ({
  kind: 'random',
  path: paths.put,
  count,
  ...withPlaces(putBody(keyOf(markerNumber), value)),
})

/** A get of one random key among `keyCount`. */
export const randomGet = (options) => ({
  kind: 'random',
  path: paths.range,
  count: keyCount,
  ...withPlaces(rangeBody(keyOf(markerNumber), options)),
})

export const fixed = (path, template) => ({ kind: 'fixed', path, template })

/**
 * Lets a server that was started a moment ago come to its pace: some ten thousand requests, 100 in flight. One request at a time
 * would take ten seconds to have our node's code compiled, and a measurement of less tells of the compiler.
 */
export function comeToPace({ port, source }) {
  return run({ job: 'unary', port, connections: 10, streams: 10, durationMs: paceMs, source })
}

/**
 * The same for one request at a time, which goes other ways through our node: what was compiled for many is thrown away and made
 * anew, over some thousands of requests.
 */
export function comeToPaceAlone({ port, source }) {
  return run({ job: 'unary', port, connections: 1, streams: 1, durationMs: paceAloneMs, source })
}

/** Runs a closed loop for as long as one measurement lasts. */
export function closedLoop({ port, source, connections, streams }) {
  const durationMs = durationSeconds * 1000
  return run({ job: 'unary', port, connections, streams, warmUpMs, durationMs, source })
}

/**
 * Puts `count` keys in ascending order, in transactions of 100, ten of them in flight; from `keys` on they begin anew.
 * @returns {Promise<{ perSecond: number, p50Ms: number, p99Ms: number }>} keys a second; the times are those of a transaction
 */
export async function bulkLoad({ port, count = keyCount, keys = count }) {
  const template = txnOfPutsBody(
    Array.from({ length: keysPerTxn }, () => keyOf(markerNumber)),
    value,
  )
  const source = {
    kind: 'ascending',
    path: paths.txn,
    count,
    keyCount: keys,
    ...withPlaces(template),
  }
  const result = await run({ job: 'unary', port, connections: 10, streams: 1, source })
  return { ...result, perSecond: result.perSecond * keysPerTxn }
}

/** Puts one key `times` times. */
export function putRepeatedly({ port, key, times }) {
  const source = { kind: 'repeated', path: paths.put, template: putBody(key, value), times }
  return run({ job: 'unary', port, connections: 10, streams: 10, source })
}
