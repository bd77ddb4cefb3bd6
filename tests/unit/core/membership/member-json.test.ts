import { describe, expect, test } from 'vitest'
import { nodeId } from '../../../../src/core/base/ids.ts'
import { StorageFault } from '../../../../src/core/errors/storage-fault.ts'
import {
  decodeMemberJson,
  decodeMembersJson,
  encodeMemberJson,
  encodeMembersJson,
} from '../../../../src/core/membership/member-json.ts'
import type { Member } from '../../../../src/core/membership/member.ts'

const member: Member = {
  id: nodeId(10276657743932975437n),
  name: 'default',
  peerUrls: ['http://localhost:2380'],
  clientUrls: ['http://localhost:2379'],
  isLearner: false,
}
const literal =
  '{"id":10276657743932975437,"peerURLs":["http://localhost:2380"],"name":"default","clientURLs":["http://localhost:2379"]}'

describe('member JSON', () => {
  test('is what etcd writes', () => {
    expect(encodeMemberJson(member)).toBe(literal)
  })

  test('keeps all 64 bits of an id', () => {
    expect(decodeMemberJson(literal, 'test')).toEqual(member)
  })

  test('takes the id 0, which a client may ask to change: it must not end those who read the log', () => {
    expect(decodeMemberJson('{"id":0,"peerURLs":["http://localhost:1"]}', 'here').id).toBe(0n)
  })

  test('is not misled by a name that looks like an id', () => {
    const odd = { ...member, name: '"id":5,' }
    expect(decodeMemberJson(encodeMemberJson(odd), 'test')).toEqual(odd)
  })

  test('leaves out what a member that has not started does not have', () => {
    const unstarted: Member = { ...member, name: '', clientUrls: [], isLearner: true }
    const encoded =
      '{"id":10276657743932975437,"peerURLs":["http://localhost:2380"],"isLearner":true}'
    expect(encodeMemberJson(unstarted)).toBe(encoded)
    expect(decodeMembersJson(encodeMembersJson([unstarted, member]), 'test')).toEqual([
      unstarted,
      member,
    ])
  })

  test.each(['', '{', '[]', '5', '{}', '{"id":-1}', '{"id":"x"}'])('refuses %j', (text) => {
    expect(() => decodeMemberJson(text, 'test')).toThrow(StorageFault)
  })
})
