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
