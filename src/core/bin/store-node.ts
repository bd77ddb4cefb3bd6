/**
 * Runs one store node as a program: flags, start, service, and the end on a signal. `bin/quorated` launches it.
 *
 * Everything a supervisor relies on is here: exit codes, the readiness line, the reaction to signals.
 *
 * @see etcd v3 API, "Server process"
 */
import { InvariantViolation } from '../base/assert.ts'
import { hexId } from '../base/ids.ts'
import { systemClock } from '../io/system-clock.ts'
import { processFigures } from '../io/process-figures.ts'
import { systemRandom } from '../io/system-random.ts'
import { StoreNode } from '../node/store-node.ts'
import { isTlsUrl } from '../rpc/client-port.ts'
import { RpcServer } from '../rpc/rpc-server.ts'
import { describeFlags, parseFlags, usageText, UsageError, type ParsedFlags } from './flags.ts'
import { loadConfigFile } from './config-file.ts'
import type { TlsFiles } from '../io/tls-files.ts'
import { Failpoints } from './failpoint-server.ts'
import { findOfflineCommand } from './offline-commands.ts'
import { openLog, type LogSettings, type ProgramLogger } from './log-output.ts'
import { systemEnvironment } from './node-environment.ts'
import { clientSecurer, openPortTls } from './open-tls.ts'
import { logSettingsOf, programConfigOf, type ProgramConfig } from './program-config.ts'
import { versionText } from './version-text.ts'

/** Unary calls may finish for this long once a signal has come. */
const drainMs = 300
/** After a signal the process is gone after this long, whatever hangs. */
const stopMsMax = 1_400
const nodeVersionMin = [20, 19] as const

const signalNames = { SIGTERM: 'terminated', SIGINT: 'interrupt' } as const
type StopSignal = keyof typeof signalNames

/** What is running, as far as it has come. */
interface Program {
  readonly log: ProgramLogger
  readonly rpc: RpcServer
  node: StoreNode | undefined
  isStopping: boolean
}

void main()

async function main(): Promise<void> {
  // Whoever read our output may go away; that is no reason for a store to end.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  requireNodeVersion()
  const command = findOfflineCommand(process.argv[2])
  if (command !== undefined) process.exit(await command(process.argv.slice(3)))
  const flags = readFlags()
  if (flags.wantsHelp) {
    process.stderr.write(usageText)
    process.stdout.write(describeFlags())
    process.exit(0)
  }
  if (flags.wantsVersion) {
    process.stdout.write(versionText(process.env['ETCD_QUORATE_REPORTED_VERSION']))
    process.exit(0)
  }
  await startNode(flags)
}

async function startNode(lineFlags: ParsedFlags): Promise<void> {
  const flags = await readConfigFile(lineFlags)
  const log = openProgramLog(flags)
  process.on('uncaughtException', (error) => {
    die(log, 'unexpected failure', error)
  })
  for (const variable of flags.unknownVariables) {
    log.warn('unrecognized environment variable', { 'environment-variable': variable })
  }
  if (flags.file !== undefined) tellOfFile(log, flags.file)
  let config: ProgramConfig
  try {
    config = programConfigOf(flags, process.env)
  } catch (error) {
    failStart(log, 'failed to verify flags', error)
  }
  for (const [name, value] of config.idleFlags) {
    log.warn('flag is accepted and has no effect on this node', { flag: name, value })
  }
  if (config.hasFailpoints) await openFailpoints(log)
  await run(log, config)
}

/** For tests alone. */
async function openFailpoints(log: ProgramLogger): Promise<void> {
  try {
    const failpoints = new Failpoints(process.env['GOFAIL_FAILPOINTS'] ?? '')
    const address = process.env['GOFAIL_HTTP'] ?? ''
    if (address !== '') await failpoints.listen(address)
    log.warn('failpoints are armed from outside', { address })
  } catch (error) {
    failStart(log, 'cannot arm failpoints', error)
  }
}

/** The settings of `--config-file`, if there is one, in the place of all others. */
async function readConfigFile(flags: ParsedFlags): Promise<ParsedFlags> {
  const path = flags.texts.get('config-file') ?? ''
  if (path === '') return flags
  try {
    return await loadConfigFile(path)
  } catch (error) {
    failStart(openProgramLog(flags), 'failed to verify flags', error)
  }
}

