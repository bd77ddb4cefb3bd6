/** Leases in a cluster of real processes: renewed through followers, kept over leader changes and restarts, ended once. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LeaseKeepAliveRequest, LeaseKeepAliveResponse } from '../../src/core/proto/gen/rpc.ts'
import { framed } from '../helpers/raw-grpc.ts'
import { QuoratedCluster, type QuoratedMember } from '../helpers/quorated.ts'
import { RpcClient } from '../helpers/rpc-client.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

let cluster: QuoratedCluster
let clients: RpcClient[]

beforeEach(async () => {
  cluster = await QuoratedCluster.start(3)
  clients = cluster.members.map((member) => new RpcClient(member.clientUrl))
})

afterEach(async () => {
  for (const client of clients) client.close()
  await cluster.dispose()
})

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index % items.length]
  if (item === undefined) throw new Error(`there is no ${index}`)
  return item
}

async function leaderIndex(): Promise<number> {
  for (const [index, client] of clients.entries()) {
    const { leader, header } = await client.must('status')
    if (leader === header?.memberId) return index
  }
  throw new Error('nobody leads')
}

/** Seconds that the lease has again; 0 when it has gone. */
async function renew(client: RpcClient, ID: bigint): Promise<bigint> {
  const { code, text, messages } = await client.raw.call(
    '/etcdserverpb.Lease/LeaseKeepAlive',
    framed(LeaseKeepAliveRequest.encode({ ID }).finish()),
  )
  const [message] = messages
  if (message === undefined) throw new Error(`${code} ${text}`)
  return LeaseKeepAliveResponse.decode(message).TTL
}

async function countOf(client: RpcClient, key: string): Promise<bigint> {
  return (await client.must('range', { key: bytes(key) })).count
}

/** Milliseconds until the key has gone. */
async function untilGone(client: RpcClient, key: string): Promise<number> {
  const startMs = performance.now()
  while ((await countOf(client, key)) > 0n) {
    if (performance.now() - startMs > 30_000) throw new Error(`${key} is still there`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return performance.now() - startMs
}

async function restart(member: QuoratedMember): Promise<void> {
  await member.kill()
  await member.start()
}

test('a lease renewed through a follower lives on, and ends soon after the last renewal', async () => {
  const leader = await leaderIndex()
  const follower = at(clients, leader + 1)
  await follower.must('leaseGrant', { ID: 1n, TTL: 3n })
  await follower.must('put', { key: bytes('k'), value: bytes('v'), lease: 1n })
  let renewedMs = 0
  for (let round = 0; round < 5; round++) {
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    renewedMs = performance.now()
    expect(await renew(at(clients, leader + 1 + (round % 2)), 1n)).toBe(3n)
  }
  const { TTL, grantedTTL } = await follower.must('leaseTimeToLive', { ID: 1n })
  expect(grantedTTL).toBe(3n)
  expect([1n, 2n, 3n]).toContain(TTL)
  await untilGone(follower, 'k')
  const livedMs = performance.now() - renewedMs
  expect(livedMs).toBeGreaterThan(2_990)
  expect(livedMs).toBeLessThan(4_500)
  expect(await renew(follower, 1n)).toBe(0n)
  expect((await follower.must('leaseTimeToLive', { ID: 1n })).TTL).toBe(-1n)
})

test('a lease outlives its leader, has its whole time again, and ends later on all members', async () => {
  const leader = await leaderIndex()
  const survivor = at(clients, leader + 1)
  const other = at(clients, leader + 2)
  await survivor.must('leaseGrant', { ID: 2n, TTL: 4n })
  const grantedMs = performance.now()
  for (const key of ['a', 'b']) {
    await survivor.must('put', { key: bytes(key), value: bytes('v'), lease: 2n })
  }
  await at(cluster.members, leader).kill()
  expect(await untilRenewed(survivor, 2n)).toBe(4n)
  const renewedMs = performance.now()
  await untilGone(survivor, 'a')
  expect(performance.now() - grantedMs).toBeGreaterThan(3_990)
  expect(performance.now() - renewedMs).toBeGreaterThan(3_900)
  expect(performance.now() - renewedMs).toBeLessThan(7_000)
  expect(await countOf(other, 'b')).toBe(0n)
  await at(cluster.members, leader).start()
  expect((await at(clients, leader + 1).must('leaseLeases')).leases).toEqual([])
})

/** The stream breaks off while nobody leads, and clients ask again. */
async function untilRenewed(client: RpcClient, id: bigint): Promise<bigint> {
  const endMs = performance.now() + 10_000
  for (;;) {
    try {
      return await renew(client, id)
    } catch (error) {
      if (performance.now() > endMs) throw error
    }
  }
}

test('leases and their keys are there after all members restarted, one after the other', async () => {
  const [client] = clients
  if (client === undefined) throw new Error('no client')
  await client.must('leaseGrant', { ID: 3n, TTL: 60n })
  await client.must('leaseGrant', { ID: -4n, TTL: 3n })
  await client.must('put', { key: bytes('stays'), value: bytes('v'), lease: 3n })
  await client.must('put', { key: bytes('ends'), value: bytes('v'), lease: -4n })
  for (const member of cluster.members) await restart(member)
  for (const each of clients) each.close()
  clients = cluster.members.map((member) => new RpcClient(member.clientUrl))
  for (const each of clients) {
    const { keys, grantedTTL } = await each.must('leaseTimeToLive', { ID: 3n, keys: true })
    expect(keys.map((key) => Buffer.from(key).toString())).toEqual(['stays'])
    expect(grantedTTL).toBe(60n)
  }
  await untilGone(at(clients, 0), 'ends')
  await at(clients, 1).must('leaseRevoke', { ID: 3n })
  for (const each of clients) expect(await countOf(each, 'stays')).toBe(0n)
})
