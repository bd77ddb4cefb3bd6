/** Puts and gets of one key, and ranges: a fixed request each, from h2load. */
import { h2load } from './h2load.mjs'
import { callOnce } from './driver/connection.mjs'
import { digits } from './driver/sources.mjs'
import { comeToPace, comeToPaceAlone, fixed } from './loads.mjs'
import { paths, putBody, rangeBody, txnOfPutsBody } from './messages.mjs'
import { alternate, durationSeconds, makeRow, rateSample } from './rounds.mjs'
import { withBoth } from './servers.mjs'

const value = 'v'.repeat(256)
const rangeKeyCount = 10_000
const keysPerTxn = 100

/** Requests in flight: connections times streams on each. */
export const shapes = [
  { inFlight: 1, connections: 1, streams: 1 },
  { inFlight: 10, connections: 10, streams: 1 },
  { inFlight: 1000, connections: 100, streams: 10 },
]

const loads = [
  {
    name: 'put',
    label: 'put 256 B, one key',
    path: paths.put,
    body: putBody('bench/key', value),
    targets: [1.2, 1.5, 2],
  },
  {
    name: 'get',
    label: 'linearizable get',
    path: paths.range,
    body: rangeBody('bench/key'),
    targets: [1.2, 1.5, 1.5],
  },
  {
    name: 'get-serializable',
    label: 'serializable get',
    path: paths.range,
    body: rangeBody('bench/key', { isSerializable: true }),
    targets: [1.2, 1.5, 1.5],
  },
]
const bigRange = {
  name: 'range',
  label: 'range of 10,000 keys × 256 B',
  path: paths.range,
  body: rangeBody('range/', { rangeEnd: 'range0' }),
}
const bigRangeTarget = 1.5

/** What `profile` can drive. */
export const profiledLoads = [...loads, bigRange]

export const names = [...loads.map(({ name }) => name), bigRange.name]

/** Puts what the loads read. */
export async function fill(port) {
  await callOnce(port, paths.put, putBody('bench/key', value))
  for (let first = 0; first < rangeKeyCount; first += keysPerTxn) {
    const keys = Array.from({ length: keysPerTxn }, (_, index) => `range/${digits(first + index)}`)
    await callOnce(port, paths.txn, txnOfPutsBody(keys, value))
  }
}

async function measureLoad(servers, load, { shape, target }) {
  const samples = await alternate(async (kind) => {
    const server = servers[kind]
    const result = await h2load({
      ...load,
      ...shape,
      port: server.port,
      seconds: durationSeconds,
    })
    return rateSample(result, server)
  })
  const { name, label } = load
  return makeRow(
    {
      name,
      label: `${label}, ${shape.inFlight.toLocaleString('en')} in flight`,
      unit: '1/s',
      target,
    },
    samples,
  )
}

async function measureBigRange(servers) {
  const samples = await alternate(async (kind) => {
    const server = servers[kind]
    const shape = { connections: 4, streams: 1, port: server.port, seconds: durationSeconds }
    const result = await h2load({ ...bigRange, ...shape })
    return { ...rateSample(result, server), value: result.bytesPerSecond / 1e6 }
  })
  const { name, label } = bigRange
  return makeRow(
    { name, label: `${label}, 4 in flight`, unit: 'MB/s', target: bigRangeTarget },
    samples,
  )
}

export async function run({ wants, report }) {
  await withBoth(async (servers) => {
    for (const server of Object.values(servers)) await fill(server.port)
    for (const load of loads.filter(({ name }) => wants(name))) {
      const source = fixed(load.path, load.body)
      for (const { port } of Object.values(servers)) {
        await comeToPace({ port, source })
        await comeToPaceAlone({ port, source })
      }
      for (const [index, shape] of shapes.entries()) {
        report(await measureLoad(servers, load, { shape, target: load.targets[index] }))
      }
    }
    if (wants(bigRange.name)) report(await measureBigRange(servers))
  })
}
