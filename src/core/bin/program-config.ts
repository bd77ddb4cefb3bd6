/** From flag texts to everything that the program needs, complete and checked. All problems are reported at once. */
import { nodeConfigDefaults, type InitialCluster, type NodeConfig } from '../node/node-config.ts'
import { parseListenUrl, type ListenUrl } from '../rpc/listen-url.ts'
import { rpcServerDefaults, type RpcServerOptions } from '../rpc/rpc-server.ts'
import { autoCompactionOf } from './auto-compaction-config.ts'
import { jwtOptionsOf } from './auth-token-config.ts'
import { featureGatesOf, type FeatureGates } from './feature-gates.ts'
import { flagTable, type FlagDescription } from './flag-table.ts'
import { parseBoolean, parseDurationMs, parseInteger } from './flag-values.ts'
import { UsageError, type ParsedFlags } from './flags.ts'
import { isLogLevel, type LogSettings } from './log-output.ts'
import { logRotationOf } from './log-rotation-config.ts'
import { tlsConfigOf, type TlsConfig } from './tls-config.ts'

export interface ProgramConfig {
  readonly node: NodeConfig
  readonly rpc: RpcServerOptions
  readonly listenClientUrls: readonly ListenUrl[]
  /** For HTTP of clients alone; empty: it is served where gRPC is. */
  readonly listenHttpUrls: readonly ListenUrl[]
  readonly listenMetricsUrls: readonly ListenUrl[]
  readonly listenPeerUrls: readonly ListenUrl[]
  readonly tls: TlsConfig
  readonly log: LogSettings
  /** The process may be made to fail from outside. */
  readonly hasFailpoints: boolean
  /** Settings that were given and change nothing here: names of flags and their texts. */
  readonly idleFlags: ReadonlyMap<string, string>
}

/** etcd versions whose API is spoken. Clients decide by it which features to use. */
const reportedVersionPattern = /^3\.[4-7]\.\d{1,3}$/
const watchProgressMsMin = 100
const electionMsMax = 50_000

/** @throws UsageError  naming every problem, with exit code 1 */
export function programConfigOf(
  flags: ParsedFlags,
  environment: Readonly<Record<string, string | undefined>>,
): ProgramConfig {
  const read = new FlagReader(flags.texts)
  const problems = [...unsupportedOf(flags), ...contradictionsOf(flags, read)]
  const reportedVersion =
    environment['ETCD_QUORATE_REPORTED_VERSION'] ?? nodeConfigDefaults.reportedVersion
  if (!reportedVersionPattern.test(reportedVersion)) {
    problems.push(
      `ETCD_QUORATE_REPORTED_VERSION is "${reportedVersion}"; a version from 3.4.0 to 3.7.999 can be reported`,
    )
  }
  const initialCluster = initialClusterOf(read, problems)
  const listenClientUrls = read.urls('listen-client-urls').map(parseListenUrl)
  const listenPeerUrls = read.urls('listen-peer-urls').map(parseListenUrl)
  const listenHttpUrls = read.urls('listen-client-http-urls').map(parseListenUrl)
  const listenMetricsUrls = read.urls('listen-metrics-urls').map(parseListenUrl)
  const tls = tlsConfigOf(
    read,
    {
      client: [...listenClientUrls, ...listenHttpUrls, ...listenMetricsUrls],
      peer: listenPeerUrls,
    },
    problems,
  )
  const jwt = jwtOptionsOf(read.text('auth-token'), problems)
  const autoCompaction = autoCompactionOf(
    read.text('auto-compaction-mode'),
    read.text('auto-compaction-retention'),
    problems,
  )
  const gates = featureGatesOf(read, flags.given, problems)
  problems.push(...gateProblemsOf(gates))
  const passwordCost = read.integer('bcrypt-cost')
  if (passwordCost < 4 || passwordCost > 31) {
    problems.push(`--bcrypt-cost is ${passwordCost}; it may be 4 to 31`)
  }
  if (problems.length > 0) throw new UsageError(problems.join('; '), 1)
  return {
    node: {
      ...nodeConfigDefaults,
      name: read.text('name'),
      dataDirectory: read.text('data-dir') || `${read.text('name')}.etcd`,
      walDirectory: read.text('wal-dir') === '' ? undefined : read.text('wal-dir'),
      initialAdvertisePeerUrls: read.urls('initial-advertise-peer-urls'),
      advertiseClientUrls: read.urls('advertise-client-urls'),
      initialCluster,
      initialClusterState: read.text('initial-cluster-state') === 'existing' ? 'existing' : 'new',
      initialClusterToken: read.text('initial-cluster-token'),
      ...tuningOf(read),
      autoCompaction,
      writesLeaseCheckpoints: gates.LeaseCheckpoint,
      jwt,
      simpleTokenTtlMs: read.integer('auth-token-ttl') * 1_000,
      passwordCost,
      ...clusterCareOf(read, gates),
      reportedVersion,
    },
    rpc: rpcOptionsOf(read, gates),
    listenClientUrls,
    listenHttpUrls,
    listenMetricsUrls,
    listenPeerUrls,
    tls,
    log: logSettingsOf(flags),
    hasFailpoints: read.boolean('quorate-failpoints'),
    idleFlags: idleFlagsOf(flags),
  }
}

