/** Members of a running cluster come and go: learners, promotion, removal of each kind, and of one whose disk is lost. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { QuoratedCluster, QuoratedMember } from '../helpers/quorated.ts'
import { freePorts } from '../helpers/real-etcd.ts'
import { RpcClient } from '../helpers/rpc-client.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

let cluster: QuoratedCluster
let clients: RpcClient[] = []
let newcomers: QuoratedMember[] = []

afterEach(async () => {
  for (const client of clients) client.close()
  await Promise.all(newcomers.map((member) => member.kill()))
  clients = []
  newcomers = []
  await cluster.dispose()
})

function clientOf(member: QuoratedMember): RpcClient {
  const client = new RpcClient(member.clientUrl)
  clients.push(client)
  return client
}

/** Connections count once they have held five seconds. */
const untilConnectionsCount = (): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, 5_500))

async function eventually<Result>(
  what: string,
  attempt: () => Promise<Result | undefined>,
): Promise<Result> {
  const endMs = performance.now() + 20_000
  for (;;) {
    const result = await attempt()
    if (result !== undefined) return result
    if (performance.now() > endMs) throw new Error(`${what} did not happen within 20 s`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function leaderIndex(): Promise<number> {
  for (const [index, member] of cluster.members.entries()) {
    const { leader, header } = await clientOf(member).must('status')
    if (leader === header?.memberId) return index
  }
  throw new Error('nobody leads')
}

function memberAt(index: number): QuoratedMember {
  const member = cluster.members[index % cluster.members.length]
  if (member === undefined) throw new Error(`there is no member ${index}`)
  return member
}

async function idOf(client: RpcClient, member: QuoratedMember): Promise<bigint> {
  const { members } = await client.must('memberList')
  const found = members.find(({ peerURLs }) => peerURLs.includes(member.peerUrl))
  if (found === undefined) throw new Error(`${member.name} is not a member`)
  return found.ID
}

/** A member for an existing cluster, not yet added to it. */
async function newcomerFor(others: readonly QuoratedMember[]): Promise<QuoratedMember> {
  const [clientPort, peerPort] = await freePorts(2)
  const peerUrl = `http://127.0.0.1:${String(peerPort)}`
  const initialCluster = [...others.map((each) => `${each.name}=${each.peerUrl}`), `new=${peerUrl}`]
  const member = new QuoratedMember(
    {
      name: 'new',
      clientUrl: `http://127.0.0.1:${String(clientPort)}`,
      peerUrl,
      dataDirectory: join(cluster.folder, 'new'),
    },
    [`--initial-cluster=${initialCluster.join()}`, '--initial-cluster-state=existing'],
  )
  newcomers.push(member)
  return member
}

test('a learner catches up, is promoted through a follower, and votes', async () => {
  cluster = await QuoratedCluster.start(1)
  const first = clientOf(memberAt(0))
  for (let count = 0; count < 100; count++) {
    await first.must('put', { key: bytes(`k${count}`), value: bytes('v') })
  }
  await first.must('leaseGrant', { ID: 7n, TTL: 1_000n })
  await first.must('put', { key: bytes('leased'), value: bytes('v'), lease: 7n })
  const newcomer = await newcomerFor(cluster.members)
  const added = await first.must('memberAdd', { peerURLs: [newcomer.peerUrl], isLearner: true })
  const id = added.member?.ID ?? 0n
  expect(await first.call('memberPromote', { ID: id })).toMatchObject({
    code: 9,
    text: 'etcdserver: can only promote a learner member which is in sync with leader',
  })
  newcomer.spawn()
  await newcomer.process.waitForLine('ready to serve client requests')
  const learner = clientOf(newcomer)
  expect(await learner.call('memberList')).toMatchObject({
    code: 9,
    text: 'etcdserver: rpc not supported for learner',
  })
  await eventually('catching up', async () => {
    const { response } = await learner.call('range', {
      key: bytes('k'),
      rangeEnd: bytes('m'),
      serializable: true,
    })
    return response?.count === 101n ? true : undefined
  })
  await first.must('memberPromote', { ID: id })
  await eventually('the promotion', async () => {
    const { response } = await learner.call('memberList', { linearizable: true })
    return response?.members.every(({ isLearner }) => !isLearner) === true ? true : undefined
  })
  // It serves like any other now, leases included.
  await learner.must('put', { key: bytes('through'), value: bytes('the new one') })
  const { keys, grantedTTL } = await learner.must('leaseTimeToLive', { ID: 7n, keys: true })
  expect({ keys: keys.map((key) => Buffer.from(key).toString()), grantedTTL }).toEqual({
    keys: ['leased'],
    grantedTTL: 1_000n,
  })
  // A third one, promoted by whoever does not lead.
  const { members } = await learner.must('memberList', { linearizable: true })
  expect(members.map(({ name }) => name).sort()).toEqual(['new', 'node1'])
})

test('a follower passes a promotion on to the leader', async () => {
  cluster = await QuoratedCluster.start(3)
  await untilConnectionsCount()
  const leader = await leaderIndex()
  const follower = clientOf(memberAt(leader + 1))
  const newcomer = await newcomerFor(cluster.members)
  const { member } = await follower.must('memberAdd', {
    peerURLs: [newcomer.peerUrl],
    isLearner: true,
  })
  const ID = member?.ID ?? 0n
  expect(await follower.call('memberPromote', { ID: 1n })).toMatchObject({ code: 5 })
  expect(await follower.call('memberPromote', { ID })).toMatchObject({ code: 9 })
  await newcomer.start()
  const { members } = await eventually('the promotion', async () => {
    const { response } = await follower.call('memberPromote', { ID })
    return response
  })
  expect(members.filter(({ isLearner }) => isLearner)).toEqual([])
  expect(await follower.call('memberPromote', { ID })).toMatchObject({ code: 9 })
})

test('a removed follower stops, and says why when it is started again', async () => {
  cluster = await QuoratedCluster.start(3)
  await untilConnectionsCount()
  const leader = await leaderIndex()
  const removed = memberAt(leader + 1)
  const client = clientOf(memberAt(leader))
  await client.must('memberRemove', { ID: await idOf(client, removed) })
  await removed.process.exited
  expect(removed.process.lines.join('\n')).toMatch(/removed/)
  await client.must('put', { key: bytes('a'), value: bytes('after') })
  const again = removed.spawn()
  const exit = await again.exited
  expect(exit.code).not.toBe(null)
  expect(again.lines.join('\n')).toMatch(/removed/)
  expect((await client.must('memberList')).members).toHaveLength(2)
})

test('a leader that is removed stops, and the others go on', async () => {
  cluster = await QuoratedCluster.start(3)
  await untilConnectionsCount()
  const leader = await leaderIndex()
  const client = clientOf(memberAt(leader))
  const { members } = await client.must('memberRemove', {
    ID: await idOf(client, memberAt(leader)),
  })
  expect(members).toHaveLength(2)
  await memberAt(leader).process.exited
  const other = clientOf(memberAt(leader + 1))
  await eventually('a write', async () => {
    const { response } = await other.call('put', { key: bytes('a'), value: bytes('after') })
    return response
  })
})

test('a member whose disk is lost is replaced, and what was written is there', async () => {
  cluster = await QuoratedCluster.start(3)
  await untilConnectionsCount()
  const leader = await leaderIndex()
  const lost = memberAt(leader + 1)
  const client = clientOf(memberAt(leader))
  const lostId = await idOf(client, lost)
  await client.must('put', { key: bytes('a'), value: bytes('before') })
  await lost.kill()
  rmSync(lost.dataDirectory, { recursive: true })
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  await client.must('memberRemove', { ID: lostId })
  const rest = cluster.members.filter((member) => member !== lost)
  const newcomer = await newcomerFor(rest)
  await client.must('memberAdd', { peerURLs: [newcomer.peerUrl] })
  await newcomer.start()
  const { kvs } = await clientOf(newcomer).must('range', { key: bytes('a') })
  expect(kvs.map(({ value }) => Buffer.from(value).toString())).toEqual(['before'])
})
