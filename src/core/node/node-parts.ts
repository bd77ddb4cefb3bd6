/** Builds the parts of a node from what its data directory held, and connects them. Nothing runs yet. */
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { ClusterId, NodeId } from '../base/ids.ts'
import { emptyBytes } from '../base/bytes.ts'
import type { PeerTransport } from '../peer/peer-transport.ts'
import { MemoryLogStorage } from '../raft/memory-log-storage.ts'
import { RaftNode } from '../raft/raft-node.ts'
import type { WriteAheadLog } from '../wal/write-ahead-log.ts'
import { ApplyPace } from './apply-pace.ts'
import { bootNode, nodePathsOf, type BootState } from './bootstrap.ts'
import type { DatabaseFolder } from './database-folder.ts'
import { DatabaseSnapshots } from './database-snapshots.ts'
import { FirstElection } from './first-election.ts'
import { HeartbeatPace } from './heartbeat-pace.ts'
import { Leadership } from './leadership.ts'
import type { PeerAnswer } from './leader-leases.ts'
import { LinearizableReads } from './linearizable-read.ts'
import type { NodeConfig } from './node-config.ts'
import type { NodeEnvironment } from './node-environment.ts'
import { describeVersions, storageVersionOf } from './node-status.ts'
import { PeerDirectory } from './peer-directory.ts'
import { Proposals } from './proposals.ts'
import { RaftLoop, type RaftLoopOptions } from './raft-loop.ts'
import { answerPeer, openDoors, type RequestDoors } from './request-doors.ts'
import { RequestIds } from './request-ids.ts'
import { SnapshotPolicy } from './snapshot-policy.ts'
import { SnapshotSender } from './snapshot-sender.ts'
import { SpaceQuota } from './space-quota.ts'
import { StateMachine } from './state-machine.ts'
import { timeoutCauseOf } from './timeout-cause.ts'

/** Committed entries handed out at once, in bytes: bounds how long applying keeps the driver from its next Ready. */
const committedSizeBytesMax = 1_048_576

/** What may be proposed and not yet committed, in bytes; proposals wait in their queue beyond it. */
const uncommittedSizeBytesMax = 256 * 1_048_576

export interface NodeParts extends RequestDoors {
  readonly clock: Clock
  readonly logger: Logger
  readonly memberId: NodeId
  readonly clusterId: ClusterId
  readonly raft: RaftNode
  readonly wal: WriteAheadLog
  readonly folder: DatabaseFolder
  readonly machine: StateMachine
  readonly transport: PeerTransport
  readonly peers: PeerDirectory
  readonly leadership: Leadership
  readonly proposals: Proposals
  readonly reads: LinearizableReads
  readonly sender: SnapshotSender
  readonly snapshots: SnapshotPolicy
  readonly databaseSnapshots: DatabaseSnapshots
  readonly loop: RaftLoop
  readonly quota: SpaceQuota
  readonly firstElection: FirstElection
  readonly applyPace: ApplyPace
  readonly heartbeatPace: HeartbeatPace
}

/** What the parts tell the node they belong to. */
export interface NodeListener {
  onFault(fault: Error): void
  onMembershipChange(): void
}

/** @throws what {@link bootNode} throws */
export async function buildNode(
  environment: NodeEnvironment,
  config: NodeConfig,
  listener: NodeListener,
): Promise<NodeParts> {
  const late: { raft?: RaftNode; machine?: StateMachine } = {}
  // For a follower that needs more than the log has, the state of now is always there.
  const storageOf = (): MemoryLogStorage =>
    new MemoryLogStorage(() => {
      const { raft, machine } = late
      if (raft === undefined || machine === undefined || machine.appliedIndex === 0) {
        return 'temporarilyUnavailable'
      }
      const { appliedIndex: index, appliedTerm: term } = machine
      return { metadata: { index, term, confState: raft.confState }, data: emptyBytes }
    })
  const boot = await bootNode(environment, config, storageOf)
  const machine = openMachine(environment, config, { boot, listener })
  late.machine = machine
  const raft = makeRaft(environment, config, { boot, appliedIndex: machine.appliedIndex })
  late.raft = raft
  const parts = connect({ environment, config, boot, listener, machine, raft })
  await parts.databaseSnapshots.removeLeftovers()
  return parts
}

