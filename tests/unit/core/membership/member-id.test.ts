import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { hexId } from '../../../../src/core/base/ids.ts'
import { deriveClusterId, deriveMemberId } from '../../../../src/core/membership/member-id.ts'

const sha1 = (bytes: Uint8Array): Uint8Array => createHash('sha1').update(bytes).digest()
const memberId = (url: string, token: string): bigint =>
  deriveMemberId(sha1, { peerUrls: [url], token })

describe('deriveMemberId', () => {
  test.each([
    ['http://localhost:2380', 'etcd-cluster', '8e9e05c52164694d'],
    ['http://127.0.0.1:12380', 'etcd-cluster-1', '8211f1d0f64f3269'],
    ['http://127.0.0.1:22380', 'etcd-cluster-1', '91bc3c398fb3c146'],
    ['http://127.0.0.1:32380', 'etcd-cluster-1', 'fd422379fda50e48'],
  ])('gives %s with token %s the id that etcd gives it', (url, token, expected) => {
    expect(hexId(memberId(url, token))).toBe(expected)
  })

  test('does not depend on the order of the URLs', () => {
    const ids = [
      ['http://a:1', 'http://b:2'],
      ['http://b:2', 'http://a:1'],
    ].map((peerUrls) => deriveMemberId(sha1, { peerUrls, token: 't' }))
    expect(ids[0]).toBe(ids[1])
  })

  test('keeps a later life of a member apart by its time', () => {
    const options = { peerUrls: ['http://a:1'], token: '' }
    expect(deriveMemberId(sha1, { ...options, addedAtSeconds: 1 })).not.toBe(
      deriveMemberId(sha1, { ...options, addedAtSeconds: 2 }),
    )
  })
})

describe('deriveClusterId', () => {
  test('gives the default single member the cluster id that etcd gives it', () => {
    const member = deriveMemberId(sha1, {
      peerUrls: ['http://localhost:2380'],
      token: 'etcd-cluster',
    })
    expect(hexId(deriveClusterId(sha1, [member]))).toBe('cdf818194e3a8c32')
  })

  test('does not depend on the order of the members', () => {
    const members = ['http://a:1', 'http://b:2', 'http://c:3'].map((url) =>
      deriveMemberId(sha1, { peerUrls: [url], token: 't' }),
    )
    expect(deriveClusterId(sha1, members)).toBe(deriveClusterId(sha1, [...members].reverse()))
  })
})