/** Settings of the node that are as they are given. */
function tuningOf(read: FlagReader) {
  const electionMs = read.integer('election-timeout')
  return {
    heartbeatMs: read.integer('heartbeat-interval'),
    electionMs,
    usesPreVote: read.boolean('pre-vote'),
    advancesElectionTicks: read.boolean('initial-election-tick-advance'),
    requestSizeBytesMax: read.integer('max-request-bytes'),
    // 5 s for the disk and the network, and two elections.
    requestTimeoutMs: 5_000 + 2 * electionMs,
    quotaBytes: read.integer('quota-backend-bytes'),
    snapshotEntryCount: read.integer('snapshot-count'),
    snapshotCatchUpEntryCount: read.integer('snapshot-catchup-entries'),
    compactionBatchRevisionsMax: read.integer('compaction-batch-limit'),
    compactionPauseMs: read.durationMs('compaction-sleep-interval'),
    applyWarningMs: read.durationMs('warning-apply-duration'),
    learnerCountMax: read.integer('max-learners'),
    startDefragmentBytesMin: read.integer('bootstrap-defrag-threshold-megabytes') * 1_048_576,
    isStrictAboutQuorum: read.boolean('strict-reconfig-check'),
  } satisfies Partial<NodeConfig>
}

function clusterCareOf(
  read: FlagReader,
  gates: FeatureGates,
): Pick<NodeConfig, 'corruptionChecks' | 'downgradeCheckMs' | 'forcesNewCluster'> {
  return {
    corruptionChecks: {
      checksAtStart: gates.InitialCorruptCheck,
      intervalMs: read.durationMs('corrupt-check-time'),
      compactionIntervalMs: gates.CompactHashCheck ? read.durationMs('compact-hash-check-time') : 0,
    },
    downgradeCheckMs: read.durationMs('downgrade-check-time'),
    forcesNewCluster: read.boolean('force-new-cluster'),
  }
}

function gateProblemsOf(gates: FeatureGates): readonly string[] {
  const problems: string[] = []
  if (gates.LeaseCheckpointPersist && !gates.LeaseCheckpoint) {
    problems.push(
      'enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint',
    )
  }
  return problems
}

