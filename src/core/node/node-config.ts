/** Everything that can be set on a store node, parsed and complete. Parsing flags and variables is the program's affair. */

import { jwtMethods, type JwtOptions } from '../auth/jwt-tokens.ts'

import type { AutoCompactionOptions } from './auto-compaction.ts'

export { jwtMethods, type AutoCompactionOptions, type JwtOptions }

/** One URL list per member name, as `--initial-cluster` gives it. */
export type InitialCluster = ReadonlyMap<string, readonly string[]>

export interface NodeConfig {
  /** Human-readable name; also the key of this member in `initialCluster`. */
  readonly name: string
  /** Root of everything the node stores. */
  readonly dataDirectory: string
  /** Where the log is kept; undefined: below the data directory. */
  readonly walDirectory: string | undefined
  /** URLs that other members dial, with scheme, host and port. */
  readonly initialAdvertisePeerUrls: readonly string[]
  /** URLs that clients dial; published to the cluster. */
  readonly advertiseClientUrls: readonly string[]
  readonly initialCluster: InitialCluster
  readonly initialClusterState: 'new' | 'existing'
  readonly initialClusterToken: string

  readonly heartbeatMs: number
  /** A multiple of `heartbeatMs`; elections start after one to two of these without a leader. */
  readonly electionMs: number
  readonly usesPreVote: boolean
  /** Whether the first election may come early; see `raft-loop.ts`. */
  readonly advancesElectionTicks: boolean

  readonly requestSizeBytesMax: number
  readonly requestTimeoutMs: number
  /** 0: the default of 2 GiB; negative: none. */
  readonly quotaBytes: number
  readonly applyLagEntriesMax: number
  /** Applied entries between two snapshots of the log. */
  readonly snapshotEntryCount: number
  /** Entries kept behind a snapshot for slow followers. */
  readonly snapshotCatchUpEntryCount: number
  /** Bytes of entries kept at most, applied ones that is; a follower further behind gets a snapshot. */
  readonly snapshotCatchUpSizeBytes: number
  /** Revisions removed per step of a compaction. */
  readonly compactionBatchRevisionsMax: number
  readonly compactionPauseMs: number
  /** Requests that take longer to be applied, and reads that take longer, are told of in the log. */
  readonly applyWarningMs: number
  /** Learners that the cluster may have at a time. Must be the same on all members. */
  readonly learnerCountMax: number
  /** A database that has at least this much unused room is defragmented before it is served; 0: none is. */
  readonly startDefragmentBytesMin: number
  readonly appendSizeBytesMax: number
  readonly inflightMessagesMax: number
  /** Whether the leader writes down what is left of long leases, for the leader after it. */
  readonly writesLeaseCheckpoints: boolean
  /** Whether changes of membership that would cost the cluster its majority are refused. */
  readonly isStrictAboutQuorum: boolean
  /** How history is kept short without being asked. */
  readonly autoCompaction: AutoCompactionOptions
  /** How tokens are signed; undefined: they are simple ones, kept in memory. */
  readonly jwt: JwtOptions | undefined
  /** How long a simple token lives without being used. */
  readonly simpleTokenTtlMs: number
  /** Logarithm of the rounds of hashing a password, 4 to 31. */
  readonly passwordCost: number
  /** Size at which a new log segment is begun. */
  readonly walSegmentSizeBytes: number
  /** How members find out that they hold different data. */
  readonly corruptionChecks: CorruptionCheckOptions
  /** How often it is looked whether a lowering of the cluster's version has come to its end; 0: never. */
  readonly downgradeCheckMs: number
  /** Keep the data, forget all other members, and go on alone. Never while one of them still runs. */
  readonly forcesNewCluster: boolean
  /** etcd version told to clients and peers, as major.minor.patch. */
  readonly reportedVersion: string
}

/** Which comparisons with other members are made. */
export interface CorruptionCheckOptions {
  /** Before anything is served; a member that differs does not start. */
  readonly checksAtStart: boolean
  /** How often the leader compares all members; 0: never. */
  readonly intervalMs: number
  /** How often the leader compares what members had when they compacted; 0: never. */
  readonly compactionIntervalMs: number
}

/** Quota when none is set: etcd's 2 GiB. */
export const defaultQuotaBytes = 2 * 1024 * 1024 * 1024

/** Values for whatever is not set, with the reason beside each. What identifies a node has no default here. */
export const nodeConfigDefaults = {
  name: 'default',
  walDirectory: undefined,
  initialClusterState: 'new',
  initialClusterToken: 'etcd-cluster',
  // etcd's figures: a round trip within a data centre is far below 100 ms, ten lost heartbeats are no accident.
  heartbeatMs: 100,
  electionMs: 1_000,
  // A member that comes back from a partition must not disturb a leader that is fine.
  usesPreVote: true,
  advancesElectionTicks: true,
  // 1.5 MiB: what one entry may hold up the log for.
  requestSizeBytesMax: 1_572_864,
  // 5 s for the disk and the network, and two elections.
  requestTimeoutMs: 7_000,
  quotaBytes: 0,
  // A node that applies this much behind its log would answer only after the time-out.
  applyLagEntriesMax: 5_000,
  snapshotEntryCount: 10_000,
  snapshotCatchUpEntryCount: 5_000,
  // 32 MiB: seconds of a load that a disk keeps up with, and less than what sending the whole state costs where entries are
  // that large.
  snapshotCatchUpSizeBytes: 33_554_432,
  compactionBatchRevisionsMax: 1_000,
  compactionPauseMs: 10,
  // etcd's figure.
  applyWarningMs: 100,
  // etcd's figure: a learner costs the leader what a voter does.
  learnerCountMax: 1,
  startDefragmentBytesMin: 0,
  // 1 MiB: fills the link without starving heartbeats.
  appendSizeBytesMax: 1_048_576,
  inflightMessagesMax: 512,
  // As etcd's feature gate: off.
  writesLeaseCheckpoints: false,
  isStrictAboutQuorum: true,
  autoCompaction: { mode: 'off' },
  jwt: undefined,
  simpleTokenTtlMs: 300_000,
  // bcrypt's own default: about 70 ms of a core.
  passwordCost: 10,
  walSegmentSizeBytes: 64_000_000,
  // As in etcd: off.
  corruptionChecks: { checksAtStart: false, intervalMs: 0, compactionIntervalMs: 0 },
  downgradeCheckMs: 5_000,
  forcesNewCluster: false,
  reportedVersion: '3.7.1',
} as const satisfies Partial<NodeConfig>
