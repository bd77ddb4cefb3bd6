/** Clusters of any program that takes etcd's flags, in a temporary folder. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inPlaces } from '../compat/exclusions.ts'
import { readyLine } from './quorated.ts'
import { freePorts } from './real-etcd.ts'
import { RpcClient } from './rpc-client.ts'
import { ServerProcess } from './server-process.ts'

/** A cluster of one kind of server, with a client per member. */
export class ServerCluster {
  readonly processes: ServerProcess[] = []
  readonly clients: RpcClient[] = []
  readonly clientUrls: string[] = []
  readonly peerUrls: string[] = []
  private readonly folder = mkdtempSync(join(tmpdir(), 'members-'))
  private readonly program: string

  /** @param program  path or name of the executable */
  constructor(program: string) {
    this.program = program
  }

  /** Starts members called `node0`, `node1`, … and waits until all of them serve. */
  async start(size: number, flags: readonly string[] = []): Promise<void> {
    const ports = await freePorts(size * 2)
    const urls = ports.map((port) => `http://127.0.0.1:${port}`)
    this.clientUrls.push(...urls.slice(0, size))
    this.peerUrls.push(...urls.slice(size))
    const initialCluster = this.peerUrls.map((url, index) => `node${index}=${url}`).join(',')
    for (const [index, peerUrl] of this.peerUrls.entries()) {
      const clientUrl = this.clientUrls[index] ?? ''
      this.processes.push(
        new ServerProcess(this.program, {
          args: [
            `--name=node${index}`,
            `--data-dir=${join(this.folder, `node${index}`)}`,
            `--listen-client-urls=${clientUrl}`,
            `--advertise-client-urls=${clientUrl}`,
            `--listen-peer-urls=${peerUrl}`,
            `--initial-advertise-peer-urls=${peerUrl}`,
            `--initial-cluster=${initialCluster}`,
            ...flags,
          ],
        }),
      )
    }
    await Promise.all(this.processes.map((each) => each.waitForLine(readyLine)))
    for (const url of this.clientUrls) this.clients.push(new RpcClient(url))
  }

  client(index = 0): RpcClient {
    const client = this.clients[index]
    if (client === undefined) throw new Error(`there is no member ${index}`)
    return client
  }

  /** Host and port of a member's client URL, as etcdctl wants it. */
  endpoint(index = 0): string {
    return new URL(this.clientUrls[index] ?? '').host
  }

  /** Place of the member that leads. @throws Error when nobody does */
  async leaderIndex(): Promise<number> {
    const { header, leader } = await this.client().must('status')
    if (header?.memberId === leader) return 0
    const index = (await this.ids()).indexOf(leader)
    if (index < 0) throw new Error('nobody leads')
    return index
  }

  /** Ids of the members by their place in the cluster. */
  async ids(): Promise<readonly bigint[]> {
    const { members } = await this.client().must('memberList')
    return this.peerUrls.map(
      (url) => members.find(({ peerURLs }) => peerURLs.includes(url))?.ID ?? 0n,
    )
  }

  /** An answer without ids and ports, which are told by places. */
  async comparable(answer: unknown): Promise<unknown> {
    const { peerUrls, clientUrls } = this
    return inPlaces(answer, { ids: await this.ids(), peerUrls, clientUrls })
  }

  async dispose(): Promise<void> {
    for (const client of this.clients) client.close()
    await Promise.all(this.processes.map((each) => each.kill()))
    rmSync(this.folder, { recursive: true, force: true })
  }
}
