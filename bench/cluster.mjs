/** Three members on this machine, all with their own log on the same disk; puts go to the leader. */
import { h2load } from './h2load.mjs'
import { comeToPace, comeToPaceAlone, fixed, value } from './loads.mjs'
import { paths, putBody } from './messages.mjs'
import { alternate, durationSeconds, makeRow } from './rounds.mjs'
import { memoryOf, startServer } from './servers.mjs'
import { shapes } from './unary.mjs'

export const names = ['cluster']
const targetsByInFlight = { 1: 1, 1000: 1.2 }

const sumOf = (records) =>
  Object.fromEntries(
    Object.keys(records[0]).map((key) => [key, records.reduce((sum, each) => sum + each[key], 0)]),
  )

async function sample(kind, shape) {
  const cluster = await startServer(kind, { memberCount: 3 })
  try {
    const port = await cluster.leaderPort()
    const body = putBody('bench/key', value)
    const source = fixed(paths.put, body)
    await comeToPace({ port, source })
    if (shape.inFlight === 1) await comeToPaceAlone({ port, source })
    const load = { port, path: paths.put, body, ...shape, seconds: durationSeconds }
    const { perSecond, p50Ms, p99Ms } = await h2load(load)
    const memory = sumOf(cluster.members.map((member) => memoryOf(member.pid)))
    return { value: perSecond, p50Ms, p99Ms, ...memory }
  } finally {
    await cluster.dispose()
  }
}

export async function run({ report }) {
  for (const shape of shapes.filter(({ inFlight }) => inFlight in targetsByInFlight)) {
    const samples = await alternate((kind) => sample(kind, shape))
    const label = `three members: put, ${shape.inFlight.toLocaleString('en')} in flight`
    const target = targetsByInFlight[shape.inFlight]
    report(makeRow({ name: 'cluster', label, unit: '1/s', target }, samples))
  }
}