function rpcOptionsOf(read: FlagReader, gates: FeatureGates): RpcServerOptions {
  return {
    ...rpcServerDefaults,
    requestSizeBytesMax: read.integer('max-request-bytes'),
    txnOperationCountMax: read.integer('max-txn-ops'),
    concurrentStreamsMax: read.integer('max-concurrent-streams'),
    keepaliveMinTimeMs: read.durationMs('grpc-keepalive-min-time'),
    keepaliveIntervalMs: read.durationMs('grpc-keepalive-interval'),
    keepaliveTimeoutMs: read.durationMs('grpc-keepalive-timeout'),
    allowedOrigins: read.text('cors').split(','),
    allowedHosts: read.text('host-whitelist').split(','),
    hasGateway: read.boolean('enable-grpc-gateway'),
    // As in etcd, who debugs may look inside.
    hasProfiles: read.boolean('enable-pprof') || read.text('log-level') === 'debug',
    unaryWarningMs: read.durationMs('warning-unary-request-duration'),
    isUnhealthyWhileDefragmenting: gates.StopGRPCServiceOnDefrag,
    countsTimes: read.text('metrics') === 'extensive',
    watchProgressIntervalMs: Math.max(
      watchProgressMsMin,
      read.durationMs('watch-progress-notify-interval'),
    ),
    electionMs: read.integer('election-timeout'),
  }
}

/**
 * Where and how to log; wanted before everything else is known to be right.
 * @throws UsageError  for a level or format that does not exist, or a rotation that cannot be
 */
export function logSettingsOf(flags: ParsedFlags): LogSettings {
  const read = new FlagReader(flags.texts)
  const logger = read.text('logger')
  if (logger !== 'zap') throw new UsageError(`unknown logger option ${JSON.stringify(logger)}`, 1)
  const level = read.boolean('debug') ? 'debug' : read.text('log-level')
  if (!isLogLevel(level)) throw new UsageError(`unrecognized level: "${level}"`, 1)
  const format = read.text('log-format')
  if (format !== 'json' && format !== 'console') {
    throw new UsageError(`unknown log format "${format}", supported values: "console", "json"`, 1)
  }
  const outputs = read.text('log-outputs').split(',')
  const rotation = read.boolean('enable-log-rotation')
    ? logRotationOf(read.text('log-rotation-config-json'), outputs)
    : undefined
  return { level, format, outputs, rotation }
}

/** Texts of flags that were checked to parse. */
class FlagReader {
  private readonly texts: ReadonlyMap<string, string>

  constructor(texts: ReadonlyMap<string, string>) {
    this.texts = texts
  }

  text(name: string): string {
    return this.texts.get(name) ?? ''
  }

  integer(name: string): number {
    return parseInteger(this.text(name)) ?? 0
  }

  boolean(name: string): boolean {
    return parseBoolean(this.text(name)) ?? false
  }

  durationMs(name: string): number {
    return parseDurationMs(this.text(name)) ?? 0
  }

  /** Sorted and without repetitions, as etcd does it. */
  urls(name: string): readonly string[] {
    const texts = this.text(name)
      .split(',')
      .filter((text) => text !== '')
    return [...new Set(texts.map((text) => text.trim()))].sort()
  }
}

function unsupportedOf(flags: ParsedFlags): string[] {
  const problems: string[] = []
  for (const name of flags.given) {
    const flag = flagTable.get(name)
    const text = flags.texts.get(name) ?? ''
    if (flag?.support !== 'fixed' || isSameValue(flag, text)) continue
    const allowed = flag.defaultText === '' ? 'leave it out' : `only "${flag.defaultText}" is`
    problems.push(`--${name}=${text} is not supported (${allowed})`)
  }
  return problems
}

function idleFlagsOf(flags: ParsedFlags): ReadonlyMap<string, string> {
  const idle = new Map<string, string>()
  for (const name of flags.given) {
    const flag = flagTable.get(name)
    const text = flags.texts.get(name) ?? ''
    if (flag?.support === 'idle' && !isSameValue(flag, text)) idle.set(name, text)
  }
  return idle
}

