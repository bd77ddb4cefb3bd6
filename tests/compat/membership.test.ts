/** Changes of members that etcd refuses, and those of one member that it takes, on a real etcd and on our node. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { expectAlike } from '../helpers/comparisons.ts'
import { quoratedProgram } from '../helpers/quorated.ts'
import { methods, type MethodName, type RequestOf } from '../helpers/rpc-client.ts'
import { ServerCluster } from '../helpers/server-cluster.ts'

let etcd: ServerCluster
let quorate: ServerCluster

beforeEach(() => {
  etcd = new ServerCluster(newerEtcd())
  quorate = new ServerCluster(quoratedProgram)
})

afterEach(async () => {
  await Promise.all([etcd.dispose(), quorate.dispose()])
})

/** Asks both the same, in their own ids, and expects the same. */
async function same<Name extends MethodName>(
  name: Name,
  fieldsOf: (
    cluster: ServerCluster,
  ) => Promise<Partial<RequestOf<Name>>> | Partial<RequestOf<Name>>,
  index = 0,
): Promise<unknown> {
  const [theirs, ours] = await Promise.all(
    [etcd, quorate].map(async (cluster) =>
      cluster.comparable(await cluster.client(index).call(name, await fieldsOf(cluster))),
    ),
  )
  expectAlike(methods[name].path, { etcd: theirs, quorate: ours })
  return ours
}

async function idAt(cluster: ServerCluster, index: number): Promise<{ ID: bigint }> {
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
    const learnerOf = async (cluster: ServerCluster): Promise<bigint> => {
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
    const removed = new Map<ServerCluster, bigint>()
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
