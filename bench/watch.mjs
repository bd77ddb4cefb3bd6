/** Watchers: how fast one writer's changes reach 1,000 of them, and what 10,000 cost that hear nothing. */
import { startJob, summary } from './driver/pool.mjs'
import { putBody, paths } from './messages.mjs'
import { alternate, durationSeconds, makeRow } from './rounds.mjs'
import { memoryOf, startServer, withBoth } from './servers.mjs'

export const names = ['watch', 'watch-idle']

const stampMarker = 'STAMP---'
const value = `${stampMarker}${'v'.repeat(248)}`
const audienceOf = { connections: 10, streams: 10, watchers: 10 }
/** 10,000 watchers that hear nothing: many to a stream as kube-apiserver has them, and each on a stream of its own. */
const idleAudiences = [
  { connections: 10, streams: 10, watchers: 100 },
  { connections: 100, streams: 100, watchers: 1 },
]
/** 25,000 events a second for 1,000 watchers, which both servers can deliver: their delay is not that of a queue. */
const calmPutsPerSecond = 25

function stampedPuts() {
  const template = putBody('watched/key', value)
  return { kind: 'stamped', path: paths.put, template, stampAt: template.indexOf(stampMarker) }
}

/** One writer before 1,000 watchers of its prefix; with `ratePerSecond` at that pace, otherwise as fast as it can. */
async function watchWhileWriting(server, ratePerSecond) {
  const audience = startJob({
    job: 'watch',
    port: server.port,
    ...audienceOf,
    key: 'watched/',
    rangeEnd: 'watched0',
    stampFromEnd: value.length,
  })
  await audience.ready
  const writer = startJob({
    job: 'unary',
    port: server.port,
    connections: 1,
    streams: 1,
    durationMs: durationSeconds * 1000,
    source: stampedPuts(),
    ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
  })
  const written = await writer.done
  audience.stop()
  const { count, p50Ms, p99Ms } = summary([await audience.done])
  const perSecond = count / written.seconds
  return { value: perSecond, p50Ms, p99Ms, ...memoryOf(server.pid), putsPerSecond: written.count }
}

async function fanOut(servers, report) {
  const fast = await alternate((kind) => watchWhileWriting(servers[kind]))
  const label = 'one writer, 1,000 watchers: events'
  report(makeRow({ name: 'watch', label, unit: '1/s', target: 1.5 }, fast))
  const calm = await alternate((kind) => watchWhileWriting(servers[kind], calmPutsPerSecond))
  for (const sample of Object.values(calm).flat()) sample.value = sample.p99Ms
  report(
    makeRow(
      {
        name: 'watch',
        label: `the same at ${calmPutsPerSecond} puts a second: p99 delay`,
        unit: 'ms',
        target: 1,
        isLowerBetter: true,
      },
      calm,
    ),
  )
}

async function idleMemory(kind, idleAudience) {
  const server = await startServer(kind)
  try {
    const before = memoryOf(server.pid)
    const audience = startJob({
      job: 'watch',
      port: server.port,
      ...idleAudience,
      key: 'idle/',
      areKeysApart: true,
    })
    await audience.ready
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const after = memoryOf(server.pid)
    audience.stop()
    await audience.done
    return { value: after.residentMb, growthMb: after.residentMb - before.residentMb, ...after }
  } finally {
    await server.dispose()
  }
}

export async function run({ wants, report }) {
  if (wants('watch')) await withBoth((servers) => fanOut(servers, report))
  if (!wants('watch-idle')) return
  for (const audience of idleAudiences) report(await idleRow(audience))
}

async function idleRow(audience) {
  const samples = await alternate((kind) => idleMemory(kind, audience))
  const growth = Object.values(samples).map((list) => `${Math.round(list.at(-1).growthMb)} MB`)
  const streamCount = (audience.connections * audience.streams).toLocaleString('en')
  return makeRow(
    {
      name: 'watch-idle',
      label: `10,000 idle watchers, ${streamCount} streams: memory`,
      unit: 'MB',
      target: 0.5,
      isLowerBetter: true,
      note: `of it the watchers and their connections: ${growth.join(' / ')}`,
    },
    samples,
  )
}
