/** Clusters of the real etcd from Debian, for tests that need a server which is not ours. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Whether `etcd` can be called; `npm test` installs it. */
export function isRealEtcdInstalled(): boolean {
  return spawnSync('etcd', ['--version']).status === 0
}

/** Below the ports that systems give to outgoing connections, which could take one while its server is not running. */
const portRange = { start: 10_000, end: 32_000 }
/** Test files that run at the same time take ports of different remainders. */
const portStep = 8
const portRemainder = Number(process.env['VITEST_POOL_ID'] ?? 0) % portStep
let nextStep = Math.floor((Math.random() * (portRange.end - portRange.start)) / portStep)

/**
 * Ports of 127.0.0.1 that nobody listens on at the moment. Each is given once, and to nobody else, so that a server finds
 * its port free again after it was killed.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = portRange.start + nextStep * portStep + portRemainder
    nextStep = (nextStep + 1) % Math.floor((portRange.end - portRange.start) / portStep)
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const isListening = await new Promise<boolean>((resolve) => {
    server.once('error', () => {
      resolve(false)
    })
    server.listen(port, '127.0.0.1', () => {
      resolve(true)
    })
  })
  if (isListening) await new Promise((resolve) => server.close(resolve))
  return isListening
}

export interface EtcdMember {
  readonly name: string
  readonly clientUrl: string
  readonly peerUrl: string
  /** Resolves when it serves. */
  start(): Promise<void>
  /** Resolves when the process is gone. */
  signal(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void>
}

/** A cluster of real etcd servers in a temporary folder. */
export class RealEtcdCluster {
  readonly members: readonly EtcdMember[]
  private readonly processes = new Map<string, ChildProcess>()
  private readonly directory: string

  private constructor(members: (cluster: RealEtcdCluster) => EtcdMember[]) {
    this.directory = mkdtempSync(join(tmpdir(), 'real-etcd-'))
    this.members = members(this)
  }

  /** Starts a cluster and waits until every member serves. */
  static async start(size: number): Promise<RealEtcdCluster> {
    const ports = await freePorts(size * 2)
    const cluster = new RealEtcdCluster((self) => self.describeMembers(size, ports))
    await Promise.all(cluster.members.map((member) => member.start()))
    return cluster
  }

  get clientUrls(): string[] {
    return this.members.map((member) => member.clientUrl)
  }

  stop(): void {
    for (const child of this.processes.values()) child.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }

  private describeMembers(size: number, ports: readonly number[]): EtcdMember[] {
    const described = Array.from({ length: size }, (_, position) => ({
      name: `etcd${String(position + 1)}`,
      clientUrl: `http://127.0.0.1:${String(ports[position * 2])}`,
      peerUrl: `http://127.0.0.1:${String(ports[position * 2 + 1])}`,
    }))
    const initialCluster = described.map((member) => `${member.name}=${member.peerUrl}`).join(',')
    return described.map((member) => ({
      ...member,
      start: () => {
        this.processes.set(member.name, this.spawnMember(member, initialCluster))
        return waitForHealth(member.clientUrl)
      },
      signal: async (signal) => {
        const child = this.processes.get(member.name)
        if (child === undefined) return
        const isEnd = signal === 'SIGKILL' || signal === 'SIGTERM'
        const gone = new Promise((resolve) => child.once('exit', resolve))
        child.kill(signal)
        if (isEnd && child.exitCode === null && child.signalCode === null) await gone
      },
    }))
  }

  private spawnMember(
    member: Pick<EtcdMember, 'name' | 'clientUrl' | 'peerUrl'>,
    initialCluster: string,
  ): ChildProcess {
    return spawn(
      'etcd',
      [
        `--name=${member.name}`,
        `--data-dir=${join(this.directory, member.name)}`,
        `--listen-client-urls=${member.clientUrl}`,
        `--advertise-client-urls=${member.clientUrl}`,
        `--listen-peer-urls=${member.peerUrl}`,
        `--initial-advertise-peer-urls=${member.peerUrl}`,
        `--initial-cluster=${initialCluster}`,
      ],
      { stdio: 'ignore' },
    )
  }
}

async function waitForHealth(clientUrl: string): Promise<void> {
  const endsAtMs = Date.now() + 20_000
  for (;;) {
    try {
      const response = await fetch(`${clientUrl}/health`)
      if (response.ok) return
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
    }
    if (Date.now() > endsAtMs) throw new Error(`${clientUrl} did not become healthy in 20 seconds`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
