/** The real world for one node: system clock and randomness, files, LMDB, HTTP between members. */
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { LmdbBackendFactory } from '../backend/lmdb-backend-factory.ts'
import { clusterId, nodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import { lockDirectory } from '../io/directory-lock.ts'
import { nodeFileSystem } from '../io/node-file-system.ts'
import { systemClock } from '../io/system-clock.ts'
import { systemRandom } from '../io/system-random.ts'
import type { Member } from '../membership/member.ts'
import { promotePath } from '../node/membership-requests.ts'
import { downgradePath } from '../node/cluster-version.ts'
import { leasePaths, type PeerAnswer } from '../node/leader-leases.ts'
import type {
  ClusterDescription,
  NodeEnvironment,
  TransportOptions,
} from '../node/node-environment.ts'
import { hashPath } from '../node/peer-hash.ts'
import { noPlantedBugs } from '../node/planted-bugs.ts'
import { TlsDialer } from '../io/tls-client.ts'
import type { TlsFiles } from '../io/tls-files.ts'
import { HttpPeerTransport } from '../peer/http-peer-transport.ts'
import { dialPeer } from '../peer/peer-dial.ts'
import { bodyRoute, clusterRoute } from '../peer/body-route.ts'
import type { PeerRoute } from '../peer/peer-routes.ts'
import { parsePeerUrl } from '../peer/peer-url.ts'

/** How long a member that is asked about its cluster may take. */
const fetchTimeoutMs = 5_000

export interface SystemEnvironmentOptions {
  readonly logger: Logger
  readonly listenPeerUrls: readonly string[]
  readonly advertisedPeerUrls: readonly string[]
  /** For peer URLs with `https`. */
  readonly peerTls?: TlsFiles | undefined
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
        { clock: systemClock, logger: transport.logger, tls: options.peerTls },
        {
          nodeId: transport.memberId,
          clusterId: transport.clusterId,
          listenUrls: options.listenPeerUrls,
          advertisedUrls: options.advertisedPeerUrls,
          serverVersion: options.version,
          membersAnswer: () => transport.listMembers().map(describeMember),
          routes: routesOf(transport),
          versionAnswer: () => transport.describeVersions(),
        },
      ),
    fetchCluster: (peerUrl) => fetchCluster(peerUrl, options.peerTls),
    askPeer: (peerUrl, path, body, method = 'POST') =>
      askPeer({ peerUrl, path, body, method }, options.peerTls),
    sha1: (bytes) => createHash('sha1').update(bytes).digest(),
    lockDirectory,
    plantedBugs: noPlantedBugs,
  }
}

/** The questions between members that the node itself answers. */
function routesOf(transport: TransportOptions): Readonly<Record<string, PeerRoute>> {
  const post = bodyRoute('POST', (path, body) => transport.answerPeer(path, body))
  const get = bodyRoute('GET', (path, body) => transport.answerPeer(path, body))
  return {
    ...Object.fromEntries([...Object.values(leasePaths), promotePath].map((path) => [path, post])),
    [hashPath]: clusterRoute(transport.clusterId, get),
    [downgradePath]: get,
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
async function fetchCluster(
  peerUrl: string,
  tls: TlsFiles | undefined,
): Promise<ClusterDescription> {
  const { status, headers, text } = await fetchText(peerUrl, '/members', tls)
  const clusterHeader = headers['x-etcd-cluster-id']
  if (
    status !== 200 ||
    typeof clusterHeader !== 'string' ||
    !/^[0-9a-f]{1,16}$/.test(clusterHeader)
  ) {
    throw new Error(`${peerUrl} does not describe its cluster (HTTP status ${status})`)
  }
  return { clusterId: clusterId(BigInt(`0x${clusterHeader}`)), members: parseMembers(text) }
}

function fetchText(
  peerUrl: string,
  path: string,
  tls: TlsFiles | undefined,
): Promise<{
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}> {
  const url = parsePeerUrl(peerUrl)
  if (url === undefined) throw new Error(`${peerUrl} is no URL of a peer`)
  return new Promise((resolve, reject) => {
    const asked = dialPeer(url, tls === undefined ? undefined : new TlsDialer(tls), {
      path,
      agent: false,
      signal: AbortSignal.timeout(fetchTimeoutMs),
    })
    asked.on('error', reject)
    asked.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('error', reject)
      response.on('data', (piece: string) => (text += piece))
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      })
    })
    asked.end()
  })
}

/** One question to the peer port of another member. */
function askPeer(
  question: {
    readonly peerUrl: string
    readonly path: string
    readonly body: Uint8Array
    readonly method: 'GET' | 'POST'
  },
  tls: TlsFiles | undefined,
): Promise<PeerAnswer> {
  const url = parsePeerUrl(question.peerUrl)
  if (url === undefined) {
    return Promise.reject(new Error(`${question.peerUrl} is no URL of a peer`))
  }
  return new Promise((resolve, reject) => {
    const asked = dialPeer(url, tls === undefined ? undefined : new TlsDialer(tls), {
      path: question.path,
      method: question.method,
      headers: { 'Content-Type': 'application/protobuf', 'Content-Length': question.body.length },
      agent: false,
      signal: AbortSignal.timeout(fetchTimeoutMs),
    })
    asked.on('error', reject)
    asked.on('response', (response) => {
      const pieces: Buffer[] = []
      response.on('error', reject)
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) })
      })
    })
    asked.end(question.body)
  })
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
