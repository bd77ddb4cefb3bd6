/**
 * The metrics by name. Names, types and labels are etcd's; what has no true source here is not there.
 *
 * @see etcd v3 API, "Metrics"
 */
import { hexId, noNode } from '../../base/ids.ts'
import { counter, flag, gauge, type Family, type Read } from './family-kinds.ts'
import { samplesOf, type Sample } from './metric-family.ts'
import type { MetricSource } from './metric-source.ts'
import { ownFamilies } from './own-families.ts'
import { slowness } from './slowness-families.ts'

/** Shown where the system tells. */
const known = (value: number | undefined): readonly Sample[] =>
  value === undefined ? [] : [{ value }]

const server: readonly Family[] = [
  gauge('etcd_server_has_leader', 'Whether a leader is known.', ({ node }) =>
    flag(node.status.leader !== noNode),
  ),
  gauge('etcd_server_is_leader', 'Whether this member leads.', ({ node }) =>
    flag(node.status.role === 'leader'),
  ),
  gauge('etcd_server_is_learner', 'Whether this member is a learner.', ({ node }) =>
    flag(node.status.isLearner),
  ),
  gauge('etcd_server_id', 'Id of this member.', ({ memberId }) => [
    { labels: { server_id: hexId(memberId) }, value: 1 },
  ]),
  gauge('etcd_server_version', 'Version that is told to clients.', ({ node }) => [
    { labels: { server_version: node.status.version }, value: 1 },
  ]),
  gauge('etcd_cluster_version', 'Version of the cluster.', ({ node }) => [
    { labels: { cluster_version: node.status.clusterVersion.replace(/\.\d+$/, '') }, value: 1 },
  ]),
  counter(
    'etcd_server_leader_changes_seen_total',
    'Leaders that followed another or none.',
    ({ node }) => node.leaderChangeCount,
  ),
  gauge(
    'etcd_server_proposals_committed_total',
    'Highest index known to be committed.',
    ({ node }) => node.status.raftIndex,
  ),
  gauge(
    'etcd_server_proposals_applied_total',
    'Highest index that was applied.',
    ({ node }) => node.status.raftAppliedIndex,
  ),
  gauge(
    'etcd_server_proposals_pending',
    'Requests that wait for their effect.',
    ({ node }) => node.pendingProposalCount,
  ),
  counter(
    'etcd_server_proposals_failed_total',
    'Requests whose wait ended without effect.',
    ({ node }) => node.failedProposalCount,
  ),
  gauge(
    'etcd_server_quota_backend_bytes',
    'Limit of the size of the database.',
    ({ node }) => node.status.dbQuotaBytes,
  ),
  gauge('etcd_debugging_server_alarms', 'Alarms that are raised.', ({ node }) =>
    node.status.alarms.map(({ memberId, alarm }) => ({
      labels: {
        server_id: hexId(memberId),
        alarm_type: alarm === 'noSpace' ? 'NOSPACE' : 'CORRUPT',
      },
      value: 1,
    })),
  ),
  counter(
    'etcd_server_health_success',
    'Successful health checks.',
    ({ health }) => health.successCount,
  ),
  counter(
    'etcd_server_health_failures',
    'Failed health checks.',
    ({ health }) => health.failureCount,
  ),
]

const checks: readonly Family[] = [
  gauge('etcd_server_healthcheck', 'The last result of each check: 1 is good.', ({ health }) =>
    health.checks
      .filter(({ successCount, failureCount }) => successCount + failureCount > 0)
      .map(({ type, name, hasSucceededLast }) => ({
        labels: { type, name },
        value: flag(hasSucceededLast),
      })),
  ),
  counter('etcd_server_healthchecks_total', 'Results of each check.', ({ health }) =>
    health.checks.flatMap(({ type, name, successCount, failureCount }) =>
      [
        { labels: { type, name, status: 'success' }, value: successCount },
        { labels: { type, name, status: 'error' }, value: failureCount },
      ].filter(({ value }) => value > 0),
    ),
  ),
  counter('etcd_server_client_requests_total', 'Calls by version of the client.', ({ clients }) =>
    [...clients.all()].flatMap(({ version, unaryCount, streamCount }) =>
      [
        { labels: { type: 'unary', client_api_version: version }, value: unaryCount },
        { labels: { type: 'stream', client_api_version: version }, value: streamCount },
      ].filter(({ value }) => value > 0),
    ),
  ),
]

