/**
 * What a store of 1,000,000 keys does: the load, restarts, memory, random keys, counts and pages. Only one server runs at a time, so
 * that neither takes memory or disk from the other.
 */
import { run as runJobs, startJob } from './driver/pool.mjs'
import { h2load } from './h2load.mjs'
import {
  bulkLoad,
  closedLoop,
  comeToPace,
  comeToPaceAlone,
  keyCount,
  keyOf,
  randomGet,
  randomPut,
} from './loads.mjs'
import { paths, rangeBody } from './messages.mjs'
import { alternate, durationSeconds, makeRow, rateSample, roundCount } from './rounds.mjs'
import { kinds, memoryOf, resetPeak, startServer } from './servers.mjs'
import { shapes } from './unary.mjs'

const pageKeyCount = Math.min(200_000, keyCount)
const pageLimit = 500
const putsBeforeKillMs = 500
const pageRange = { rangeEnd: keyOf(pageKeyCount), limit: pageLimit }
const keysText = keyCount.toLocaleString('en')

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const randomLoads = [
  {
    name: 'put-random',
    label: 'put 256 B, random keys',
    source: randomPut,
    targets: [1.2, 1.5, 2],
  },
  {
    name: 'get-random',
    label: 'linearizable get, random keys',
    source: () => randomGet({}),
    targets: [1.2, 1.5, 1.5],
  },
  {
    name: 'get-serializable-random',
    label: 'serializable get, random keys',
    source: () => randomGet({ isSerializable: true }),
    targets: [1.2, 1.5, 1.5],
  },
]

/** One at a time is how a key browser pages, and how etcd has the 45 pages a second that the target was made from. */
const pageShapes = [1, 4].map((connections) => ({ connections, streams: 1 }))

function pageMeasurements(shape) {
  const { connections } = shape
  const seconds = durationSeconds
  const measurement = (label, sample) => ({
    name: 'pages',
    label: `${label}, ${connections} in flight`,
    unit: '1/s',
    target: 50,
    sample,
  })
  const body = rangeBody(keyOf(0), pageRange)
  return [
    measurement('first 500 of 200,000 keys', ({ port }) =>
      h2load({ port, path: paths.range, body, ...shape, seconds }),
    ),
    measurement('page after page of 500 of 200,000 keys', ({ port }) =>
      runJobs({
        job: 'pages',
        port,
        connections,
        // As much as h2load takes before it counts.
        warmUpMs: 1_000,
        durationMs: seconds * 1000,
        key: Buffer.from(keyOf(0)),
        ...pageRange,
      }),
    ),
  ]
}

/** Everything measured while a server runs on the loaded keys: what it is called, its target, and how one sample is taken. */
function runningMeasurements() {
  const random = randomLoads.flatMap(({ name, label, source, targets }) =>
    shapes.map((shape, index) => ({
      name,
      label: `${label}, ${shape.inFlight.toLocaleString('en')} in flight`,
      unit: '1/s',
      target: targets[index],
      // The other shapes find the server at its pace.
      source: index === 0 ? source : undefined,
      sample: ({ port }) => closedLoop({ port, source: source(), ...shape }),
    })),
  )
  const few = { connections: 4, streams: 1 }
  const seconds = durationSeconds
  return [
    {
      name: 'count',
      label: `count of ${keysText} keys, 4 in flight`,
      unit: '1/s',
      target: 100,
      sample: ({ port }) => {
        const body = rangeBody(keyOf(0), { rangeEnd: keyOf(keyCount), isCountOnly: true })
        return h2load({ port, path: paths.range, body, ...few, seconds })
      },
    },
    ...pageShapes.flatMap(pageMeasurements),
    ...random,
  ]
}

const restartNames = ['load', 'restart', 'memory']
export const names = [
  ...new Set([...restartNames, ...runningMeasurements().map(({ name }) => name)]),
]

const bothKinds = (make) => Object.fromEntries(kinds.map((kind) => [kind, make(kind)]))

