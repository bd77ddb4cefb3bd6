/**
 * Puts at a steady pace while a compaction of 1,000,000 revisions and then a defragment run. The pace does not wait for answers, so
 * a server that stands still pays for every put that had to wait.
 */
import { CallFailed, callOnce } from './driver/connection.mjs'
import { startJob, summary } from './driver/pool.mjs'
import { bulkLoad, keyCount, randomPut } from './loads.mjs'
import { compactBody, emptyBody, paths } from './messages.mjs'
import { makeRow, missingRow } from './rounds.mjs'
import { kinds, memoryOf, opponent, startServer, statusOf } from './servers.mjs'

export const names = ['maintenance']
const revisionsPerKey = 100
const probesPerSecond = 500
const settleMs = 300
const unimplemented = 12

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** The delays of puts from shortly before `work` begins until it is over, and how long it took. */
async function probeDuring(server, work) {
  const probe = startJob({
    job: 'unary',
    port: server.port,
    connections: 10,
    streams: 1,
    ratePerSecond: probesPerSecond,
    source: randomPut(keyCount / revisionsPerKey),
  })
  await sleep(settleMs)
  const startMs = performance.now()
  let failure
  await work().catch((error) => (failure = error))
  const seconds = (performance.now() - startMs) / 1000
  await sleep(settleMs)
  probe.stop()
  const { p50Ms, p99Ms, maxMs } = summary([await probe.done])
  if (failure) throw failure
  return { value: p99Ms, p50Ms, p99Ms, maxMs, seconds, ...memoryOf(server.pid) }
}

async function defragment(server) {
  try {
    return await probeDuring(server, () => callOnce(server.port, paths.defragment, emptyBody()))
  } catch (error) {
    if (error instanceof CallFailed && error.status === unimplemented) return undefined
    throw error
  }
}

async function measure(kind) {
  const server = await startServer(kind)
  try {
    await bulkLoad({ port: server.port, count: keyCount, keys: keyCount / revisionsPerKey })
    const { revision } = await statusOf(server.port)
    const body = compactBody(revision, { isPhysical: true })
    const compaction = await probeDuring(server, () => callOnce(server.port, paths.compact, body))
    return { compaction, defragment: await defragment(server) }
  } finally {
    await server.dispose()
  }
}

const took = (samples) =>
  kinds
    .map(
      (kind) =>
        `${samples[kind].seconds.toFixed(1)} s, longest ${Math.round(samples[kind].maxMs)} ms`,
    )
    .join(' / ')

export async function run({ report }) {
  const results = {}
  for (const kind of kinds) results[kind] = await measure(kind)
  const common = { name: 'maintenance', unit: 'ms', target: 1, isLowerBetter: true }
  const of = (part) => Object.fromEntries(kinds.map((kind) => [kind, results[kind][part]]))
  for (const [part, work] of [
    ['compaction', `a compaction of ${keyCount.toLocaleString('en')} revisions`],
    ['defragment', 'a defragment after it'],
  ]) {
    const samples = of(part)
    const description = { ...common, label: `put p99 during ${work}` }
    if (kinds.some((kind) => samples[kind] === undefined)) {
      report(missingRow(description, `not available in ours; etcd ${opponent().version} has it`))
      continue
    }
    const lists = Object.fromEntries(kinds.map((kind) => [kind, [samples[kind]]]))
    report(makeRow({ ...description, note: `it took ${took(samples)}` }, lists))
  }
}