/** What etcd counts under two names, the older of which it has kept. */
function operationCounters(prefixes: readonly string[]): readonly Family[] {
  return prefixes.flatMap((prefix) => [
    counter(`${prefix}_put_total`, 'Puts.', ({ node }) => node.operations.putCount),
    counter(`${prefix}_delete_total`, 'Deletes.', ({ node }) => node.operations.deleteCount),
    counter(
      `${prefix}_range_total`,
      'Ranges.',
      ({ node }) => node.operations.rangeCount + node.rangeCount,
    ),
    counter(
      `${prefix}_txn_total`,
      'Transactions of more than one operation.',
      ({ node }) => node.operations.txnCount,
    ),
  ])
}

const leases: readonly Family[] = [
  counter(
    'etcd_debugging_lease_granted_total',
    'Leases granted.',
    ({ node }) => node.leases.grantedTtls.count,
  ),
  counter(
    'etcd_debugging_lease_revoked_total',
    'Leases that ended.',
    ({ node }) => node.leases.revokedCount,
  ),
  counter(
    'etcd_debugging_lease_renewed_total',
    'Leases that this member renewed.',
    ({ node }) => node.leases.renewedCount,
  ),
  counter(
    'etcd_debugging_server_lease_expired_total',
    'Leases that this member ended because their time was over.',
    ({ node }) => node.leases.expiredCount,
  ),
  {
    name: 'etcd_debugging_lease_ttl_total',
    type: 'histogram',
    help: 'Times to live of granted leases, in seconds.',
    read: ({ node }) => samplesOf(node.leases.grantedTtls),
  },
]

const store: readonly Family[] = [
  gauge(
    'etcd_mvcc_db_total_size_in_bytes',
    'Size of the database.',
    ({ node }) => node.status.dbSizeBytes,
  ),
  gauge(
    'etcd_mvcc_db_total_size_in_use_in_bytes',
    'Part of the size of the database that is in use.',
    ({ node }) => node.status.dbSizeInUseBytes,
  ),
  gauge(
    'etcd_debugging_mvcc_current_revision',
    'Revision of the store.',
    ({ node }) => node.status.revision,
  ),
  gauge(
    'etcd_debugging_mvcc_compact_revision',
    'Revision up to which the store was compacted.',
    ({ node }) => node.status.compactedRevision,
  ),
  gauge(
    'etcd_debugging_mvcc_watch_stream_total',
    'Watch streams.',
    (source) => source.calls.of('/etcdserverpb.Watch/Watch').openCount,
  ),
  gauge('etcd_debugging_mvcc_watcher_total', 'Watchers.', ({ node }) => node.watcherCount),
  gauge(
    'etcd_debugging_mvcc_slow_watcher_total',
    'Watchers that read history.',
    ({ node }) => node.laggingWatcherCount,
  ),
  ...operationCounters(['etcd_mvcc', 'etcd_debugging_mvcc']),
  gauge(
    'etcd_debugging_mvcc_total_put_size_in_bytes',
    'Bytes of keys and values that were put.',
    ({ node }) => node.operations.putSizeBytes,
  ),
  gauge('etcd_debugging_mvcc_keys_total', 'Keys.', ({ node }) => node.keyCount),
  gauge(
    'etcd_debugging_auth_revision',
    'Revision of users and roles.',
    ({ node }) => node.authRevision,
  ),
  gauge(
    'etcd_disk_wal_write_bytes_total',
    'Bytes written to the log.',
    ({ node }) => node.logWrittenBytes,
  ),
  gauge('etcd_disk_defrag_inflight', 'Whether the database is being defragmented.', ({ node }) =>
    flag(node.isDefragmenting),
  ),
  {
    name: 'etcd_disk_wal_fsync_duration_seconds',
    type: 'histogram',
    help: 'Time that syncs of the log took.',
    read: ({ node }) => samplesOf(node.logSyncTimes),
  },
  {
    name: 'etcd_disk_backend_commit_duration_seconds',
    type: 'histogram',
    help: 'Time that transactions of the database took.',
    read: ({ node }) =>
      node.databaseCommitTimes === undefined ? [] : samplesOf(node.databaseCommitTimes),
  },
]

/** As metrics name the codes, by number. */
const codeNames = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
] as const

