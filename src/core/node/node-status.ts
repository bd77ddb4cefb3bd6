/** What a node tells about itself without asking anybody. */
import { alarmTypeOf } from '../apply/alarm-store.ts'
import type { Alarm } from '../apply/apply-result.ts'
import { noNode, type NodeId } from '../base/ids.ts'
import { compareReleases, parseRelease, textOfRelease, type Release } from '../base/release.ts'
import { errorTable } from '../errors/error-table.ts'
import { AlarmType } from '../proto/gen/rpc.ts'
import type { LogIndex, Term } from '../raft/message.ts'
import type { PeerProgress, RaftRole } from '../raft/ready.ts'
import type { VersionDescription } from './node-environment.ts'
import type { NodeParts } from './node-parts.ts'
import type { StateMachine } from './state-machine.ts'

export interface NodeStatus {
  /** etcd version as told to clients. */
  readonly version: string
  /** Of the cluster, as major.minor.0; empty until a leader has decided it. */
  readonly clusterVersion: string
  /** Version of the stored format, as major.minor.0; empty until the cluster's is decided. */
  readonly storageVersion: string
  /** Version to which the cluster is being lowered, as major.minor.0; empty while it is not. */
  readonly downgradeTarget: string
  /** 0 while none is known. */
  readonly leader: NodeId
  readonly role: RaftRole
  readonly isLearner: boolean
  /** Highest committed index. */
  readonly raftIndex: LogIndex
  readonly raftAppliedIndex: LogIndex
  readonly raftTerm: Term
  readonly revision: number
  readonly compactedRevision: number
  readonly dbSizeBytes: number
  readonly dbSizeInUseBytes: number
  readonly dbQuotaBytes: number
  readonly alarms: readonly Alarm[]
  /** `etcdserver: no leader` and one line per alarm, as etcd words them. */
  readonly errors: readonly string[]
  /** Filled on a leader only. */
  readonly progress: ReadonlyMap<NodeId, PeerProgress>
}

/** Why a node ended by itself. */
export type StopReason =
  | { readonly kind: 'stopped' }
  /** The cluster removed this member. */
  | { readonly kind: 'removed' }
  /** Damaged or unwritable data, or a bug; `error` says which. */
  | { readonly kind: 'fault'; readonly error: Error }

/** The present state of a running node. @param version  etcd version told to clients */
export function describeNode(parts: NodeParts, version: string): NodeStatus {
  const { machine, raft, leadership, quota } = parts
  const { backend, store, alarms, membership } = machine.state
  const { progress, isLearner } = raft.status()
  const size = backend.size()
  return {
    version,
    clusterVersion: membership.clusterVersion.version ?? '',
    storageVersion: storageVersionOf(machine),
    downgradeTarget: membership.clusterVersion.downgrade?.targetVersion ?? '',
    leader: leadership.leader,
    role: leadership.role,
    isLearner,
    raftIndex: raft.commit,
    raftAppliedIndex: machine.appliedIndex,
    raftTerm: raft.term,
    revision: store.currentRevision,
    compactedRevision: store.compactedRevision,
    dbSizeBytes: size.allocatedSizeBytes,
    dbSizeInUseBytes: size.usedSizeBytes,
    dbQuotaBytes: quota.limitBytes ?? 0,
    alarms: alarms.list(),
    errors: errorsOf(leadership.leader, alarms.list()),
    progress,
  }
}

/** As `/version` tells them. @param version  etcd version told to clients */
export function describeVersions(
  machine: Pick<StateMachine, 'state'>,
  version: string,
): VersionDescription {
  return {
    etcdserver: version,
    etcdcluster: machine.state.membership.clusterVersion.version ?? 'not_decided',
    storage: storageVersionOf(machine) || 'unknown',
  }
}

/** What is stored is of the version that all members speak; before etcd 3.5, which brought it, nobody told. */
export function storageVersionOf(machine: Pick<StateMachine, 'state'>): string {
  const { version } = machine.state.membership.clusterVersion
  const release = parseRelease(version ?? '')
  return release === undefined || compareReleases(release, oldestStorage) < 0
    ? ''
    : textOfRelease(release)
}

const oldestStorage: Release = { major: 3, minor: 5 }

/** As etcd words them: `etcdserver: no leader`, and one text per alarm. */
function errorsOf(leader: NodeId, alarms: readonly Alarm[]): readonly string[] {
  const errors: string[] = leader === noNode ? [errorTable.noLeader.text] : []
  for (const { memberId, alarm } of alarms) {
    const name = alarmTypeOf(alarm) === AlarmType.NOSPACE ? 'NOSPACE' : 'CORRUPT'
    errors.push(`memberID:${memberId.toString()} alarm:${name}`)
  }
  return errors
}
