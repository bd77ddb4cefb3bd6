/** The outside world as a node sees it; everything that varies between production, tests and simulation. */
import type { BackendFactory } from '../backend/backend.ts'
import type { Clock } from '../base/clock.ts'
import type { ClusterId, NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { Random } from '../base/random.ts'
import type { FileSystem } from '../io/file-system.ts'
import type { Member } from '../membership/member.ts'
import type { PeerTransport } from '../peer/peer-transport.ts'
import type { AskPeer, PeerAnswer } from './leader-leases.ts'
import type { PlantedBugs } from './planted-bugs.ts'

/** What a transport must know about the node it speaks for. */
export interface TransportOptions {
  readonly memberId: NodeId
  readonly clusterId: ClusterId
  readonly logger: Logger
  /** The membership as this node knows it, for peers that ask. */
  listMembers(): readonly Member[]
  /** As `/version` tells it, in etcd's field names. */
  describeVersions(): VersionDescription
  /** Answers what other members ask beside Raft's messages; must not reject. */
  answerPeer(path: string, body: Uint8Array): Promise<PeerAnswer>
}

/** Versions of a member, of its cluster, and of what it stores; words of etcd's where one is not known. */
export interface VersionDescription {
  readonly etcdserver: string
  readonly etcdcluster: string
  readonly storage: string
}

/** A cluster as one of its members describes it to a newcomer. */
export interface ClusterDescription {
  readonly clusterId: ClusterId
  readonly members: readonly Member[]
}

export interface NodeEnvironment {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly fileSystem: FileSystem
  readonly backendFactory: BackendFactory
  createTransport(options: TransportOptions): PeerTransport
  /** Asks the member behind a peer URL who belongs to its cluster; rejects when it cannot be reached. */
  fetchCluster(peerUrl: string): Promise<ClusterDescription>
  /** Puts a question to the peer port of another member; rejects when it cannot be reached. */
  readonly askPeer: AskPeer
  /** SHA-1, 20 bytes: ids of members and clusters are cut from it, as etcd does. */
  sha1(bytes: Uint8Array): Uint8Array
  /** Takes the data directory for this process; rejects with a plain sentence while another one holds it. */
  lockDirectory(directory: string): Promise<{ release(): Promise<void> }>
  readonly plantedBugs: PlantedBugs
}
