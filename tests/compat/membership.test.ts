/** Changes of members that etcd refuses, and those of one member that it takes, on a real etcd and on our node. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { quoratedProgram, readyLine } from '../helpers/quorated.ts'
import { freePorts } from '../helpers/real-etcd.ts'
import { readable, RpcClient, type MethodName, type RequestOf } from '../helpers/rpc-client.ts'
import { ServerProcess } from '../helpers/server-process.ts'

/** A cluster of one kind of server. */
class Cluster {
  readonly processes: ServerProcess[] = []
  readonly clients: RpcClient[] = []
  readonly peerUrls: string[] = []
  private readonly folder = mkdtempSync(join(tmpdir(), 'members-'))
  private readonly program: string

  constructor(program: string) {
    this.program = program
  }

  async start(size: number): Promise<void> {
    const ports = await freePorts(size * 2)
    this.peerUrls.push(...ports.slice(size).map((port) => `http://127.0.0.1:${port}`))
    const initialCluster = this.peerUrls.map((url, index) => `node${index}=${url}`).join(',')
    for (const [index, peerUrl] of this.peerUrls.entries()) {
      const clientUrl = `http://127.0.0.1:${String(ports[index])}`
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
          ],
        }),
      )
    }
    await Promise.all(this.processes.map((each) => each.waitForLine(readyLine)))
    for (const port of ports.slice(0, size)) {
      this.clients.push(new RpcClient(`http://127.0.0.1:${port}`))
    }
  }

  client(index = 0): RpcClient {
    const client = this.clients[index]
    if (client === undefined) throw new Error(`there is no member ${index}`)
    return client
  }

  /** Ids of the members by their place in the cluster. */
  async ids(): Promise<readonly bigint[]> {
    const { members } = await this.client().must('memberList')
    return this.peerUrls.map(
      (url) => members.find(({ peerURLs }) => peerURLs.includes(url))?.ID ?? 0n,
    )
  }

  /** Without ids and ports, in the order of places and then of appearance. */
  comparable(answer: unknown): unknown {
    let text = JSON.stringify(readable(answer))
    for (const [index, url] of this.peerUrls.entries()) text = text.replaceAll(url, `PEER${index}`)
    const parsed = JSON.parse(
      text.replace(/http:\/\/127\.0\.0\.1:\d{4,5}/g, 'CLIENT').replace(/"ID":"\d+"/g, '"ID":"ID"'),
    ) as { response?: { members?: { peerURLs: string[] }[] } }
    parsed.response?.members?.sort((left, right) =>
      left.peerURLs.join() < right.peerURLs.join() ? -1 : 1,
    )
    return parsed
  }

  async dispose(): Promise<void> {
    for (const client of this.clients) client.close()
    await Promise.all(this.processes.map((each) => each.kill()))
    rmSync(this.folder, { recursive: true, force: true })
  }
}

let etcd: Cluster
let quorate: Cluster

beforeEach(() => {
  etcd = new Cluster(newerEtcd())
  quorate = new Cluster(quoratedProgram)
})

afterEach(async () => {
  await Promise.all([etcd.dispose(), quorate.dispose()])
})

/** Asks both the same, in their own ids, and expects the same. */
async function same<Name extends MethodName>(
  name: Name,
  fieldsOf: (cluster: Cluster) => Promise<Partial<RequestOf<Name>>> | Partial<RequestOf<Name>>,
  index = 0,
): Promise<unknown> {
  const [theirs, ours] = await Promise.all(
    [etcd, quorate].map(async (cluster) =>
      cluster.comparable(await cluster.client(index).call(name, await fieldsOf(cluster))),
    ),
  )
  expect(ours, name).toEqual(theirs)
  return ours
}

async function idAt(cluster: Cluster, index: number): Promise<{ ID: bigint }> {
  return { ID: (await cluster.ids())[index] ?? 0n }
}

