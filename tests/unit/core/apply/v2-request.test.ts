import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { describe, expect, test } from 'vitest'
import { decodeEnvelope, encodeEnvelope } from '../../../../src/core/apply/request-envelope.ts'
import { findV2Request } from '../../../../src/core/apply/v2-request.ts'
import { leaseId, requestId } from '../../../../src/core/base/ids.ts'

/** As etcd's encoder writes it: fields that are not set are written too. */
function v2Request(method: string, path: string, value: string): Uint8Array {
  const writer = new BinaryWriter()
  writer.uint32(0x08).uint64(0x1234_5678_9abc_def0n)
  writer.uint32(0x12).string(method)
  writer.uint32(0x1a).string(path)
  writer.uint32(0x22).string(value)
  writer.uint32(0x28).bool(false)
  writer.uint32(0x32).string('')
  return writer.finish()
}

describe('entries of etcd before version 3.6', () => {
  test('a member that tells its name and client URLs', () => {
    const value = '{"name":"infra1","clientURLs":["http://127.0.0.1:2379"]}'
    const data = v2Request('PUT', '/0/members/8211f1d0f64f3269/attributes', value)
    const { id, logged } = decodeEnvelope(data)
    expect(id).toBe(0x1234_5678_9abc_def0n)
    expect(logged).toEqual({
      kind: 'memberAttributes',
      request: {
        memberID: 0x8211f1d0f64f3269n,
        memberAttributes: { name: 'infra1', clientUrls: ['http://127.0.0.1:2379'] },
      },
    })
  })

  test('a leader that tells the version of the cluster', () => {
    expect(decodeEnvelope(v2Request('PUT', '/0/version', '3.5.0')).logged).toEqual({
      kind: 'clusterVersion',
      request: { ver: '3.5.0' },
    })
  })

  test('requests for keys of the older API change nothing', () => {
    for (const [method, path] of [
      ['PUT', '/1/key'],
      ['SYNC', ''],
      ['DELETE', '/0/version'],
    ] as const) {
      expect(decodeEnvelope(v2Request(method, path, 'x')).logged).toEqual({ kind: 'nothing' })
    }
  })

  test('requests of today are never taken for one', () => {
    const id = requestId(7n)
    for (const data of [
      encodeEnvelope({ id, logged: { kind: 'clusterVersion', request: { ver: '3.7.0' } } }),
      encodeEnvelope({ id, logged: { kind: 'leaseRevoke', request: { ID: leaseId(5n) } } }),
      encodeEnvelope({
        id,
        logged: { kind: 'downgrade', request: { enabled: true, ver: '3.6.0' } },
      }),
      Uint8Array.of(0x08, 0x07, 0x1a, 0x00),
    ]) {
      expect(findV2Request(data)).toBeUndefined()
    }
  })
})
