/**
 * From what a data directory holds, or does not hold, to the state a node starts from.
 *
 * | directory | `--initial-cluster-state` | start |
 * | --- | --- | --- |
 * | no log | new | ids from names, URLs and token; a log that begins with all members as committed entries |
 * | no log | existing | ids from a member that answers; an empty log, which the leader fills |
 * | a log, and `--force-new-cluster` | any | as below, without the other members; see `force-new-cluster.ts` |
 * | a log | any | the newest usable snapshot, the database, and the log behind them; the flags about the cluster do not matter |
 */
import { readAppliedState } from '../apply/applied-index.ts'
import { encodeMembershipEntry } from '../apply/apply-membership.ts'
import type { Backend } from '../backend/backend.ts'
import { hexId, requestId, type ClusterId, type NodeId } from '../base/ids.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import { deriveClusterId, deriveMemberId } from '../membership/member-id.ts'
import type { Member } from '../membership/member.ts'
import { emptyConfState } from '../raft/conf-change.ts'
import type { MemoryLogStorage } from '../raft/memory-log-storage.ts'
import type { Snapshot } from '../raft/message.ts'
import type { BootstrapPeer } from '../raft/raft-node.ts'
import { loadNewestSnapshotFile } from '../wal/snapshot-file.ts'
import {
  hasWriteAheadLog,
  WriteAheadLog,
  type WalContents,
  type WalOptions,
} from '../wal/write-ahead-log.ts'
import { isClusterNewer } from './cluster-version.ts'
import { DatabaseFolder } from './database-folder.ts'
import { leaveOthersBehind } from './force-new-cluster.ts'
import { reconcileLogWithDatabase } from './log-behind-database.ts'
import type { NodeConfig } from './node-config.ts'
import type { ClusterDescription, NodeEnvironment } from './node-environment.ts'

/** A configuration that cannot work; the message is one plain sentence for the person who wrote it. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

/** Where a node keeps what. */
export interface NodePaths {
  readonly wal: string
  readonly snapshots: string
  readonly databases: string
}

/** What a node starts from. All of it is open and owned by the caller. */
export interface BootState {
  readonly kind: 'new' | 'joining' | 'restarted'
  readonly memberId: NodeId
  readonly clusterId: ClusterId
  readonly wal: WriteAheadLog
  readonly storage: MemoryLogStorage
  readonly folder: DatabaseFolder
  readonly backend: Backend
  /** Index of the snapshot that the log continues from; 0: from the beginning. */
  readonly snapshotIndex: number
  /** For Raft, when a new cluster begins; empty otherwise. */
  readonly bootstrapPeers: readonly BootstrapPeer[]
  /** Members to talk to before any entry says who they are. */
  readonly knownMembers: readonly Member[]
}

/** Paths below a data directory; etcd's names, and `db` for the databases. The log may be elsewhere. */
export function nodePathsOf(config: Pick<NodeConfig, 'dataDirectory' | 'walDirectory'>): NodePaths {
  const root = `${config.dataDirectory}/member`
  return {
    wal: config.walDirectory ?? `${root}/wal`,
    snapshots: `${root}/snap`,
    databases: `${root}/db`,
  }
}

/** Makes Raft's log storage; the source of snapshots is the running node's, so it is handed in. */
export type StorageFactory = () => MemoryLogStorage

/**
 * Recovers or begins a node.
 * @throws ConfigurationError when flags and cluster do not fit; StorageFault for damaged data
 */
export async function bootNode(
  environment: NodeEnvironment,
  config: NodeConfig,
  makeStorage: StorageFactory,
): Promise<BootState> {
  const { fileSystem, backendFactory, logger } = environment
  const paths = nodePathsOf(config)
  await fileSystem.makeDirectory(paths.snapshots)
  const hasLog = await hasWriteAheadLog(fileSystem, paths.wal)
  const identity = hasLog ? undefined : await identify(environment, config)
  const folder = await DatabaseFolder.open(
    { fileSystem, factory: backendFactory, logger },
    paths.databases,
  )
  if (identity === undefined) return restart({ environment, config, paths, folder }, makeStorage())
  const backend = await folder.openLive()
  if (readAppliedState(backend).index > 0) {
    await backend.close()
    throw new StorageFault('the data directory holds a database but no log', {
      path: paths.databases,
    })
  }
  const wal = await WriteAheadLog.create(
    fileSystem,
    paths.wal,
    { nodeId: identity.memberId, clusterId: identity.clusterId },
    walOptionsOf(environment, config),
  )
  return { ...identity, wal, folder, backend, storage: makeStorage(), snapshotIndex: 0 }
}

/** Who this node is when no log says so yet. */
type Identity = Pick<
  BootState,
  'kind' | 'memberId' | 'clusterId' | 'bootstrapPeers' | 'knownMembers'
>

function identify(environment: NodeEnvironment, config: NodeConfig): Promise<Identity> {
  checkOwnUrls(config)
  return config.initialClusterState === 'new'
    ? Promise.resolve(identifyNew(environment, config))
    : identifyJoining(environment, config)
}