describe('one member', () => {
  beforeEach(() => Promise.all([etcd.start(1), quorate.start(1)]))

  test('is not joined by one whose peer URLs are wrong', async () => {
    for (const peerURLs of [
      [],
      ['x'],
      [''],
      ['ftp://127.0.0.1:1'],
      ['http://127.0.0.1'],
      ['http://127.0.0.1:1/path'],
      ['http://:x'],
      ['http://127.0.0.1:1', 'x'],
      ['http://127.0.0.1:x'],
    ]) {
      const answer = await same('memberAdd', () => ({ peerURLs, isLearner: true }))
      expect(answer, peerURLs.join()).toMatchObject({ code: expect.any(Number) as number })
      const [theirs, ours] = await Promise.all(
        [etcd, quorate].map(async (cluster) => {
          const { members } = await cluster.client().must('memberList')
          const learner = members.find(({ isLearner }) => isLearner)
          if (learner !== undefined) await cluster.client().must('memberRemove', { ID: learner.ID })
          return members.length
        }),
      )
      expect(ours).toBe(theirs)
    }
  })

  test('refuses what cannot be, and takes one learner', async () => {
    await same('memberList', () => ({}))
    await same('memberAdd', ({ peerUrls }) => ({ peerURLs: peerUrls }))
    await same('memberRemove', () => ({ ID: 1n }))
    await same('memberRemove', () => ({ ID: 0n }))
    await same('memberRemove', (cluster) => idAt(cluster, 0))
    await same('memberPromote', () => ({ ID: 1n }))
    await same('memberPromote', (cluster) => idAt(cluster, 0))
    await same('memberUpdate', () => ({ ID: 1n, peerURLs: ['http://127.0.0.1:1'] }))
    await same('memberAdd', () => ({ peerURLs: ['http://127.0.0.1:1'], isLearner: true }))
    await same('memberAdd', () => ({ peerURLs: ['http://127.0.0.1:2'], isLearner: true }))
    await same('memberAdd', () => ({ peerURLs: ['http://127.0.0.1:1'], isLearner: true }))
    await same('memberUpdate', async (cluster) => ({
      ...(await idAt(cluster, 0)),
      peerURLs: ['http://127.0.0.1:1'],
    }))
    const learnerOf = async (cluster: Cluster): Promise<bigint> => {
      const { members } = await cluster.client().must('memberList')
      return members.find(({ isLearner }) => isLearner)?.ID ?? 0n
    }
    await same('memberPromote', async (cluster) => ({ ID: await learnerOf(cluster) }))
    // URLs stay in the order in which they were given.
    await same('memberUpdate', async (cluster) => ({
      ...(await idAt(cluster, 0)),
      peerURLs: [...cluster.peerUrls, 'http://127.0.0.1:4', 'http://127.0.0.1:3'],
    }))
    await same('memberUpdate', async (cluster) => ({
      ...(await idAt(cluster, 0)),
      peerURLs: cluster.peerUrls,
    }))
    await same('memberList', () => ({ linearizable: true }))
    const removed = new Map<Cluster, bigint>()
    for (const cluster of [etcd, quorate]) removed.set(cluster, await learnerOf(cluster))
    await same('memberRemove', (cluster) => ({ ID: removed.get(cluster) ?? 0n }))
    await same('memberRemove', (cluster) => ({ ID: removed.get(cluster) ?? 0n }))
    await same('memberUpdate', (cluster) => ({
      ID: removed.get(cluster) ?? 0n,
      peerURLs: ['http://127.0.0.1:5'],
    }))
    await same('memberPromote', (cluster) => ({ ID: removed.get(cluster) ?? 0n }))
    await same('memberList', () => ({ linearizable: true }))
  })
})

test('a learner whose URLs are changed stays a learner, unlike with 3.5', async () => {
  await quorate.start(1)
  const client = quorate.client()
  const { member } = await client.must('memberAdd', {
    peerURLs: ['http://127.0.0.1:1'],
    isLearner: true,
  })
  const { members } = await client.must('memberUpdate', {
    ID: member?.ID ?? 0n,
    peerURLs: ['http://127.0.0.1:2'],
  })
  expect(members.find(({ ID }) => ID === member?.ID)).toMatchObject({
    isLearner: true,
    peerURLs: ['http://127.0.0.1:2'],
  })
})

describe('three members', () => {
  beforeEach(() => Promise.all([etcd.start(3), quorate.start(3)]))

  test('refuse changes while their connections are young, and those that cost the majority', async () => {
    // Connections are younger than five seconds.
    await same('memberAdd', () => ({ peerURLs: ['http://127.0.0.1:1'] }))
    await same('memberRemove', (cluster) => idAt(cluster, 2))
    await new Promise((resolve) => setTimeout(resolve, 5_500))
    for (const index of [0, 1, 2]) {
      await same('memberAdd', ({ peerUrls }) => ({ peerURLs: [peerUrls[1] ?? ''] }), index)
      await same('memberPromote', (cluster) => idAt(cluster, 1), index)
      await same('memberRemove', () => ({ ID: 1n }), index)
    }
    await same('memberUpdate', async (cluster) => ({
      ...(await idAt(cluster, 1)),
      peerURLs: [cluster.peerUrls[2] ?? ''],
    }))
    for (const { processes } of [etcd, quorate]) await processes[2]?.kill()
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    await same('memberAdd', () => ({ peerURLs: ['http://127.0.0.1:1'] }))
    await same('memberAdd', () => ({ peerURLs: ['http://127.0.0.1:1'], isLearner: true }))
    await same('memberRemove', (cluster) => idAt(cluster, 1))
    await same('memberRemove', (cluster) => idAt(cluster, 0))
    // The one that is down may go.
    await same('memberRemove', (cluster) => idAt(cluster, 2))
    await same('memberList', () => ({ linearizable: true }))
    await same('memberAdd', () => ({ peerURLs: ['http://127.0.0.1:1'] }))
  })
})

describe('leadership of one member', () => {
  test('can be handed to nobody else', async () => {
    await Promise.all([etcd.start(1), quorate.start(1)])
    for (const targetID of [0n, 12_345n]) {
      await same('moveLeader', () => ({ targetID }))
    }
    await same('moveLeader', async (cluster) => ({ targetID: (await cluster.ids())[0] ?? 0n }))
  })
})