function openMachine(
  environment: NodeEnvironment,
  config: NodeConfig,
  context: { readonly boot: BootState; readonly listener: NodeListener },
): StateMachine {
  const { clock, logger, backendFactory: factory } = environment
  return StateMachine.open(
    { clock, logger, factory, folder: context.boot.folder },
    {
      compactionBatchRevisionsMax: config.compactionBatchRevisionsMax,
      compactionPauseMs: config.compactionPauseMs,
      keepsCompactionHashes: config.corruptionChecks.compactionIntervalMs > 0,
      learnerCountMax: config.learnerCountMax,
      storesIndexApart: environment.plantedBugs.storesAppliedIndexApart,
      onFault: (fault) => {
        context.listener.onFault(fault)
      },
    },
    context.boot.backend,
  )
}

function makeRaft(
  environment: NodeEnvironment,
  config: NodeConfig,
  context: { readonly boot: BootState; readonly appliedIndex: number },
): RaftNode {
  const { boot } = context
  const { raft: plantedBugs } = environment.plantedBugs
  const raft = new RaftNode({
    id: boot.memberId,
    storage: boot.storage,
    random: environment.random,
    logger: environment.logger,
    applied: context.appliedIndex,
    electionTicks: electionTicksOf(config),
    heartbeatTicks: 1,
    usesPreVote: config.usesPreVote,
    checksQuorum: true,
    appendSizeBytesMax: config.appendSizeBytesMax,
    committedSizeBytesMax,
    uncommittedSizeBytesMax,
    inflightMessagesMax: config.inflightMessagesMax,
    inflightSizeBytesMax: 0,
    // A leader that removed itself goes on until its process stops: if the message that tells of the commit were lost,
    // the others would wait for its vote for ever.
    stepsDownOnRemoval: false,
    readMode: 'quorum',
    holdsCommitNotices: true,
    forwardsProposals: true,
    ...(plantedBugs === undefined ? {} : { plantedBugs }),
  })
  if (boot.bootstrapPeers.length > 0) raft.bootstrap(boot.bootstrapPeers)
  return raft
}

function electionTicksOf(config: NodeConfig): number {
  return Math.max(2, Math.round(config.electionMs / config.heartbeatMs))
}

interface Connected {
  readonly environment: NodeEnvironment
  readonly config: NodeConfig
  readonly boot: BootState
  readonly listener: NodeListener
  readonly machine: StateMachine
  readonly raft: RaftNode
}

function connect(context: Connected): NodeParts {
  const { environment, config, boot, machine, raft } = context
  const { clock, logger } = environment
  const { memberId, clusterId } = boot
  const transport = environment.createTransport({
    memberId,
    clusterId,
    logger,
    listMembers: () => machine.state.membership.list(),
    describeVersions: () => describeVersions(machine, config.reportedVersion),
    answerPeer: (path, body): Promise<PeerAnswer> => answerPeer(doors, path, body),
  })
  const peers = introducedPeers(context, transport)
  const leadership = new Leadership(clock)
  const { proposals, reads } = makeQueues(context, {
    leadership,
    peers,
    wake: () => {
      loop.wake()
    },
  })
  const quota = new SpaceQuota(clock, config.quotaBytes)
  const doors: RequestDoors = openDoors({
    ...{ environment, config, memberId, clusterId, machine, raft, peers, leadership },
    ...{ proposals, reads, quota },
    mayBePaused: () => loop.isLate,
  })
  const databaseSnapshots = makeDatabaseSnapshots(context)
  const sender = new SnapshotSender({ clock, logger, files: databaseSnapshots }, machine, transport)
  const snapshots = makeSnapshotPolicy(context, () => {
    loop.wake()
  })
  const paces = makePaces(context)
  const { storage, wal } = boot
  const loop: RaftLoop = new RaftLoop(
    {
      ...{ clock, logger, raft, storage, wal, transport, machine, proposals, reads },
      leases: doors.leaseExpiry,
      auth: doors.auth,
      ...{ leadership, peers, snapshots, sender },
      ...paces,
    },
    loopOptionsOf(context, () => {
      doors.versions.noteLeading()
    }),
  )
  leadership.onNewLeader(() => {
    reads.noteNewLeader()
  })
  return {
    ...{ clock, logger, memberId, clusterId, raft, machine, transport, peers },
    ...doors,
    ...paces,
    ...{ leadership, proposals, reads, sender, snapshots, loop, wal, databaseSnapshots, quota },
    folder: boot.folder,
    firstElection: new FirstElection({
      ...{ clock, raft, loop, peers },
      electionTicks: electionTicksOf(config),
    }),
  }
}

