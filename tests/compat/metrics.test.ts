/** Names, types and labels of metrics beside a real etcd's, and values that follow what was done. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { metricFamilies } from '../../src/core/rpc/metrics/families.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { ServerPair, type PairedServer } from '../helpers/server-pair.ts'

let pair: ServerPair

beforeAll(async () => {
  pair = await ServerPair.start({ etcdProgram: newerEtcd(), flags: ['--metrics=extensive'] })
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

/** etcd has these and ours has not: `docs/compatibility.md` says why. */
const missing = [
  // Of Go's runtime.
  /^go_/,
  /^etcd_server_go_version$/,
  // Of scraping itself.
  /^promhttp_/,
  // The v2 store and the gRPC proxy, which there are none of.
  /^etcd_debugging_store_/,
  /^etcd_grpc_proxy_/,
  // Steps that a store on LMDB does not have, or in which nothing waits long enough to be worth a clock.
  /^etcd_debugging_disk_backend_commit_/,
  /^etcd_(?:debugging_)?snap_/,
  /^etcd_disk_(?:backend_defrag|backend_snapshot|wal_write)_duration_seconds$/,
  /^etcd_debugging_mvcc_(?:db|index)_compaction_/,
  /^etcd_debugging_mvcc_(?:events|pending_events)_total$/,
  /^etcd_mvcc_(?:db_open_read_transactions|hash_duration_seconds|hash_rev_duration_seconds)$/,
  // Of the system: not of this process.
  /^process_network_/,
  // Not counted yet.
  /^etcd_server_learner_promote_/,
]

/** Of 3.4, which dashboards still read, and of 3.6. */
const ofOtherReleases: ReadonlySet<string> = new Set([
  'etcd_debugging_mvcc_put_total',
  'etcd_debugging_mvcc_delete_total',
  'etcd_debugging_mvcc_txn_total',
])

test('every metric has the type that it has in etcd, and what is missing is known', async () => {
  const { etcd, quorate } = await pair.both(read)
  for (const [name, type] of quorate.types) {
    if (etcd.types.has(name)) expect([name, type]).toEqual([name, etcd.types.get(name)])
  }
  const unexplained = [...etcd.types.keys()].filter(
    (name) => !quorate.types.has(name) && !missing.some((pattern) => pattern.test(name)),
  )
  expect(unexplained).toEqual([])
  const ours = [...quorate.types.keys()].filter(
    (name) => !etcd.types.has(name) && !ofOtherReleases.has(name) && !name.startsWith('quorate_'),
  )
  expect(ours).toEqual([])
})

/** What etcd's own dashboard and alert rules read, and Grafana's 3070 and dashboards of Kubernetes distributions beside them. */
const readByDashboards = [
  'etcd_debugging_mvcc_delete_total',
  'etcd_debugging_mvcc_keys_total',
  'etcd_debugging_mvcc_put_total',
  'etcd_debugging_mvcc_range_total',
  'etcd_debugging_mvcc_slow_watcher_total',
  'etcd_debugging_mvcc_txn_total',
  'etcd_debugging_mvcc_watch_stream_total',
  'etcd_debugging_mvcc_watcher_total',
  'etcd_debugging_server_lease_expired_total',
  'etcd_disk_backend_commit_duration_seconds_bucket',
  'etcd_disk_wal_fsync_duration_seconds_bucket',
  'etcd_mvcc_db_total_size_in_bytes',
  'etcd_mvcc_db_total_size_in_use_in_bytes',
  'etcd_mvcc_delete_total',
  'etcd_mvcc_put_total',
  'etcd_mvcc_range_total',
  'etcd_mvcc_txn_total',
  'etcd_network_client_grpc_received_bytes_total',
  'etcd_network_client_grpc_sent_bytes_total',
  'etcd_server_apply_duration_seconds_bucket',
  'etcd_server_client_requests_total',
  'etcd_server_has_leader',
  'etcd_server_health_failures',
  'etcd_server_health_success',
  'etcd_server_heartbeat_send_failures_total',
  'etcd_server_id',
  'etcd_server_is_leader',
  'etcd_server_is_learner',
  'etcd_server_leader_changes_seen_total',
  'etcd_server_proposals_applied_total',
  'etcd_server_proposals_committed_total',
  'etcd_server_proposals_failed_total',
  'etcd_server_proposals_pending',
  'etcd_server_quota_backend_bytes',
  'etcd_server_read_indexes_failed_total',
  'etcd_server_slow_apply_total',
  'etcd_server_slow_read_indexes_total',
  'etcd_server_version',
  'grpc_server_handled_total',
  'grpc_server_handling_seconds_bucket',
  'grpc_server_msg_received_total',
  'grpc_server_msg_sent_total',
  'grpc_server_started_total',
  'process_cpu_seconds_total',
  'process_max_fds',
  'process_open_fds',
  'process_resident_memory_bytes',
  'process_start_time_seconds',
] as const
/** Of members with others: `mixed-cluster.test.ts` and the node's unit tests see them. */
const readOfPeers = [
  'etcd_network_peer_received_bytes_total',
  'etcd_network_peer_round_trip_time_seconds',
  'etcd_network_peer_sent_bytes_total',
  'etcd_network_peer_sent_failures_total',
] as const

