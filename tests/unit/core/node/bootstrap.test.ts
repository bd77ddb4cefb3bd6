import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { decodeMembershipEntry } from '../../../../src/core/apply/apply-membership.ts'
import { hexId } from '../../../../src/core/base/ids.ts'
import { ConfigurationError, identifyNew } from '../../../../src/core/node/bootstrap.ts'

const sha1 = (bytes: Uint8Array): Uint8Array => createHash('sha1').update(bytes).digest()
const initialCluster = new Map([
  ['infra3', ['http://127.0.0.1:32380']],
  ['infra1', ['http://127.0.0.1:12380']],
  ['infra2', ['http://127.0.0.1:22380']],
])
const config = { name: 'infra2', initialCluster, initialClusterToken: 'etcd-cluster-1' }

describe('identifyNew', () => {
  test('gives the members of a new cluster the ids that etcd gives them', () => {
    const identity = identifyNew({ sha1 }, config)
    expect(hexId(identity.memberId)).toBe('91bc3c398fb3c146')
    expect(identity.knownMembers.map((member) => [hexId(member.id), member.name])).toEqual([
      ['8211f1d0f64f3269', 'infra1'],
      ['91bc3c398fb3c146', 'infra2'],
      ['fd422379fda50e48', 'infra3'],
    ])
  })

  test('writes the same first entries on every member, whatever the order of the flag', () => {
    const reordered = new Map([...initialCluster].reverse())
    const one = identifyNew({ sha1 }, config)
    const other = identifyNew({ sha1 }, { ...config, name: 'infra3', initialCluster: reordered })
    expect(other.bootstrapPeers).toEqual(one.bootstrapPeers)
    expect(other.clusterId).toBe(one.clusterId)
    expect(one.bootstrapPeers.map(({ data }) => decodeMembershipEntry(data).change)).toEqual(
      one.knownMembers.map((member) => ({ kind: 'add', member })),
    )
  })

  test('refuses a name that is not in the cluster, and two members with the same URLs', () => {
    expect(() => identifyNew({ sha1 }, { ...config, name: 'infra4' })).toThrow(ConfigurationError)
    const doubled = new Map([...initialCluster, ['infra4', ['http://127.0.0.1:12380']]] as const)
    expect(() => identifyNew({ sha1 }, { ...config, initialCluster: doubled })).toThrow(
      ConfigurationError,
    )
  })
})
