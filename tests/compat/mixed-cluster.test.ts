/** A real etcd and our nodes in one cluster: what either writes the other applies, and the older one sets the version. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MixedCluster } from '../helpers/mixed-cluster.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { eventually } from '../helpers/node-fixture.ts'
import { quoratedProgram } from '../helpers/quorated.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

let cluster: MixedCluster

beforeEach(async () => {
  cluster = await MixedCluster.describe(3)
})

afterEach(() => cluster.dispose())

async function put(at: number, key: string, value: string): Promise<void> {
  const answer = await cluster.call(at, 'kv/put', { key: base64(key), value: base64(value) })
  expect(answer, JSON.stringify(answer)).toHaveProperty('header')
}

async function hashOf(at: number): Promise<unknown> {
  const { hash, compact_revision: compacted } = await cluster.call(at, 'maintenance/hashkv', {})
  return { hash, compacted }
}

/** Hands leadership to a member, whoever has it. */
async function makeLeader(at: number): Promise<void> {
  const { header } = (await cluster.call(at, 'maintenance/status', {})) as {
    header: { member_id: string }
  }
  await eventually(`member ${at} to lead`, async () => {
    const { leader } = await cluster.call(at, 'maintenance/status', {})
    if (leader === header.member_id) return true
    for (const each of [0, 1, 2]) {
      await cluster.call(each, 'maintenance/transfer-leadership', { targetID: header.member_id })
    }
    return undefined
  })
}

/** History with everything in it that a snapshot has to carry. */
async function fill(): Promise<void> {
  await cluster.call(0, 'lease/grant', { TTL: 6_000, ID: 77 })
  for (let number = 0; number < 30; number++) await put(0, `key-${number % 7}`, `v${number}`)
  await cluster.call(0, 'kv/put', { key: base64('leased'), value: base64('x'), lease: 77 })
  await cluster.call(0, 'kv/deleterange', { key: base64('key-1') })
  await cluster.call(0, 'auth/role/add', { name: 'reader' })
  await cluster.call(0, 'auth/user/add', { name: 'someone', password: 'secret' })
  await cluster.call(0, 'auth/user/grant', { user: 'someone', role: 'reader' })
  for (let number = 0; number < 20; number++) await put(0, 'often', `v${number}`)
}

/** What every member must tell alike. */
async function contentOf(at: number): Promise<unknown> {
  const everything = { key: base64('\0'), range_end: base64('\0'), serializable: true }
  const { kvs } = await cluster.call(at, 'kv/range', everything)
  const { keys } = await cluster.call(at, 'lease/timetolive', { ID: 77, keys: true })
  const { users } = await cluster.call(at, 'auth/user/list', {})
  const { roles } = await cluster.call(at, 'auth/user/get', { name: 'someone' })
  return { kvs, keys, users, roles, hash: await hashOf(at) }
}

/** Adds member 1 as a program to member 0, and expects it to get everything by a snapshot. */
async function joinBySnapshot(
  program: string,
  options: { readonly others: readonly number[]; readonly flags: readonly string[] },
): Promise<void> {
  await fill()
  const added = await cluster.call(0, 'cluster/member/add', {
    peerURLs: [cluster.member(1).peerUrl],
  })
  expect(added, JSON.stringify(added)).toHaveProperty('member')
  await cluster.start(program, 1, {
    cluster: [...options.others, 1],
    flags: ['--initial-cluster-state=existing', ...options.flags],
  })
  expect(cluster.member(1).process?.lines.some((line) => line.includes('applied snapshot'))).toBe(
    true,
  )
  expect(await contentOf(1)).toEqual(await contentOf(0))
  await put(1, 'afterwards', 'by the new one')
  await eventually('the new key at the old member', async () => {
    const hashes = await Promise.all([hashOf(0), hashOf(1)])
    return JSON.stringify(hashes[0]) === JSON.stringify(hashes[1]) || undefined
  })
}

describe('a member that is far behind', () => {
  test('of ours gets the state from a real etcd', async () => {
    const flags = ['--snapshot-count=10', '--experimental-snapshot-catchup-entries=5']
    await cluster.start(newerEtcd(), 0, { cluster: [0], flags })
    await joinBySnapshot(quoratedProgram, { others: [0], flags: [] })
  })

  test('of a real etcd gets the state from ours, and keeps it over a restart', async () => {
    const env = { ETCD_QUORATE_REPORTED_VERSION: '3.5.16' }
    const flags = [
      '--snapshot-count=10',
      '--snapshot-catchup-entries=5',
      '--strict-reconfig-check=false',
    ]
    // Two, which are a quorum of three: one would have to wait for the new one.
    await Promise.all(
      [0, 2].map((at) => cluster.start(quoratedProgram, at, { cluster: [0, 2], flags, env })),
    )
    await joinBySnapshot(newerEtcd(), { others: [0, 2], flags: ['--snapshot-count=5'] })
    const before = await contentOf(0)
    await cluster.member(1).process?.kill()
    await cluster.start(newerEtcd(), 1, { cluster: [0, 1, 2] })
    expect(await contentOf(1)).toEqual(before)
  })
})

describe('a member of a version below that of the cluster', () => {
  test('does not join, whichever program it is', async () => {
    await cluster.start(quoratedProgram, 0, { cluster: [0] })
    const added = await cluster.call(0, 'cluster/member/add', {
      peerURLs: [cluster.member(1).peerUrl],
      isLearner: true,
    })
    expect(added, JSON.stringify(added)).toHaveProperty('member')
    const flags = ['--initial-cluster-state=existing']
    const env = { ETCD_QUORATE_REPORTED_VERSION: '3.5.16' }
    for (const program of [newerEtcd(), quoratedProgram]) {
      const process = cluster.spawn(program, 1, { cluster: [0, 1], flags, env })
      expect(await process.exited).toMatchObject({ code: 1 })
      expect(process.lines.join('\n')).toContain('incompatible with current running cluster')
    }
  })
})

describe('etcd 3.5 and two of ours', () => {
  test('replicate each other, whoever leads, and speak the older version', async () => {
    const all = [0, 1, 2]
    await Promise.all([
      cluster.start(newerEtcd(), 0, { cluster: all }),
      cluster.start(quoratedProgram, 1, { cluster: all }),
      cluster.start(quoratedProgram, 2, { cluster: all }),
    ])
    for (const leader of [0, 1]) {
      await makeLeader(leader)
      for (const at of all) await put(at, `by-${leader}-at-${at}`, 'value')
      const grant = await cluster.call(leader, 'lease/grant', { TTL: 600 })
      expect(grant).toHaveProperty('ID')
      await eventually('the version of the oldest member', async () => {
        const versions = await Promise.all(all.map((at) => cluster.get(at, '/version')))
        return versions.every((version) => version['etcdcluster'] === '3.5.0') || undefined
      })
    }
    const ours = await cluster.get(1, '/version')
    expect(ours['storage']).toBe('3.5.0')
    const members = (await cluster.call(1, 'cluster/member/list', {})) as {
      members: { name: string; clientURLs: string[] }[]
    }
    expect(members.members.map(({ name }) => name).sort()).toEqual(['m0', 'm1', 'm2'])
    for (const { clientURLs } of members.members) expect(clientURLs).toHaveLength(1)
    await eventually('the same data everywhere', async () => {
      const hashes = await Promise.all(all.map((at) => hashOf(at)))
      return hashes.every((hash) => JSON.stringify(hash) === JSON.stringify(hashes[0])) || undefined
    })
  })
})