function tellOfFile(log: ProgramLogger, file: NonNullable<ParsedFlags['file']>): void {
  log.info(
    'loaded server configuration, other configuration command line flags and environment variables will be ignored if provided',
    { path: file.path },
  )
  for (const key of file.unknownKeys) {
    log.warn('unrecognized key in the configuration file', { path: file.path, key })
  }
}

async function run(log: ProgramLogger, config: ProgramConfig): Promise<void> {
  logStart(log, config)
  const tls = await openTls(log, config)
  let rpc: RpcServer
  try {
    rpc = await RpcServer.bind(
      {
        clock: systemClock,
        random: systemRandom,
        processFigures,
        logger: log.with({ caller: 'rpc/rpc-server.ts' }),
        createSecurer:
          tls.client === undefined
            ? undefined
            : clientSecurer(tls.client, {
                identifiesClients: config.tls.identifiesClients,
                logger: log.with({ caller: 'io/tls-server.ts' }),
              }),
        onFatal: (error) => {
          die(log, 'unexpected failure while serving', error)
        },
      },
      {
        clients: config.listenClientUrls,
        http: config.listenHttpUrls,
        metrics: config.listenMetricsUrls,
      },
    )
  } catch (error) {
    failStart(log, 'cannot listen for clients', error)
  }
  const program: Program = { log, rpc, node: undefined, isStopping: false }
  stopOnSignals(program)
  let node: StoreNode
  try {
    node = await StoreNode.start(
      systemEnvironment({
        logger: log.with({ caller: 'node/store-node.ts' }),
        listenPeerUrls: config.listenPeerUrls.map((url) => url.text),
        advertisedPeerUrls: config.node.initialAdvertisePeerUrls,
        peerTls: tls.peer,
        version: config.node.reportedVersion,
      }),
      config.node,
    )
  } catch (error) {
    failStart(log, 'cannot start the node', error)
  }
  program.node = node
  void endWithNode(program, node)
  try {
    await node.ready
  } catch (error) {
    // It has stopped before it was ready; whoever stopped it ends the process.
    log.debug('stopped before ready', { reason: sentenceOf(error) })
    return
  }
  if (program.isStopping) return
  rpc.serve(node, config.rpc)
  for (const url of rpc.urls) {
    log.info('ready to serve client requests')
    log.info(
      /^(https|unixs):/.test(url)
        ? 'serving client traffic securely'
        : 'serving client traffic insecurely; this is strongly discouraged!',
      { traffic: 'grpc+http', address: url.replace(/^[a-z]+:\/\//, '') },
    )
  }
  for (const url of rpc.metricsUrls) log.info('serving metrics', { address: url })
}

/** Reads or makes the certificates of both ports. */
async function openTls(
  log: ProgramLogger,
  { tls, node, listenClientUrls, listenHttpUrls, listenMetricsUrls }: ProgramConfig,
): Promise<{ readonly client: TlsFiles | undefined; readonly peer: TlsFiles | undefined }> {
  for (const { message, fields } of tls.warnings) log.warn(message, fields)
  const environment = { clock: systemClock, logger: log.with({ caller: 'io/tls-files.ts' }) }
  const open = (port: 'client' | 'peer'): Promise<TlsFiles> | undefined => {
    const wanted = tls[port]
    if (wanted === undefined) return undefined
    return openPortTls(wanted, { dataDirectory: node.dataDirectory, port }, environment)
  }
  try {
    // What only plain URLs could use is not looked at, as in etcd; members may be dialled by TLS in any case.
    const urls = [...listenClientUrls, ...listenHttpUrls, ...listenMetricsUrls]
    const client = urls.some(isTlsUrl) ? await open('client') : undefined
    return { peer: await open('peer'), client }
  } catch (error) {
    failStart(log, 'cannot use TLS', error)
  }
}

/** The node may end by itself: removed from its cluster, or unable to go on. */
async function endWithNode(program: Program, node: StoreNode): Promise<void> {
  const reason = await node.stopped
  if (program.isStopping) return
  program.isStopping = true
  switch (reason.kind) {
    case 'removed':
      program.log.warn('the member has been permanently removed from the cluster', {
        'member-id': hexId(node.memberId),
      })
      await program.rpc.stop(drainMs)
      process.exit(0)
      break
    case 'fault':
      die(program.log, 'the node cannot go on', reason.error)
      break
    case 'stopped':
      process.exit(0)
  }
}

function stopOnSignals(program: Program): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second signal changes nothing.
      if (program.isStopping) return
      program.isStopping = true
      void stop(program, signal)
    })
  }
}