test('what dashboards and alert rules read is served', async () => {
  await pair.both((server) => post(server, '/v3/kv/put', { key: 'YQ==', value: 'Yg==' }))
  const { samples } = await read(pair.quorate)
  const names = new Set([...samples.keys()].map((series) => series.replace(/\{.*$/, '')))
  expect(readByDashboards.filter((name) => !names.has(name))).toEqual([])
  const known = new Set(metricFamilies.map(({ name }) => name))
  expect(readOfPeers.filter((name) => !known.has(name))).toEqual([])
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
    ...seriesOf(etcd, 'grpc_server_msg_'),
    ...seriesOf(etcd, 'grpc_server_handling_seconds'),
  ].filter((series) => services.test(series))
  expect(theirs.length).toBeGreaterThan(500)
  expect(theirs.filter((series) => !ours.has(series))).toEqual([])
})

test('values follow what is done', async () => {
  const before = await pair.both(read)
  await pair.both(async (server) => {
    await post(server, '/v3/kv/put', { key: 'YQ==', value: 'Yg==' })
    await post(server, '/v3/kv/put', {})
    await post(server, '/v3/kv/range', { key: 'YQ==' })
    await post(server, '/v3/kv/txn', {
      success: [
        { request_put: { key: 'Yg==', value: 'YWJj' } },
        { request_delete_range: { key: 'YQ==' } },
        { request_delete_range: { key: 'eA==' } },
      ],
    })
    await post(server, '/v3/lease/grant', { ID: '77', TTL: '600' })
    await post(server, '/v3/lease/keepalive', { ID: '77' })
    await post(server, '/v3/lease/revoke', { ID: '77' })
    await fetch(`${server.clientUrl}/health`)
    await fetch(`${server.clientUrl}/livez`)
  })
  const after = await pair.both(read)
  const handled = (code: string): string =>
    withSortedLabels(
      `grpc_server_handled_total{grpc_code="${code}",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"}`,
    )
  const messages = (direction: 'received' | 'sent', method: string): string =>
    withSortedLabels(
      `grpc_server_msg_${direction}_total{grpc_method="${method}",grpc_service="etcdserverpb.KV",grpc_type="unary"}`,
    )
  const applied = (op: string): string =>
    withSortedLabels(
      `etcd_server_apply_duration_seconds_count{version="v3",op="${op}",success="true"}`,
    )
  const series = [
    'etcd_server_has_leader',
    'etcd_server_is_leader',
    'etcd_server_health_success',
    'etcd_debugging_mvcc_current_revision',
    'etcd_server_proposals_pending',
    handled('OK'),
    handled('InvalidArgument'),
    'etcd_mvcc_put_total',
    'etcd_mvcc_delete_total',
    'etcd_mvcc_txn_total',
    'etcd_debugging_mvcc_keys_total',
    'etcd_debugging_mvcc_total_put_size_in_bytes',
    'etcd_debugging_lease_granted_total',
    'etcd_debugging_lease_renewed_total',
    'etcd_debugging_lease_revoked_total',
    'etcd_debugging_lease_ttl_total_bucket{le="1024"}',
    'etcd_debugging_lease_ttl_total_bucket{le="512"}',
    'etcd_debugging_auth_revision',
    messages('received', 'Put'),
    messages('sent', 'Put'),
    messages('sent', 'Txn'),
    'etcd_disk_defrag_inflight',
    'etcd_server_slow_read_indexes_total',
    'etcd_server_read_indexes_failed_total',
    'etcd_server_heartbeat_send_failures_total',
    applied('Put'),
    applied('Txn'),
    applied('LeaseGrant'),
    applied('LeaseRevoke'),
  ]
  const changes = (kind: 'etcd' | 'quorate'): unknown =>
    series.map((name) => [
      name,
      // What was never done has no series yet.
      (after[kind].samples.get(name) ?? NaN) -
        (before[kind].samples.get(name) ?? (after[kind].samples.has(name) ? 0 : NaN)),
    ])
  expect(changes('quorate')).toEqual(changes('etcd'))
  for (const { samples } of [after.etcd, after.quorate]) {
    const check = '{name="serializable_read",type="livez"}'
    expect(samples.get(`etcd_server_healthcheck${check}`)).toBe(1)
    expect(
      samples.get(
        'etcd_server_healthchecks_total{name="serializable_read",status="success",type="livez"}',
      ),
    ).toBe(1)
    expect([...samples.keys()].filter((name) => name.includes('client_api_version'))).not.toEqual(
      [],
    )
  }
  const { samples } = after.quorate
  expect(samples.get('etcd_mvcc_range_total')).toBeGreaterThan(0)
  for (const name of ['etcd_disk_wal_fsync_duration_seconds', 'etcd_mvcc_db_total_size_in_bytes']) {
    expect(samples.get(name) ?? samples.get(`${name}_count`)).toBeGreaterThan(0)
  }
})
