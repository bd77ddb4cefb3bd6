/** Metrics of what took longer than it should, and of how long applying took. */
import { counter, flag, gauge, type Family } from './family-kinds.ts'
import { samplesOf } from './metric-family.ts'

/** All of them. */
export const slowness: readonly Family[] = [
  counter(
    'etcd_server_slow_apply_total',
    'Requests and reads that took longer than they should.',
    ({ node }) => node.slowApplyCount,
  ),
  counter(
    'etcd_server_slow_read_indexes_total',
    'Read indexes that were not told in time.',
    ({ node }) => node.slowReadIndexCount,
  ),
  counter(
    'etcd_server_read_indexes_failed_total',
    'Read indexes that a change of leaders left without an answer.',
    ({ node }) => node.failedReadIndexCount,
  ),
  counter(
    'etcd_server_heartbeat_send_failures_total',
    'Heartbeats that this member sent too late while it led.',
    ({ node }) => node.lateHeartbeatCount,
  ),
  gauge(
    'etcd_server_snapshot_apply_in_progress_total',
    'Whether a received database is being put in force.',
    ({ node }) => flag(node.isInstalling),
  ),
  {
    name: 'etcd_server_apply_duration_seconds',
    type: 'histogram',
    help: 'Time that applying a request took.',
    read: ({ node }) =>
      node.applyTimes.flatMap(({ kind, succeeded, failed }) => {
        const labels = { version: 'v3', op: operationNameOf(kind) }
        return [
          ...(succeeded.count > 0 ? samplesOf(succeeded, { ...labels, success: 'true' }) : []),
          ...(failed.count > 0 ? samplesOf(failed, { ...labels, success: 'false' }) : []),
        ]
      }),
  },
]

const operationNames: Readonly<Record<string, string>> = {
  compact: 'Compaction',
  memberAttributes: 'ClusterMemberAttrSet',
  clusterVersion: 'ClusterVersionSet',
  downgrade: 'DowngradeInfoSet',
  nothing: 'unknown',
  'auth.authenticate': 'Authenticate',
}

/** As etcd calls it. */
function operationNameOf(kind: string): string {
  const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
  return operationNames[kind] ?? kind.split('.').map(capital).join('')
}