async function stop(program: Program, signal: StopSignal): Promise<void> {
  const { log, rpc, node } = program
  log.info('received signal; shutting down', { signal: signalNames[signal] })
  setTimeout(() => {
    log.warn('stopping took too long')
    endBySignal(signal)
  }, stopMsMax).unref()
  try {
    await rpc.stop(drainMs)
    await node?.stop()
  } catch (error) {
    die(log, 'could not stop in order', error)
  }
  endBySignal(signal)
}

/** Ends the way the signal would have without a handler, so that the parent sees why. */
function endBySignal(signal: StopSignal): void {
  // The first process of a container cannot be killed by its own signal.
  if (process.pid === 1) process.exit(0)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

function logStart(
  log: ProgramLogger,
  { node, listenClientUrls, listenMetricsUrls, listenPeerUrls }: ProgramConfig,
): void {
  log.info('starting an etcd server', {
    'etcd-version': node.reportedVersion,
    'node-version': process.version,
    name: node.name,
    'data-dir': node.dataDirectory,
    'heartbeat-interval': `${node.heartbeatMs}ms`,
    'election-timeout': `${node.electionMs}ms`,
    'snapshot-count': node.snapshotEntryCount,
    'snapshot-catchup-entries': node.snapshotCatchUpEntryCount,
    'max-request-bytes': node.requestSizeBytesMax,
    'pre-vote': node.usesPreVote,
    'quota-backend-bytes': node.quotaBytes,
    'listen-client-urls': listenClientUrls.map((url) => url.text),
    'listen-metrics-urls': listenMetricsUrls.map((url) => url.text),
    'listen-peer-urls': listenPeerUrls.map((url) => url.text),
    'advertise-client-urls': node.advertiseClientUrls,
    'initial-advertise-peer-urls': node.initialAdvertisePeerUrls,
    'initial-cluster': [...node.initialCluster]
      .flatMap(([name, urls]) => urls.map((url) => `${name}=${url}`))
      .join(','),
    'initial-cluster-state': node.initialClusterState,
    'initial-cluster-token': node.initialClusterToken,
  })
}

function readFlags(): ParsedFlags {
  try {
    return parseFlags(process.argv.slice(2), process.env)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    if (error.exitCode === 2) process.stderr.write(usageText)
    process.stderr.write(`${error.message}\n`)
    process.exit(error.exitCode)
  }
}

function openProgramLog(flags: ParsedFlags): ProgramLogger {
  let settings: LogSettings
  try {
    settings = logSettingsOf(flags)
  } catch (error) {
    const plain = { level: 'info', format: 'json', outputs: ['default'] } as const
    failStart(openLog(plain, systemClock), 'failed to verify flags', error)
  }
  try {
    return openLog(settings, systemClock)
  } catch (error) {
    process.stderr.write(`cannot open the log: ${sentenceOf(error)}\n`)
    process.exit(1)
  }
}

/** Says why in the log and in one plain last line. */
function failStart(log: ProgramLogger, message: string, error: unknown): never {
  log.fatal(message, { error: sentenceOf(error) })
  process.stderr.write(`${message}: ${sentenceOf(error)}\n`)
  process.exit(1)
}

/** Something that must not happen did. Nothing is saved: what is durable is in the log already. */
function die(log: ProgramLogger, message: string, error: unknown): never {
  const stack = error instanceof Error ? error.stack : undefined
  log.fatal(message, {
    error: sentenceOf(error),
    ...(error instanceof InvariantViolation || stack !== undefined ? { stacktrace: stack } : {}),
  })
  process.stderr.write(`${message}: ${sentenceOf(error)}\n`)
  process.exit(1)
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, address, port } = error as NodeJS.ErrnoException & {
    readonly address?: string
    readonly port?: number
  }
  const place = port === undefined ? (address ?? '') : `${address ?? ''}:${port}`
  if (code === 'EADDRINUSE') return `listen tcp ${place}: bind: address already in use`
  if (code === 'EADDRNOTAVAIL') return `listen tcp ${place}: bind: cannot assign requested address`
  if (code === 'EACCES' && place !== '') return `listen tcp ${place}: bind: permission denied`
  return error.message
}

function requireNodeVersion(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const [majorMin, minorMin] = nodeVersionMin
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return
  process.stderr.write(
    `Node.js ${majorMin}.${minorMin} or newer is needed; this is ${process.versions.node}\n`,
  )
  process.exit(1)
}