function introducedPeers({ boot, machine }: Connected, transport: PeerTransport): PeerDirectory {
  const peers = new PeerDirectory(transport, boot.memberId)
  peers.introduce(boot.knownMembers)
  peers.introduce(machine.state.membership.list())
  return peers
}

function makePaces({ environment, config }: Connected): {
  readonly applyPace: ApplyPace
  readonly heartbeatPace: HeartbeatPace
} {
  const { clock, logger } = environment
  return {
    applyPace: new ApplyPace(clock, logger, { warningMs: config.applyWarningMs }),
    heartbeatPace: new HeartbeatPace(clock, logger, config.heartbeatMs),
  }
}

function makeDatabaseSnapshots({ environment, config, machine }: Connected): DatabaseSnapshots {
  const { clock, logger, fileSystem } = environment
  return new DatabaseSnapshots(
    { clock, logger, machine, fileSystem },
    {
      directory: nodePathsOf(config).snapshots,
      storageVersion: () => storageVersionOf(machine),
    },
  )
}

function loopOptionsOf(context: Connected, onLeading: () => void): RaftLoopOptions {
  const { environment, config, listener } = context
  return {
    heartbeatMs: config.heartbeatMs,
    electionTicks: electionTicksOf(config),
    onLeading,
    acknowledgesBeforeSync: environment.plantedBugs.acknowledgesBeforeSync,
    onFault: (fault) => {
      listener.onFault(fault)
    },
    onMembershipChange: () => {
      listener.onMembershipChange()
    },
  }
}

function makeQueues(
  context: Connected,
  parts: {
    readonly leadership: Leadership
    readonly peers: PeerDirectory
    readonly wake: () => void
  },
): { readonly proposals: Proposals; readonly reads: LinearizableReads } {
  const { environment, config, boot, raft, machine } = context
  const { clock } = environment
  const ids = new RequestIds(boot.memberId, clock.wallMs())
  const { leadership, peers, wake } = parts
  const proposals = new Proposals(clock, ids, {
    timeoutMs: config.requestTimeoutMs,
    requestSizeBytesMax: config.requestSizeBytesMax,
    wake,
    timeoutCode: (startedMs) =>
      timeoutCauseOf(
        {
          memberId: boot.memberId,
          electionMs: config.electionMs,
          leadership,
          peers,
          voterCount: raft.confState.voters.length,
        },
        startedMs,
      ),
  })
  const reads = new LinearizableReads(clock, ids, {
    logger: environment.logger,
    timeoutMs: config.requestTimeoutMs,
    ask: (readContext) => raft.readIndex(readContext),
    indexAlone: () => raft.readIndexAlone(),
    appliedIndex: () => machine.appliedIndex,
    wake,
  })
  return { proposals, reads }
}

function makeSnapshotPolicy(context: Connected, wake: () => void): SnapshotPolicy {
  const { environment, config, boot, listener } = context
  return new SnapshotPolicy(
    {
      logger: environment.logger,
      fileSystem: environment.fileSystem,
      wal: boot.wal,
      storage: boot.storage,
      snapshotDirectory: nodePathsOf(config).snapshots,
    },
    {
      entryCount: config.snapshotEntryCount,
      catchUpEntryCount: config.snapshotCatchUpEntryCount,
      catchUpSizeBytes: config.snapshotCatchUpSizeBytes,
      onFault: (fault) => {
        listener.onFault(fault)
      },
      wake,
    },
    boot.snapshotIndex,
  )
}