function isSameValue(flag: FlagDescription, text: string): boolean {
  switch (flag.kind) {
    case 'boolean':
      return parseBoolean(text) === parseBoolean(flag.defaultText)
    case 'integer':
      return parseInteger(text) === parseInteger(flag.defaultText)
    case 'duration':
      return parseDurationMs(text) === parseDurationMs(flag.defaultText)
    default:
      return text === flag.defaultText
  }
}

function contradictionsOf(flags: ParsedFlags, read: FlagReader): string[] {
  const problems: string[] = []
  // A file may leave out what is told to clients.
  const isAdvertised = flags.given.has('advertise-client-urls') || flags.file !== undefined
  if (flags.given.has('listen-client-urls') && !isAdvertised) {
    problems.push('--advertise-client-urls is required when --listen-client-urls is set explicitly')
  }
  const heartbeatMs = read.integer('heartbeat-interval')
  const electionMs = read.integer('election-timeout')
  if (heartbeatMs <= 0) problems.push('--heartbeat-interval must be >0')
  if (electionMs <= 0) problems.push('--election-timeout must be >0')
  if (5 * heartbeatMs > electionMs) {
    problems.push(
      `--election-timeout[${electionMs}ms] should be at least as 5 times as --heartbeat-interval[${heartbeatMs}ms]`,
    )
  }
  if (electionMs > electionMsMax) {
    problems.push(
      `--election-timeout[${electionMs}ms] is too long, and should be set less than ${electionMsMax}ms`,
    )
  }
  for (const name of [
    'max-txn-ops',
    'max-request-bytes',
    'compaction-batch-limit',
    'snapshot-count',
  ]) {
    if (read.integer(name) <= 0) problems.push(`--${name} must be >0`)
  }
  for (const name of ['max-concurrent-streams', 'snapshot-catchup-entries']) {
    if (read.integer(name) < 0) problems.push(`--${name} must be >=0`)
  }
  for (const name of [
    'listen-client-urls',
    'listen-client-http-urls',
    'listen-metrics-urls',
    'listen-peer-urls',
  ]) {
    problems.push(...listenProblemsOf(name, read))
  }
  return problems
}

function listenProblemsOf(name: string, read: FlagReader): string[] {
  const problems: string[] = []
  for (const { scheme, host, text } of read.urls(name).map(parseListenUrl)) {
    const isAddress =
      host === 'localhost' || host === '' || /^[\d.]+$/.test(host) || host.includes(':')
    if ((scheme === 'http' || scheme === 'https') && !isAddress) {
      problems.push(`expected IP in URL for binding (${text})`)
    }
    if (scheme.startsWith('unix') && name === 'listen-peer-urls') {
      problems.push(`--${name}=${text} is not supported yet (sockets are for clients only)`)
    }
  }
  return problems
}

/** `name=url,name=url,…`, where a name may have several URLs. */
function initialClusterOf(read: FlagReader, problems: string[]): InitialCluster {
  const cluster = new Map<string, string[]>()
  const text =
    read.text('initial-cluster') ||
    read
      .urls('initial-advertise-peer-urls')
      .map((url) => `${read.text('name')}=${url}`)
      .join(',')
  for (const part of text.split(',')) {
    const separator = part.indexOf('=')
    const name = part.slice(0, Math.max(separator, 0)).trim()
    const url = part.slice(separator + 1).trim()
    if (separator < 1 || name === '') {
      problems.push(`--initial-cluster has "${part}" where name=url is expected`)
      continue
    }
    try {
      if (parseListenUrl(url).scheme.startsWith('unix')) {
        problems.push(
          `--initial-cluster: ${url} is not supported yet (sockets are for clients only)`,
        )
      }
    } catch (error) {
      problems.push(`--initial-cluster: ${error instanceof Error ? error.message : String(error)}`)
    }
    const urls = cluster.get(name) ?? []
    if (!urls.includes(url)) urls.push(url)
    cluster.set(name, urls)
  }
  for (const urls of cluster.values()) urls.sort()
  return cluster
}