const calls: readonly Family[] = [
  counter(
    'etcd_network_client_grpc_received_bytes_total',
    'Bytes received from clients.',
    ({ traffic }) => traffic.receivedBytes,
  ),
  counter(
    'etcd_network_client_grpc_sent_bytes_total',
    'Bytes sent to clients.',
    ({ traffic }) => traffic.sentBytes,
  ),
  counter('grpc_server_started_total', 'Calls that began.', (source) =>
    [...source.calls.all()].map((call) => ({ labels: labelsOf(call), value: call.startedCount })),
  ),
  counter('grpc_server_handled_total', 'Calls that ended, by code.', (source) =>
    [...source.calls.all()].flatMap(({ type, service, method, endedCounts }) =>
      codeNames.map((code, number) => ({
        labels: {
          grpc_type: type,
          grpc_service: service,
          grpc_method: method,
          grpc_code: code,
        },
        value: endedCounts[number] ?? 0,
      })),
    ),
  ),
  counter('grpc_server_msg_received_total', 'Messages received.', (source) =>
    [...source.calls.all()].map((call) => ({
      labels: labelsOf(call),
      value: call.receivedMessageCount,
    })),
  ),
  counter('grpc_server_msg_sent_total', 'Messages sent.', (source) =>
    [...source.calls.all()].map((call) => ({
      labels: labelsOf(call),
      value: call.sentMessageCount,
    })),
  ),
  {
    name: 'grpc_server_handling_seconds',
    type: 'histogram',
    help: 'Time that calls took.',
    read: (source) =>
      [...source.calls.all()].flatMap((call) =>
        call.times === undefined ? [] : samplesOf(call.times, labelsOf(call)),
      ),
  },
]

function labelsOf(call: {
  readonly type: string
  readonly service: string
  readonly method: string
}): Readonly<Record<string, string>> {
  return { grpc_type: call.type, grpc_service: call.service, grpc_method: call.method }
}

type PeerSamples = (
  figures: MetricSource['node']['peers'] extends ReadonlyMap<unknown, infer Figures>
    ? Figures
    : never,
  id: string,
) => readonly Sample[]
const ofPeers =
  (samples: PeerSamples): Read =>
  ({ node }) =>
    [...node.peers].flatMap(([id, figures]) => samples(figures, hexId(id)))

const peers: readonly Family[] = [
  gauge('etcd_network_known_peers', 'Peers that are known.', ({ node, memberId }) =>
    [...node.peers.keys()].map((id) => ({
      labels: { Local: hexId(memberId), Remote: hexId(id) },
      value: 1,
    })),
  ),
  gauge('etcd_network_active_peers', 'Peers that there is a connection with.', (source) =>
    source.node.activePeers.map((id) => ({
      labels: { Local: hexId(source.memberId), Remote: hexId(id) },
      value: 1,
    })),
  ),
  counter(
    'etcd_network_peer_sent_bytes_total',
    'Bytes sent to a peer over its streams.',
    ofPeers(({ sentBytes }, To) => [{ labels: { To }, value: sentBytes }]),
  ),
  counter(
    'etcd_network_peer_received_bytes_total',
    'Bytes received from a peer over its streams.',
    ofPeers(({ receivedBytes }, From) => [{ labels: { From }, value: receivedBytes }]),
  ),
  counter(
    'etcd_network_peer_sent_failures_total',
    'Messages to a peer that could not be sent.',
    ofPeers(({ sendFailureCount }, To) => [{ labels: { To }, value: sendFailureCount }]),
  ),
  {
    name: 'etcd_network_peer_round_trip_time_seconds',
    type: 'histogram',
    help: 'Time to a peer and back.',
    read: ofPeers(({ roundTripTimes }, To) =>
      roundTripTimes === undefined ? [] : samplesOf(roundTripTimes, { To }),
    ),
  },
]

const processes: readonly Family[] = [
  gauge(
    'process_resident_memory_bytes',
    'Resident memory.',
    (source) => source.process.residentBytes,
  ),
  gauge('process_virtual_memory_bytes', 'Virtual memory.', (source) =>
    known(source.process.virtualBytes),
  ),
  counter('process_cpu_seconds_total', 'Processor time.', (source) => source.process.cpuSeconds),
  gauge(
    'process_start_time_seconds',
    'Time of the start since 1970.',
    (source) => source.process.startSeconds,
  ),
  gauge('process_virtual_memory_max_bytes', 'Virtual memory that there may be.', (source) =>
    known(source.process.virtualBytesMax),
  ),
  gauge('process_open_fds', 'Open files.', (source) => known(source.process.openFileCount)),
  gauge('process_max_fds', 'Files that may be open.', (source) =>
    known(source.process.openFileCountMax),
  ),
  gauge('os_fd_used', 'Open files.', (source) => known(source.process.openFileCount)),
  gauge('os_fd_limit', 'Files that may be open.', (source) =>
    known(source.process.openFileCountMax),
  ),
]

/** All of them. */
export const metricFamilies: readonly Family[] = [
  ...server,
  ...slowness,
  ...checks,
  ...leases,
  ...store,
  ...calls,
  ...peers,
  ...processes,
  ...ownFamilies,
]
