/**
 * The two servers that are compared, on equal terms: the same flags, the same disk, normal fsync. A server can be stopped, killed
 * and started again on its data.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureEtcdForBench } from '../scripts/real-etcd.mjs'
import { callOnce } from './driver/connection.mjs'
import { emptyBody, numberFields, paths } from './messages.mjs'

/** In the order in which a round measures them. */
export const kinds = ['quorate', 'etcd']
/** Our node's launcher; `QUORATED` names that of another build. */
export const quorated =
  process.env.QUORATED ?? fileURLToPath(new URL('../bin/quorated', import.meta.url))
const gibibyte = 1024 ** 3
const startTimeoutMs = 120_000
const stopTimeoutMs = 60_000

let foundEtcd
/** The opponent; looked for once. */
export function opponent() {
  foundEtcd ??= ensureEtcdForBench({ say: (line) => process.stderr.write(`${line}\n`) })
  return foundEtcd
}

/** A port on 127.0.0.1 that was free a moment ago. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

function isHealthy(port) {
  return new Promise((resolve) => {
    const request = get({ port, host: '127.0.0.1', path: '/health', agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => (body += chunk))
      response.on('end', () => resolve(body.includes('"health":"true"')))
      response.on('error', () => resolve(false))
    })
    request.setTimeout(5_000, () => request.destroy())
    request.on('error', () => resolve(false))
  })
}

/** One member of one server's cluster: its process and its folder. */
class Member {
  port
  peerUrl
  name
  folder
  #kind
  #child
  #ended

  constructor({ kind, name, port, peerPort, folder }) {
    this.#kind = kind
    this.name = name
    this.port = port
    this.peerUrl = `http://127.0.0.1:${peerPort}`
    this.folder = folder
  }

  get pid() {
    return this.#child.pid
  }

  /** @param {{ initialCluster: string, wrap?: (command: string[]) => string[], env?: object, flags?: string[] }} options */
  spawn({ initialCluster, wrap = (command) => command, env = {}, flags = [] }) {
    const clientUrl = `http://127.0.0.1:${this.port}`
    const [command, ...commandArguments] = wrap([
      this.#kind === 'etcd' ? opponent().command : quorated,
      `--name=${this.name}`,
      `--data-dir=${join(this.folder, 'data')}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${this.peerUrl}`,
      `--initial-advertise-peer-urls=${this.peerUrl}`,
      `--initial-cluster=${initialCluster}`,
      `--quota-backend-bytes=${8 * gibibyte}`,
      '--log-level=error',
      ...flags,
    ])
    const options = { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } }
    const child = spawn(command, commandArguments, options)
    this.#child = child
    this.errorText = ''
    child.stderr.setEncoding('utf8')
    child.stderr.on('data', (text) => (this.errorText = (this.errorText + text).slice(-2000)))
    this.#ended = new Promise((resolve) => {
      child.once('exit', resolve)
      child.once('error', resolve)
    })
  }

  async untilHealthy() {
    const deadlineMs = performance.now() + startTimeoutMs
    while (performance.now() < deadlineMs) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`${this.#kind} ended while it started: ${this.errorText}`)
      }
      if (await isHealthy(this.port)) return
      await sleep(5)
    }
    throw new Error(`${this.#kind} was not healthy within ${startTimeoutMs} ms`)
  }

  kill() {
    this.#child?.kill('SIGKILL')
  }

  async end(signal) {
    if (this.#child === undefined) return
    this.#child.kill(signal)
    const late = setTimeout(() => this.#child.kill('SIGKILL'), stopTimeoutMs)
    await this.#ended
    clearTimeout(late)
  }
}

/** Servers that must not outlive this process. */
const live = new Set()

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const server of live) {
      for (const member of server.members) member.kill()
      server.removeData()
    }
    process.exit(1)
  })
}

/** One or more members of one kind that form a cluster. */
export class Server {
  kind
  members = []
  #folder
  #options

  constructor(kind, { folder, ...options }) {
    this.kind = kind
    this.#folder = folder
    this.#options = options
    live.add(this)
  }

  get port() {
    return this.members[0].port
  }

  get pid() {
    return this.members[0].pid
  }

  get initialCluster() {
    return this.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')
  }

  /** Starts or starts again; resolves with the time from the first spawn until all are healthy, in ms. */
  async start() {
    const startMs = performance.now()
    for (const member of this.members) {
      member.spawn({ initialCluster: this.initialCluster, ...this.#options })
    }
    await Promise.all(this.members.map((member) => member.untilHealthy()))
    return performance.now() - startMs
  }

  /** Ends the processes and keeps the data. */
  async stop(signal = 'SIGTERM') {
    await Promise.all(this.members.map((member) => member.end(signal)))
  }

  /** Ends the processes and removes the data. */
  async dispose() {
    await this.stop('SIGKILL')
    this.removeData()
  }

  removeData() {
    live.delete(this)
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async leaderPort() {
    for (const member of this.members) {
      const status = await statusOf(member.port)
      if (status.leader === status.memberId) return member.port
    }
    throw new Error(`${this.kind} has no leader`)
  }
}

/** Ids as numbers of limited precision, good enough to tell members apart; and the revision. */
export async function statusOf(port) {
  const bytes = await callOnce(port, paths.status, emptyBody())
  const status = numberFields(bytes)
  const header = numberFields(bytes, status.get(1))
  return { revision: header.get(3) ?? 0, memberId: header.get(2), leader: status.get(4) }
}

/**
 * Makes a server with fresh data and starts it.
 * @param {'quorate' | 'etcd'} kind
 * @param {{ memberCount?: number, wrap?: (command: string[]) => string[], env?: object, flags?: string[] }} [options] `wrap` puts
 * another program before the server's
 */
export async function startServer(kind, { memberCount = 1, ...options } = {}) {
  const parent = process.env.BENCH_DIR ?? tmpdir()
  const folder = mkdtempSync(join(parent, `bench-${kind}-`))
  const server = new Server(kind, { folder, ...options })
  for (let number = 1; number <= memberCount; number++) {
    const memberFolder = join(folder, `m${number}`)
    mkdirSync(memberFolder)
    const [port, peerPort] = [await freePort(), await freePort()]
    server.members.push(
      new Member({ kind, name: `m${number}`, port, peerPort, folder: memberFolder }),
    )
  }
  try {
    await server.start()
  } catch (error) {
    await server.dispose()
    throw error
  }
  return server
}

/** Both servers; `use` gets them by kind, and both are gone when it is over. */
export async function withBoth(use, options) {
  const servers = {}
  try {
    for (const kind of kinds) servers[kind] = await startServer(kind, options)
    return await use(servers)
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.dispose()))
  }
}

const megabyte = 1024 ** 2

/** Memory of one process in MB: resident now, split into its own and mapped files, and the most there ever was. */
export function memoryOf(pid) {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  const read = (name) =>
    (Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1]) * 1024) / megabyte
  return {
    residentMb: read('VmRSS'),
    anonymousMb: read('RssAnon'),
    fileMb: read('RssFile'),
    peakMb: read('VmHWM'),
  }
}

/** Makes the peak of `memoryOf` start again from now; needs no privilege for a process of one's own. */
export function resetPeak(pid) {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}
