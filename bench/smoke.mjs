/**
 * `npm run bench -- smoke`: every kind of load for a moment against our node alone, so that tests notice when the suite rots. Prints
 * what was counted, as JSON.
 */
import { run, startJob, summary } from './driver/pool.mjs'
import { bulkLoad, closedLoop, keyCount, keyOf, randomGet, randomPut } from './loads.mjs'
import { callOnce } from './driver/connection.mjs'
import { paths, putBody, rangeBody } from './messages.mjs'
import { memoryOf, startServer, statusOf } from './servers.mjs'

const shape = { connections: 2, streams: 2 }
const durationMs = 300
const watcherShape = { connections: 2, streams: 2, watchers: 5 }
const stamped = `STAMP---${'v'.repeat(8)}`
const putsPerSecond = 100

async function watched(port) {
  const audience = startJob({
    job: 'watch',
    port,
    ...watcherShape,
    key: 'watched/',
    rangeEnd: 'watched0',
    stampFromEnd: stamped.length,
  })
  await audience.ready
  const template = putBody('watched/key', stamped)
  const stampAt = template.indexOf('STAMP---')
  await run({
    job: 'unary',
    port,
    connections: 1,
    streams: 1,
    durationMs,
    ratePerSecond: putsPerSecond,
    source: { kind: 'stamped', path: paths.put, template, stampAt },
  })
  audience.stop()
  return summary([await audience.done])
}

/** Prints one object: a count for each kind of load. */
export async function smoke() {
  const server = await startServer('quorate')
  try {
    const { port } = server
    const load = await bulkLoad({ port })
    const { revision } = await statusOf(port)
    const counted = await callOnce(
      port,
      paths.range,
      rangeBody(keyOf(0), { rangeEnd: keyOf(keyCount), isCountOnly: true }),
    )
    const put = await closedLoop({ port, source: randomPut(), ...shape })
    const get = await closedLoop({ port, source: randomGet({}), ...shape })
    const pages = await run({
      job: 'pages',
      port,
      connections: 1,
      durationMs,
      key: Buffer.from(keyOf(0)),
      rangeEnd: keyOf(keyCount),
      limit: 500,
    })
    const events = await watched(port)
    const counts = {
      loadedTransactions: load.count,
      revision,
      countBytes: counted.length,
      puts: put.count,
      gets: get.count,
      pages: pages.count,
      events: events.count,
      eventDelayMs: events.p50Ms,
      residentMb: memoryOf(server.pid).residentMb,
    }
    process.stdout.write(`${JSON.stringify(counts)}\n`)
  } finally {
    await server.dispose()
  }
}
