/** Clusters of `bin/quorated`, as a user would start them. The build must have been run. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts } from './real-etcd.ts'
import { ServerProcess, type ServerExit } from './server-process.ts'

/** The program under test. */
export const quoratedProgram = fileURLToPath(new URL('../../bin/quorated', import.meta.url))
const bundle = fileURLToPath(new URL('../../dist/quorated.mjs', import.meta.url))

/** The line that tells that clients are served. */
export const readyLine = 'ready to serve client requests'

/** One member of a cluster: its addresses, and its process while it runs. */
export class QuoratedMember {
  readonly name: string
  readonly clientUrl: string
  readonly peerUrl: string
  readonly dataDirectory: string
  private readonly flags: readonly string[]
  private running: ServerProcess | undefined

  constructor(
    addresses: Pick<QuoratedMember, 'name' | 'clientUrl' | 'peerUrl' | 'dataDirectory'>,
    flags: readonly string[],
  ) {
    this.name = addresses.name
    this.clientUrl = addresses.clientUrl
    this.peerUrl = addresses.peerUrl
    this.dataDirectory = addresses.dataDirectory
    this.flags = flags
  }

  /** The process, which may have ended. */
  get process(): ServerProcess {
    if (this.running === undefined) throw new Error(`${this.name} was never started`)
    return this.running
  }

  /** Starts the process without waiting for anything. */
  spawn(): ServerProcess {
    if (!existsSync(bundle)) throw new Error('dist/quorated.mjs is missing: npm run build:core')
    this.running = new ServerProcess(quoratedProgram, {
      args: [
        `--name=${this.name}`,
        `--data-dir=${this.dataDirectory}`,
        `--listen-client-urls=${this.clientUrl}`,
        `--advertise-client-urls=${this.clientUrl}`,
        `--listen-peer-urls=${this.peerUrl}`,
        `--initial-advertise-peer-urls=${this.peerUrl}`,
        ...this.flags,
      ],
    })
    return this.running
  }

  /** Starts the process and waits until it serves. */
  async start(): Promise<void> {
    await this.spawn().waitForLine(readyLine)
  }

  /** Sends SIGTERM and waits for the end. */
  async stop(): Promise<ServerExit> {
    this.process.signal('SIGTERM')
    return this.process.exited
  }

  /** Sends SIGKILL and waits for the end. */
  async kill(): Promise<void> {
    await this.running?.kill()
  }
}

/** A cluster in a temporary folder of its own. */
export class QuoratedCluster {
  readonly members: readonly QuoratedMember[]
  readonly folder: string

  private constructor(members: readonly QuoratedMember[], folder: string) {
    this.members = members
    this.folder = folder
  }

  /** Describes a cluster without starting anything. */
  static async describe(size: number, flags: readonly string[] = []): Promise<QuoratedCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'quorated-'))
    const ports = await freePorts(size * 2)
    const addresses = Array.from({ length: size }, (_, position) => ({
      name: `node${position + 1}`,
      clientUrl: `http://127.0.0.1:${String(ports[position * 2])}`,
      peerUrl: `http://127.0.0.1:${String(ports[position * 2 + 1])}`,
      dataDirectory: join(folder, `node${position + 1}`),
    }))
    const initialCluster = addresses.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')
    const members = addresses.map(
      (each) => new QuoratedMember(each, [`--initial-cluster=${initialCluster}`, ...flags]),
    )
    return new QuoratedCluster(members, folder)
  }

  /** Starts a cluster and waits until every member serves. */
  static async start(size: number, flags: readonly string[] = []): Promise<QuoratedCluster> {
    const cluster = await QuoratedCluster.describe(size, flags)
    await Promise.all(cluster.members.map((member) => member.start()))
    return cluster
  }

  get clientUrls(): string[] {
    return this.members.map((member) => member.clientUrl)
  }

  /** Kills what runs and removes the folder. */
  async dispose(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()))
    rmSync(this.folder, { recursive: true, force: true })
  }
}