async function loadOne(server) {
  const result = await bulkLoad({ port: server.port })
  return rateSample(result, server)
}

const asMemory = ({ residentMb, anonymousMb, fileMb, peakMb }) => ({
  value: residentMb,
  residentMb,
  anonymousMb,
  fileMb,
  peakMb,
})

function memoryRow(label, samples) {
  const row = makeRow(
    { name: 'memory', label, unit: 'MB', target: 0.3, isLowerBetter: true },
    bothKinds((kind) => samples[kind].map(asMemory)),
  )
  const part = (measure) => `${Math.round(row.ours[measure])} / ${Math.round(row.etcd[measure])} MB`
  row.note = `own memory ${part('anonymousMb')}, pages of mapped files ${part('fileMb')}`
  return row
}

const restartRow = (label, samples) =>
  makeRow(
    { name: 'restart', label, unit: 's', target: 0.2, isLowerBetter: true },
    bothKinds((kind) => samples[kind].map(({ startMs }) => ({ value: startMs / 1000 }))),
  )

async function startAgain(server) {
  const startMs = await server.start()
  return { startMs, ...memoryOf(server.pid) }
}

async function killUnderPuts(server) {
  const shape = { connections: 10, streams: 10 }
  const puts = startJob({ job: 'unary', port: server.port, ...shape, source: randomPut() })
  await sleep(putsBeforeKillMs)
  await server.stop('SIGKILL')
  await puts.done.then(
    () => {
      throw new Error('puts were answered by a server that was killed')
    },
    () => undefined,
  )
}

/** One turn of one server: a start on the loaded keys, everything chosen, a SIGKILL, and the start after it. */
async function turn(server, measurements) {
  const afterStop = await startAgain(server)
  const samples = []
  for (const { sample, source } of measurements) {
    if (source !== undefined) {
      await comeToPace({ port: server.port, source: source() })
      await comeToPaceAlone({ port: server.port, source: source() })
    }
    resetPeak(server.pid)
    samples.push(rateSample(await sample(server), server))
  }
  await killUnderPuts(server)
  const afterKill = await startAgain(server)
  await server.stop()
  return { afterStop, afterKill, samples }
}

export async function run({ wants, report, say }) {
  const servers = {}
  const loads = { quorate: [], etcd: [] }
  try {
    for (const kind of kinds) {
      servers[kind] = await startServer(kind)
      loads[kind].push(await loadOne(servers[kind]))
      await servers[kind].stop()
    }
    reportLoad({ wants, report }, loads)
    const measurements = runningMeasurements().filter(({ name }) => wants(name))
    if (measurements.length === 0 && !wants('restart') && !wants('memory')) return
    say?.(`(${roundCount} turns of each server follow, with ${measurements.length} measurements)`)
    const turns = await alternate((kind) => turn(servers[kind], measurements))
    reportTurns({ wants, report }, turns, measurements)
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.dispose()))
  }
}

function reportLoad({ wants, report }, loads) {
  if (wants('load')) {
    const label = `load of ${keysText} keys, 100 a transaction`
    report(makeRow({ name: 'load', label, unit: 'key/s', target: 1 }, loads))
  }
  if (wants('memory')) report(memoryRow(`memory after the load of ${keysText} keys`, loads))
}

function reportTurns({ wants, report }, turns, measurements) {
  const of = (part) => bothKinds((kind) => turns[kind].map((each) => each[part]))
  if (wants('restart')) {
    report(restartRow(`restart to healthy with ${keysText} keys`, of('afterStop')))
    report(restartRow('the same after SIGKILL under puts', of('afterKill')))
  }
  if (wants('memory')) report(memoryRow('memory after that restart', of('afterStop')))
  measurements.forEach((description, index) => {
    const { name, label, unit, target } = description
    const samples = bothKinds((kind) => turns[kind].map((each) => each.samples[index]))
    report(makeRow({ name, label, unit, target }, samples))
  })
}
