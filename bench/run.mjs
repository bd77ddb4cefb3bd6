/**
 * `npm run bench [-- name...]`: requests a second of one store node beside one etcd, in the same run, as ratios.
 *
 * Both serve the same load from h2load (Debian: nghttp2-client), which is far faster than either server. Rounds alternate
 * between the servers, because the machine's speed drifts; the medians are compared.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { putBody, rangeBody } from './grpc-message.mjs'
import { startServer } from './servers.mjs'

const roundCount = Number(process.env.BENCH_ROUNDS ?? 3)
const durationSeconds = Number(process.env.BENCH_SECONDS ?? 3)
const value = 'v'.repeat(256)

const loads = [
  { name: 'put', path: '/etcdserverpb.KV/Put', body: putBody('bench/key', value) },
  { name: 'get', path: '/etcdserverpb.KV/Range', body: rangeBody('bench/key') },
  {
    name: 'get-serializable',
    path: '/etcdserverpb.KV/Range',
    body: rangeBody('bench/key', { isSerializable: true }),
  },
  {
    name: 'range-100',
    path: '/etcdserverpb.KV/Range',
    body: rangeBody('range/', { rangeEnd: 'range0', limit: 100 }),
  },
]
/** Requests in flight: connections times streams on each. */
const shapes = [
  { inFlight: 1, connections: 1, streams: 1 },
  { inFlight: 10, connections: 10, streams: 1 },
  { inFlight: 1000, connections: 100, streams: 10 },
]

const folder = mkdtempSync(join(tmpdir(), 'bench-'))

function bodyFile(name, body) {
  const path = join(folder, name)
  writeFileSync(path, body)
  return path
}

function h2load(port, { path, file, connections, streams, limit }) {
  const result = spawnSync(
    'h2load',
    [
      ...limit,
      `--clients=${connections}`,
      `--max-concurrent-streams=${streams}`,
      `--data=${file}`,
      '--header=content-type: application/grpc',
      '--header=te: trailers',
      `http://127.0.0.1:${port}${path}`,
    ],
    { encoding: 'utf8' },
  )
  if (result.error)
    throw new Error('h2load is needed (Debian: nghttp2-client)', { cause: result.error })
  const rate = /finished in [^,]+, ([\d.]+) req\/s/.exec(result.stdout)
  const outcome = /requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored/.exec(result.stdout)
  if (!rate || !outcome)
    throw new Error(`h2load printed no result: ${result.stdout}${result.stderr}`)
  if (Number(outcome[2]) + Number(outcome[3]) > 0) throw new Error(`requests failed: ${outcome[0]}`)
  return Number(rate[1])
}

function prepare(port) {
  const once = { connections: 1, streams: 1, limit: ['--requests=1'] }
  const file = bodyFile('prepare', putBody('bench/key', value))
  h2load(port, { path: '/etcdserverpb.KV/Put', file, ...once })
  for (let number = 0; number < 100; number++) {
    const rangeFile = bodyFile(
      'prepare',
      putBody(`range/${String(number).padStart(4, '0')}`, value),
    )
    h2load(port, { path: '/etcdserverpb.KV/Put', file: rangeFile, ...once })
  }
}

const median = (numbers) => numbers.toSorted((left, right) => left - right)[numbers.length >> 1]
const rounded = (number) => Math.round(number).toLocaleString('en')

async function measureAll(chosen) {
  const servers = { quorate: await startServer('quorate'), etcd: await startServer('etcd') }
  const rows = []
  try {
    for (const server of Object.values(servers)) prepare(server.port)
    for (const load of chosen) {
      const file = bodyFile(load.name, load.body)
      for (const shape of shapes) rows.push(measureOne(servers, { ...load, file }, shape))
    }
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.stop()))
  }
  return rows
}

function measureOne(servers, load, shape) {
  const rates = { quorate: [], etcd: [] }
  const limit = [`--duration=${durationSeconds}`, '--warm-up-time=1']
  for (let round = 0; round < roundCount; round++) {
    for (const kind of ['quorate', 'etcd']) {
      rates[kind].push(h2load(servers[kind].port, { ...load, ...shape, limit }))
    }
  }
  const [ours, theirs] = [median(rates.quorate), median(rates.etcd)]
  const row = { load: load.name, inFlight: shape.inFlight, ours, theirs, ratio: ours / theirs }
  const cells = [
    row.load.padEnd(18),
    String(row.inFlight).padStart(9),
    rounded(ours).padStart(12),
    rounded(theirs).padStart(12),
    row.ratio.toFixed(2).padStart(7),
  ]
  process.stdout.write(`${cells.join(' ')}\n`)
  return row
}

const names = process.argv.slice(2)
const chosen = loads.filter((load) => names.length === 0 || names.includes(load.name))
if (chosen.length === 0) {
  process.stderr.write(
    `no such benchmark; known are: ${loads.map((load) => load.name).join(', ')}\n`,
  )
  process.exit(2)
}
process.stdout.write(`${'load'.padEnd(18)} in flight    ours, 1/s    etcd, 1/s   ratio\n`)
try {
  const rows = await measureAll(chosen)
  if (process.env.BENCH_JSON)
    writeFileSync(process.env.BENCH_JSON, `${JSON.stringify(rows, null, 2)}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
