/** The real world for one node: system clock and randomness, files, LMDB, HTTP between members. */
import { createHash } from 'node:crypto'
import { LmdbBackendFactory } from '../backend/lmdb-backend-factory.ts'
import { clusterId, nodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import { lockDirectory } from '../io/directory-lock.ts'
import { nodeFileSystem } from '../io/node-file-system.ts'
import { systemClock } from '../io/system-clock.ts'
import { systemRandom } from '../io/system-random.ts'
import type { Member } from '../membership/member.ts'
import type { ClusterDescription, NodeEnvironment } from '../node/node-environment.ts'
import { noPlantedBugs } from '../node/planted-bugs.ts'
import { HttpPeerTransport } from '../peer/http-peer-transport.ts'

/** How long a member that is asked about its cluster may take. */
const fetchTimeoutMs = 5_000

export interface SystemEnvironmentOptions {
  readonly logger: Logger
  readonly listenPeerUrls: readonly string[]
  readonly advertisedPeerUrls: readonly string[]
  /** etcd version told to other members. */
  readonly version: string
}

/** Everything a node needs from the machine it runs on. */
export function systemEnvironment(options: SystemEnvironmentOptions): NodeEnvironment {
  const { logger } = options
  return {
    clock: systemClock,
    random: systemRandom,
    logger,
    fileSystem: nodeFileSystem,
    backendFactory: new LmdbBackendFactory({
      clock: systemClock,
      logger: logger.with({ caller: 'backend/lmdb-backend.ts' }),
    }),
    createTransport: (transport) =>
      new HttpPeerTransport(
        { clock: systemClock, logger: transport.logger },
        {
          nodeId: transport.memberId,
          clusterId: transport.clusterId,
          listenUrls: options.listenPeerUrls,
          advertisedUrls: options.advertisedPeerUrls,
          serverVersion: options.version,
          membersAnswer: () => transport.listMembers().map(describeMember),
          versionAnswer: () => ({
            etcdserver: options.version,
            etcdcluster: options.version.replace(/\d+$/, '0'),
          }),
        },
      ),
    fetchCluster,
    sha1: (bytes) => createHash('sha1').update(bytes).digest(),
    lockDirectory,
    plantedBugs: noPlantedBugs,
  }
}

/** A member as `GET /members` of the peer port tells it, with etcd's field names. */
function describeMember(member: Member): Readonly<Record<string, unknown>> {
  return {
    id: member.id,
    peerURLs: member.peerUrls,
    ...(member.isLearner ? { isLearner: true } : {}),
    name: member.name,
    clientURLs: member.clientUrls,
  }
}

/** Asks one member who belongs to its cluster. */
async function fetchCluster(peerUrl: string): Promise<ClusterDescription> {
  const response = await fetch(new URL('/members', peerUrl), {
    signal: AbortSignal.timeout(fetchTimeoutMs),
  })
  const clusterHeader = response.headers.get('x-etcd-cluster-id')
  if (!response.ok || clusterHeader === null || !/^[0-9a-f]{1,16}$/.test(clusterHeader)) {
    throw new Error(`${peerUrl} does not describe its cluster (HTTP status ${response.status})`)
  }
  return {
    clusterId: clusterId(BigInt(`0x${clusterHeader}`)),
    members: parseMembers(await response.text()),
  }
}

/** Ids have 64 bits and are JSON numbers: they are turned into strings before JSON rounds them. */
function parseMembers(text: string): readonly Member[] {
  const parsed: unknown = JSON.parse(text.replace(/("id"\s*:\s*)(\d+)/g, '$1"$2"'))
  if (!Array.isArray(parsed)) throw new Error('a list of members was expected')
  return parsed.map((entry: unknown) => {
    const record = (entry ?? {}) as Readonly<Record<string, unknown>>
    const { id, name, peerURLs, clientURLs, isLearner } = record
    if (typeof id !== 'string' || !/^\d+$/.test(id)) throw new Error('a member without id')
    return {
      id: nodeId(BigInt(id)),
      name: typeof name === 'string' ? name : '',
      peerUrls: textsOf(peerURLs),
      clientUrls: textsOf(clientURLs),
      isLearner: isLearner === true,
    }
  })
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []
}
