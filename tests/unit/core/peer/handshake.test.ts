import { describe, expect, test } from 'vitest'
import { clusterId, nodeId } from '../../../../src/core/base/ids.ts'
import {
  compareMinorVersions,
  incompatibility,
  parseHexId,
  requestHeaders,
} from '../../../../src/core/peer/handshake.ts'
import { parsePeerUrl, peerUrlProblem } from '../../../../src/core/peer/peer-url.ts'

const identity = {
  nodeId: nodeId(0xabcn),
  clusterId: clusterId(0xdc50b8daae93b3e0n),
  serverVersion: '3.7.1',
  minimumClusterVersion: '3.0.0',
  advertisedUrls: ['http://a:2380', 'http://b:2380'],
}

describe('requestHeaders', () => {
  test("introduce the member with etcd's names", () => {
    expect(requestHeaders(identity)).toEqual({
      'X-Server-From': 'abc',
      'X-Server-Version': '3.7.1',
      'X-Min-Cluster-Version': '3.0.0',
      'X-Etcd-Cluster-ID': 'dc50b8daae93b3e0',
      'X-PeerURLs': 'http://a:2380,http://b:2380',
    })
  })
})

describe('incompatibility', () => {
  const good = {
    'x-server-version': '3.4.23',
    'x-min-cluster-version': '3.0.0',
    'x-etcd-cluster-id': 'dc50b8daae93b3e0',
  }

  test.each([
    ['the same cluster and an older version', good, undefined],
    ['a newer version', { ...good, 'x-server-version': '3.9.0' }, undefined],
    [
      'no version at all',
      { 'x-etcd-cluster-id': good['x-etcd-cluster-id'] },
      'incompatible version',
    ],
    [
      'a version older than our minimum',
      { ...good, 'x-server-version': '2.3.8' },
      'incompatible version',
    ],
    [
      'a minimum newer than us',
      { ...good, 'x-min-cluster-version': '3.8.0' },
      'incompatible version',
    ],
    ['our own version as minimum', { ...good, 'x-min-cluster-version': '3.7.9' }, undefined],
    ['another cluster', { ...good, 'x-etcd-cluster-id': '1' }, 'cluster ID mismatch'],
    [
      'no cluster',
      { 'x-server-version': '3.4.23', 'x-min-cluster-version': '3.0.0' },
      'cluster ID mismatch',
    ],
    ['a version that is none', { ...good, 'x-server-version': 'new' }, 'incompatible version'],
  ])('%s', (_what, headers, expected) => {
    expect(incompatibility(identity, headers)).toBe(expected)
  })
})

describe('compareMinorVersions', () => {
  test.each([
    ['3.4.0', '3.4.23', 0],
    ['3.10.0', '3.9.0', 1],
    ['3.9.0', '3.10.0', -1],
    ['4.0.0', '3.10.0', 1],
    ['3.4', '3.4.1', 0],
  ])('%s against %s', (left, right, sign) => {
    expect(Math.sign(compareMinorVersions(left, right))).toBe(sign)
  })
})

describe('parseHexId', () => {
  test.each([
    ['ff', 255n],
    ['FFFFFFFFFFFFFFFF', 0xffffffffffffffffn],
    ['', undefined],
    ['1ffffffffffffffff', undefined],
    ['0x1', undefined],
    ['../x', undefined],
  ])('%s', (text, expected) => {
    expect(parseHexId(text)).toBe(expected)
  })
})

describe('peer URLs', () => {
  test.each([
    ['http://127.0.0.1:2380', undefined],
    ['http://[::1]:2380/', undefined],
    ['http://host:80', undefined],
    ['https://host:2380', undefined],
    ['unix://host:2380', 'has a scheme other than http'],
    ['http://host', 'does not end with a port'],
    ['http://host:2380/path', 'does not end with a port'],
    ['host:2380', 'has a scheme other than http'],
    ['', 'is not a URL'],
  ])('%s', (url, problem) => {
    if (problem === undefined) expect(peerUrlProblem(url)).toBeUndefined()
    else expect(peerUrlProblem(url)).toContain(problem)
  })

  test('are taken apart for dialling', () => {
    const isSecure = false
    expect(parsePeerUrl('http://[::1]:2380')).toEqual({ host: '::1', port: 2380, isSecure })
    expect(parsePeerUrl('http://host:80')).toEqual({ host: 'host', port: 80, isSecure })
    expect(parsePeerUrl('https://host:443')).toEqual({ host: 'host', port: 443, isSecure: true })
    expect(parsePeerUrl('unix://host:2380')).toBeUndefined()
  })
})
