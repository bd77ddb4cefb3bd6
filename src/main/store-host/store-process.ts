/**
 * The process of one local node: the same parts as `bin/quorated`, given its flags as arguments. It differs in where log
 * lines go, and in how it is told to stop.
 */

import type { LogFields, Logger } from '../../core/base/logger.ts'
import { parseFlags } from '../../core/bin/flags.ts'
import { systemEnvironment } from '../../core/bin/node-environment.ts'
import { programConfigOf } from '../../core/bin/program-config.ts'
import { systemClock } from '../../core/io/system-clock.ts'
import { processFigures } from '../../core/io/process-figures.ts'
import { systemRandom } from '../../core/io/system-random.ts'
import { StoreNode } from '../../core/node/store-node.ts'
import { RpcServer } from '../../core/rpc/rpc-server.ts'
import type { NodeLogLine } from '../../preload/contract/node.ts'
import type { NodeMessage } from './host-protocol.ts'

/** Calls that run may finish for this long once the node is to stop. */
const drainMs = 200

/** Messages are handed to the app in another thread of this process, which takes a moment. */
const farewellMs = 100

const { parentPort } = process

function post(message: NodeMessage): void {
  parentPort.postMessage(message)
}

/** Hands every line to the app. */
function hostLogger(fixedFields: LogFields): Logger {
  const line = (level: NodeLogLine['level']) => {
    return (message: string, fields: LogFields = {}): void => {
      const all = { ...fixedFields, ...fields }
      const fieldsText = Object.keys(all).length === 0 ? '' : JSON.stringify(all, plainValue)
      post({ kind: 'log', level, atMs: systemClock.wallMs(), message, fieldsText })
    }
  }
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    with: (fields) => hostLogger({ ...fixedFields, ...fields }),
  }
}

/** Values that JSON does not know. */
function plainValue(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return BigInt.asUintN(64, value).toString(16)
  if (value instanceof Error) return value.message
  if (value instanceof Map || value instanceof Set) return [...(value as Iterable<unknown>)]
  return value
}

function fail(error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error)
  const stack = error instanceof Error ? error.stack : undefined
  post({
    kind: 'log',
    level: 'error',
    atMs: systemClock.wallMs(),
    message: reason,
    fieldsText: stack === undefined ? '' : JSON.stringify({ stack }),
  })
  post({ kind: 'failed', reason })
  // An exit at once would overtake the messages above, and nobody would learn the reason.
  setTimeout(() => {
    process.exit(1)
  }, farewellMs)
}

async function run(): Promise<void> {
  const logger = hostLogger({})
  // The app's own surroundings must not configure its nodes, so no variables are read.
  const config = programConfigOf(parseFlags(process.argv.slice(2), {}), {})
  const rpc = await RpcServer.bind(
    { clock: systemClock, random: systemRandom, processFigures, logger, onFatal: fail },
    { clients: config.listenClientUrls },
  )
  const node = await StoreNode.start(
    systemEnvironment({
      logger,
      listenPeerUrls: config.listenPeerUrls.map((url) => url.text),
      advertisedPeerUrls: config.node.initialAdvertisePeerUrls,
      version: config.node.reportedVersion,
    }),
    config.node,
  )
  let isStopping = false
  // There is one message only: to stop.
  parentPort.on('message', () => {
    if (isStopping) return
    isStopping = true
    void stop(rpc, node)
  })
  void node.stopped.then((reason) => {
    if (isStopping) return
    if (reason.kind === 'fault') fail(reason.error)
    else fail(new Error('the node was removed from its cluster'))
  })
  await node.ready
  rpc.serve(node, config.rpc)
  logger.info('ready to serve client requests')
  post({ kind: 'ready' })
}

async function stop(rpc: RpcServer, node: StoreNode): Promise<void> {
  try {
    await rpc.stop(drainMs)
    await node.stop()
    process.exit(0)
  } catch (error) {
    fail(error)
  }
}

process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
run().catch(fail)
