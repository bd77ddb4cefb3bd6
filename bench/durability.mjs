/**
 * `npm run bench -- durability`: puts against a server under strace, and how many of them were answered before they were durable.
 * trace.mjs tells how that is decided. It must print 0 for both servers, and many for an etcd that was told not to sync: the proof
 * that it can see what it looks for.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CallFailed, Connection } from './driver/connection.mjs'
import { paths, putBody } from './messages.mjs'
import { kinds, startServer } from './servers.mjs'
import { markerOf, readTrace, tracedCalls } from './trace.mjs'

const connectionCount = 20
const streamsPerConnection = 5
const putsPerStream = 40
const longestArgumentBytes = 4 * 1024 ** 2
const traceSettleMs = 500

const underStrace = (traceFile) => (command) => [
  'strace',
  // The tracer is the grandchild, so that the server's process is our child and gets our signals.
  '-D',
  '-f',
  '-yy',
  '-xx',
  `--string-limit=${longestArgumentBytes}`,
  `--output=${traceFile}`,
  `--trace=${tracedCalls}`,
  ...command,
]

/** Each stream's next put goes out when its last one was answered, on a stream number known before. */
function putOn(connection, state, key) {
  return new Promise((resolve, reject) => {
    const next = (rest) => {
      if (rest === 0) {
        resolve()
        return
      }
      const streamId = state.nextStreamId
      state.nextStreamId += 2
      const onEnd = (status) =>
        status === 0 ? next(rest - 1) : reject(new CallFailed(paths.put, status))
      const body = putBody(key, markerOf(connection.localPort, streamId))
      connection.request(paths.put, body, { onEnd })
    }
    next(putsPerStream)
  })
}

async function putAll(port) {
  let fail
  const failed = new Promise((_resolve, reject) => {
    fail = reject
  })
  const onFailure = (error) => fail(error)
  const connections = Array.from(
    { length: connectionCount },
    () => new Connection({ port, onFailure }),
  )
  await Promise.race([Promise.all(connections.map(({ ready }) => ready)), failed])
  const streams = connections.flatMap((connection, index) => {
    const state = { nextStreamId: 1 }
    return Array.from({ length: streamsPerConnection }, (_, stream) =>
      putOn(connection, state, `durable/${index}/${stream}`),
    )
  })
  await Promise.race([Promise.all(streams), failed])
  connections.forEach((connection) => connection.close())
  return connectionCount * streamsPerConnection * putsPerStream
}

/** @returns {Promise<{ putCount: number, answeredCount: number, syncCount: number, violations: string[] }>} */
async function prove(kind, flags) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-trace-'))
  const traceFile = join(folder, 'trace')
  try {
    const server = await startServer(kind, { wrap: underStrace(traceFile), flags })
    let putCount
    try {
      putCount = await putAll(server.port)
      await server.stop()
      await new Promise((resolve) => setTimeout(resolve, traceSettleMs))
    } finally {
      await server.dispose()
    }
    const { answeredCount, syncCount, violations } = await readTrace(traceFile)
    return { putCount, answeredCount, syncCount, violations }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Prints one line for each server, and fails the process when a put was answered too early or was not seen. */
export async function proveDurability() {
  if (spawnSync('strace', ['--version']).status !== 0) {
    throw new Error('strace is needed; install with: sudo apt-get install -y strace')
  }
  for (const kind of kinds) {
    const result = await prove(kind, [])
    print(kind, result)
    if (result.violations.length > 0) process.exitCode = 1
  }
  const control = await prove('etcd', ['--unsafe-no-fsync'])
  print('etcd --unsafe-no-fsync', control)
  if (control.violations.length === 0) process.exitCode = 1
}

function print(name, { putCount, answeredCount, syncCount, violations }) {
  process.stdout.write(
    `${name}: ${putCount} puts acknowledged, ${answeredCount} answers and ${syncCount} syncs of the log traced, ` +
      `${violations.length} answers before the put was durable\n`,
  )
  if (answeredCount !== putCount) throw new Error('the trace does not show every answer')
}
