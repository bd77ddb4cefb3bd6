/** Names, types and labels of metrics beside a real etcd's, and values that follow what was done. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { ServerPair, type PairedServer } from '../helpers/server-pair.ts'

let pair: ServerPair

beforeAll(async () => {
  pair = await ServerPair.start({ etcdProgram: newerEtcd() })
}, 120_000)

afterAll(async () => {
  await pair.dispose()
})

interface Metrics {
  readonly types: ReadonlyMap<string, string>
  readonly samples: ReadonlyMap<string, number>
}

async function read(server: PairedServer): Promise<Metrics> {
  const response = await fetch(`${server.clientUrl}/metrics`)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toMatch(
    /^text\/plain; version=0\.0\.4; charset=utf-8/,
  )
  const types = new Map<string, string>()
  const samples = new Map<string, number>()
  for (const line of (await response.text()).split('\n')) {
    const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? []
    if (name !== undefined && type !== undefined) types.set(name, type)
    const [, series, value] = /^([^#{ ]\S*(?:\{.*\})?) (\S+)$/.exec(line) ?? []
    if (series !== undefined) samples.set(withSortedLabels(series), Number(value))
  }
  return { types, samples }
}

function withSortedLabels(series: string): string {
  const [, name = series, labels] = /^([^{]+)\{(.*)\}$/.exec(series) ?? []
  return labels === undefined ? name : `${name}{${labels.split(',').sort().join(',')}}`
}

async function post(server: PairedServer, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${server.clientUrl}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  })
  await response.text()
}

/** etcd has these, ours does not yet, and dashboards of others do without: counters whose source is not counted. */
const missing = [
  // Of Go's runtime.
  /^go_/,
  // Of scraping itself.
  /^promhttp_/,
  // The v2 store and the gRPC proxy, which there are none of.
  /^etcd_debugging_store_/,
  /^etcd_grpc_proxy_/,
  /^etcd_debugging_snap_/,
  /^etcd_snap_/,
  /^etcd_server_go_version$/,
  // Not counted yet.
  /^etcd_debugging_(?:mvcc|lease|auth|disk|server)_/,
  /^etcd_mvcc_(?:put|delete|range|txn)_total$/,
  /^etcd_mvcc_hash/,
  /^etcd_mvcc_db_open_read_transactions$/,
  /^etcd_network_/,
  /^etcd_disk_(?:defrag|backend_snapshot|backend_defrag|wal_write)/,
  /^etcd_server_(?:heartbeat|slow|read_indexes|snapshot|learner|client|apply|range|healthcheck)/,
  /^grpc_server_msg_/,
  /^process_(?:virtual_memory_max|network)/,
]

test('every metric has the type that it has in etcd, and what is missing is known', async () => {
  const { etcd, quorate } = await pair.both(read)
  for (const [name, type] of quorate.types) {
    if (etcd.types.has(name)) expect([name, type]).toEqual([name, etcd.types.get(name)])
  }
  const unexplained = [...etcd.types.keys()].filter(
    (name) => !quorate.types.has(name) && !missing.some((pattern) => pattern.test(name)),
  )
  expect(unexplained).toEqual([])
  const ours = [...quorate.types.keys()].filter((name) => !etcd.types.has(name))
  expect(ours).toEqual([])
})

test('every method has a series for each of its outcomes from the start', async () => {
  const { etcd, quorate } = await pair.both(read)
  const seriesOf = (metrics: Metrics, name: string): string[] =>
    [...metrics.samples.keys()].filter((series) => series.startsWith(name)).sort()
  const ours = new Set(seriesOf(quorate, 'grpc_server_'))
  const services = /grpc_service="(?:etcdserverpb\.(?:KV|Watch|Lease|Auth))"/
  const theirs = [
    ...seriesOf(etcd, 'grpc_server_started_total'),
    ...seriesOf(etcd, 'grpc_server_handled_total'),
  ].filter((series) => services.test(series))
  expect(theirs.length).toBeGreaterThan(500)
  expect(theirs.filter((series) => !ours.has(series))).toEqual([])
})

test('values follow what is done', async () => {
  const before = await pair.both(read)
  await pair.both(async (server) => {
    await post(server, '/v3/kv/put', { key: 'YQ==', value: 'Yg==' })
    await post(server, '/v3/kv/put', {})
    await fetch(`${server.clientUrl}/health`)
  })
  const after = await pair.both(read)
  const handled = (code: string): string =>
    withSortedLabels(
      `grpc_server_handled_total{grpc_code="${code}",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"}`,
    )
  const series = [
    'etcd_server_has_leader',
    'etcd_server_is_leader',
    'etcd_server_health_success',
    'etcd_debugging_mvcc_current_revision',
    'etcd_server_proposals_pending',
    handled('OK'),
    handled('InvalidArgument'),
  ]
  const changes = (kind: 'etcd' | 'quorate'): unknown =>
    series.map((name) => [
      name,
      (after[kind].samples.get(name) ?? NaN) - (before[kind].samples.get(name) ?? NaN),
    ])
  expect(changes('quorate')).toEqual(changes('etcd'))
  const { samples } = after.quorate
  for (const name of ['etcd_disk_wal_fsync_duration_seconds', 'etcd_mvcc_db_total_size_in_bytes']) {
    expect(samples.get(name) ?? samples.get(`${name}_count`)).toBeGreaterThan(0)
  }
})