/** This member of a new cluster, and the first entries of its log. */
export function identifyNew(
  environment: Pick<NodeEnvironment, 'sha1'>,
  config: Pick<NodeConfig, 'name' | 'initialCluster' | 'initialClusterToken'>,
): Identity {
  const members = membersOf(config, (peerUrls) =>
    deriveMemberId(environment.sha1, { peerUrls, token: config.initialClusterToken }),
  )
  const self = members.find((member) => member.name === config.name)
  if (self === undefined) throw unknownName(config.name)
  if (new Set(members.map((member) => member.id)).size < members.length) {
    throw new ConfigurationError('two members of the initial cluster have the same peer URLs')
  }
  return {
    kind: 'new',
    memberId: self.id,
    clusterId: deriveClusterId(
      environment.sha1,
      members.map((member) => member.id),
    ),
    bootstrapPeers: members.map((member) => ({
      id: member.id,
      data: encodeMembershipEntry({ id: requestId(0n), change: { kind: 'add', member } }),
    })),
    knownMembers: members,
  }
}

/** All members of the initial cluster by id, so that every one of them writes the same entries in the same order. */
function membersOf(
  config: Pick<NodeConfig, 'initialCluster'>,
  idOf: (peerUrls: readonly string[]) => NodeId,
): readonly Member[] {
  const members: Member[] = []
  for (const [name, urls] of config.initialCluster) {
    const peerUrls = [...urls].sort()
    members.push({ id: idOf(peerUrls), name, peerUrls, clientUrls: [], isLearner: false })
  }
  return members.sort((left, right) => (left.id < right.id ? -1 : 1))
}

function unknownName(name: string): ConfigurationError {
  return new ConfigurationError(
    `couldn't find local name "${name}" in the initial cluster configuration`,
  )
}

function checkOwnUrls(config: NodeConfig): void {
  const listed = config.initialCluster.get(config.name)
  if (listed === undefined) throw unknownName(config.name)
  if (!hasSameUrls(listed, config.initialAdvertisePeerUrls)) {
    throw new ConfigurationError(
      `--initial-cluster has ${config.name}=${listed.join(',')} but --initial-advertise-peer-urls is ${config.initialAdvertisePeerUrls.join(',')}`,
    )
  }
}

function hasSameUrls(left: readonly string[], right: readonly string[]): boolean {
  return [...left].sort().join(',') === [...right].sort().join(',')
}

/** Asks the listed members, one after the other, until one tells who belongs to the cluster. */
async function identifyJoining(
  environment: NodeEnvironment,
  config: NodeConfig,
): Promise<Identity> {
  const cluster = await fetchFromAny(environment, config)
  const self = cluster.members.find((member) =>
    hasSameUrls(member.peerUrls, config.initialAdvertisePeerUrls),
  )
  if (self === undefined) {
    throw new ConfigurationError(
      `the cluster has no member with peer URLs ${config.initialAdvertisePeerUrls.join(',')}: add this member first`,
    )
  }
  for (const [name, urls] of config.initialCluster) {
    if (cluster.members.some((member) => hasSameUrls(member.peerUrls, urls))) continue
    throw new ConfigurationError(
      `--initial-cluster lists ${name}=${urls.join(',')}, which is not a member of cluster ${hexId(cluster.clusterId)}`,
    )
  }
  const others = cluster.members.filter((member) => member.id !== self.id)
  const isTooNew = await isClusterNewer(environment, others, config.reportedVersion)
  if (isTooNew) throw new ConfigurationError('incompatible with current running cluster')
  return {
    kind: 'joining',
    memberId: self.id,
    clusterId: cluster.clusterId,
    bootstrapPeers: [],
    knownMembers: cluster.members,
  }
}

async function fetchFromAny(
  environment: NodeEnvironment,
  config: NodeConfig,
): Promise<ClusterDescription> {
  const own = new Set(config.initialAdvertisePeerUrls)
  const others = [...config.initialCluster.values()].flat().filter((url) => !own.has(url))
  for (const url of others) {
    try {
      return await environment.fetchCluster(url)
    } catch (error) {
      environment.logger.warn('a member could not be asked about the cluster', {
        url,
        reason: error instanceof Error ? error.message : String(error),
      })
    }
  }
  throw new ConfigurationError(
    'cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs',
  )
}

interface RestartParts {
  readonly environment: NodeEnvironment
  readonly config: NodeConfig
  readonly paths: NodePaths
  readonly folder: DatabaseFolder
}

