/** Clusters whose members are different programs: a real etcd and ours, side by side. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readyLine } from './quorated.ts'
import { freePorts } from './real-etcd.ts'
import { ServerProcess } from './server-process.ts'

/** One member: its addresses, and its process while it runs. */
export interface MixedMember {
  readonly name: string
  readonly clientUrl: string
  readonly peerUrl: string
  readonly dataDirectory: string
  process: ServerProcess | undefined
}

/** How a member is started. */
export interface MixedStartOptions {
  /** Numbers of the initial members. */
  readonly cluster: readonly number[]
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Members by number, in a temporary folder. Each is started with the program that it is to be. */
export class MixedCluster {
  readonly members: readonly MixedMember[]
  private readonly folder: string

  private constructor(members: readonly MixedMember[], folder: string) {
    this.members = members
    this.folder = folder
  }

  /** Describes members without starting anything. */
  static async describe(size: number): Promise<MixedCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'mixed-'))
    const ports = await freePorts(size * 2)
    const members = Array.from({ length: size }, (_, at) => ({
      name: `m${at}`,
      clientUrl: `http://127.0.0.1:${ports[2 * at] ?? 0}`,
      peerUrl: `http://127.0.0.1:${ports[2 * at + 1] ?? 0}`,
      dataDirectory: join(folder, `m${at}`),
      process: undefined,
    }))
    return new MixedCluster(members, folder)
  }

  member(at: number): MixedMember {
    const member = this.members[at]
    if (member === undefined) throw new Error(`there is no member ${at}`)
    return member
  }

  /** Starts the member as a program, and waits until it serves. */
  async start(program: string, at: number, options: MixedStartOptions): Promise<void> {
    await this.spawn(program, at, options).waitForLine(readyLine)
  }

  /** Starts the member without waiting for anything. */
  spawn(program: string, at: number, options: MixedStartOptions): ServerProcess {
    const member = this.member(at)
    const initial = options.cluster.map((each) => {
      const { name, peerUrl } = this.member(each)
      return `${name}=${peerUrl}`
    })
    member.process = new ServerProcess(program, {
      args: [
        `--name=${member.name}`,
        `--data-dir=${member.dataDirectory}`,
        `--listen-client-urls=${member.clientUrl}`,
        `--advertise-client-urls=${member.clientUrl}`,
        `--listen-peer-urls=${member.peerUrl}`,
        `--initial-advertise-peer-urls=${member.peerUrl}`,
        `--initial-cluster=${initial.join(',')}`,
        ...(options.flags ?? []),
      ],
      env: { PATH: process.env['PATH'] ?? '', ...options.env },
    })
    return member.process
  }

  /** A call of the JSON gateway of one member. */
  async call(at: number, path: string, body: object): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.member(at).clientUrl}/v3/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    return (await response.json()) as Record<string, unknown>
  }

  /** What a member tells on a path of its client port. */
  async get(at: number, path: string): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.member(at).clientUrl}${path}`)
    return (await response.json()) as Record<string, unknown>
  }

  /** Kills what runs and removes the folder. */
  async dispose(): Promise<void> {
    for (const member of this.members) await member.process?.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