async function restart(parts: RestartParts, storage: MemoryLogStorage): Promise<BootState> {
  const { environment, config, paths, folder } = parts
  const { fileSystem, logger } = environment
  const { stored, recovered } = await openLog(parts)
  const backend = await openDatabase(parts, stored?.metadata.index ?? 0)
  const reconciled = await reconcileLogWithDatabase(
    { fileSystem, logger, walDirectory: paths.wal, snapshotDirectory: paths.snapshots },
    { snapshot: stored, contents: recovered, backend },
  )
  const { snapshot, contents } = config.forcesNewCluster
    ? await leaveOthersBehind(reconciled, logger)
    : reconciled
  fillStorage(storage, { snapshot, contents, backend })
  const snapshotIndex = snapshot?.metadata.index ?? 0
  const { metadata } = contents
  logger.info('restarting from the data directory', {
    member: hexId(metadata.nodeId),
    cluster: hexId(metadata.clusterId),
    snapshotIndex,
    appliedIndex: readAppliedState(backend).index,
    lastIndex: storage.lastIndex(),
  })
  return {
    ...(await rebegun(environment, config, contents)),
    memberId: metadata.nodeId,
    clusterId: metadata.clusterId,
    wal: contents.log,
    storage,
    folder,
    backend,
    snapshotIndex,
  }
}

/**
 * Opens the log from the newest snapshot that both its file and the log speak for, or from the beginning. Only what was
 * written since is read: the log's older segments may be large.
 */
async function openLog({ environment, config, paths }: RestartParts): Promise<{
  readonly stored: Snapshot | undefined
  readonly recovered: WalContents
}> {
  const { fileSystem, logger } = environment
  const options = walOptionsOf(environment, config)
  const found: { recovered?: WalContents } = {}
  const stored = await loadNewestSnapshotFile(fileSystem, paths.snapshots, {
    logger,
    isUsable: async (snapshot) => {
      const recovered = await WriteAheadLog.openFrom(fileSystem, paths.wal, {
        ...options,
        snapshot,
      })
      if (recovered !== undefined) found.recovered = recovered
      return recovered !== undefined
    },
  })
  const recovered = found.recovered ?? (await WriteAheadLog.open(fileSystem, paths.wal, options))
  return { stored, recovered }
}

/** A node that died between making its log and writing the first entries begins, or joins, once more. */
async function rebegun(
  environment: NodeEnvironment,
  config: NodeConfig,
  contents: WalContents,
): Promise<Pick<BootState, 'kind' | 'bootstrapPeers' | 'knownMembers'>> {
  const hasMarker = contents.snapshotMarkers.some((marker) => marker.index > 0)
  if (contents.entries.length > 0 || hasMarker) {
    return { kind: 'restarted', bootstrapPeers: [], knownMembers: [] }
  }
  // A vote may have been cast already; only a log that has never been written to begins a cluster.
  if (config.initialClusterState === 'new' && contents.hardState !== undefined) {
    throw new StorageFault(
      'the log holds a vote but not the entries that every new cluster begins with',
      {
        path: nodePathsOf(config).wal,
      },
    )
  }
  const identity = await identify(environment, config)
  const { nodeId: memberId, clusterId } = contents.metadata
  if (identity.memberId === memberId && identity.clusterId === clusterId) return identity
  throw new ConfigurationError(
    `the data directory belongs to member ${hexId(memberId)} of cluster ${hexId(clusterId)}, the flags describe member ${hexId(identity.memberId)} of cluster ${hexId(identity.clusterId)}`,
  )
}

/** The live database, or the received one that the log had accepted when the node died. */
async function openDatabase(parts: RestartParts, snapshotIndex: number): Promise<Backend> {
  const { folder, paths } = parts
  let backend = await folder.openLive()
  if (readAppliedState(backend).index < snapshotIndex) {
    await backend.close()
    if (!folder.hasReceived(snapshotIndex)) {
      throw new StorageFault(
        `the database is behind the log, which begins at index ${snapshotIndex}`,
        { path: paths.databases },
      )
    }
    parts.environment.logger.info('Recovering from snapshot backend', { snapshotIndex })
    backend = await folder.switchTo(snapshotIndex)
  }
  await folder.forgetReceived()
  return backend
}

function fillStorage(
  storage: MemoryLogStorage,
  durable: {
    readonly snapshot: Snapshot | undefined
    readonly contents: WalContents
    readonly backend: Backend
  },
): void {
  const { snapshot, contents, backend } = durable
  if (snapshot !== undefined) storage.applySnapshot(snapshot)
  storage.append(contents.entries)
  const applied = readAppliedState(backend)
  storage.setConfState(applied.confState ?? snapshot?.metadata.confState ?? emptyConfState)
  if (contents.hardState === undefined) return
  // Applying follows committing, but a commit index alone is not worth a sync.
  const commit = Math.max(contents.hardState.commit, applied.index)
  storage.setHardState({ ...contents.hardState, commit })
}

function walOptionsOf(environment: NodeEnvironment, config: NodeConfig): WalOptions {
  const { wal } = environment.plantedBugs
  return {
    logger: environment.logger,
    clock: environment.clock,
    segmentSizeBytes: config.walSegmentSizeBytes,
    ...(wal === undefined ? {} : { plantedBugs: wal }),
  }
}
