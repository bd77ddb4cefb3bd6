import { describe, expect, test } from 'vitest'
import {
  decodeMembershipEntry,
  encodeMembershipEntry,
} from '../../../../src/core/apply/apply-membership.ts'
import { decodeConfState, encodeConfState } from '../../../../src/core/apply/applied-index.ts'
import {
  decodeEnvelope,
  encodeEnvelope,
  EnvelopeEncoder,
} from '../../../../src/core/apply/request-envelope.ts'
import { hexOf } from '../../../../src/core/base/bytes.ts'
import { nodeId, requestId } from '../../../../src/core/base/ids.ts'
import { StorageFault } from '../../../../src/core/errors/storage-fault.ts'
import type { Member } from '../../../../src/core/membership/member.ts'
import { InternalRaftRequest } from '../../../../src/core/proto/gen/raft_internal.ts'
import { PutRequest } from '../../../../src/core/proto/gen/rpc.ts'

const member: Member = {
  id: nodeId(10276657743932975437n),
  name: 'n',
  peerUrls: ['http://a:1'],
  clientUrls: [],
  isLearner: false,
}

describe('the payload of an entry', () => {
  test('is an InternalRaftRequest as etcd writes it', () => {
    const request = PutRequest.fromPartial({ key: Uint8Array.of(0x6b), value: Uint8Array.of(0x76) })
    const data = encodeEnvelope({ id: requestId(0x3a5n), logged: { kind: 'put', request } })
    // put = 4: {key = 1 "k", value = 2 "v"}; header = 100: {ID = 1}
    expect(hexOf(data)).toBe('22060a016b120176' + 'a2060308a507')
    expect(decodeEnvelope(data)).toEqual({ id: 0x3a5n, logged: { kind: 'put', request } })
  })

  test('keeps its bytes when many more follow in the same memory, and a large one among them', () => {
    const encoder = new EnvelopeEncoder()
    const sizes = Array.from({ length: 600 }, (_, position) =>
      position === 300 ? 200_000 : position,
    )
    const payloads = sizes.map((size, position) => {
      const request = PutRequest.fromPartial({ key: Uint8Array.of(7), value: new Uint8Array(size) })
      return encoder.encode({ id: requestId(BigInt(position)), logged: { kind: 'put', request } })
    })
    payloads.forEach((data, position) => {
      const { id, logged } = decodeEnvelope(data)
      expect(id).toBe(BigInt(position))
      expect(logged.kind === 'put' && logged.request.value.length).toBe(sizes[position])
    })
  })

  test('of a put with more in its header than an id is read too', () => {
    const put = PutRequest.fromPartial({ key: Uint8Array.of(0x6b) })
    const header = { ID: 9n, username: 'root', authRevision: 3n }
    const data = InternalRaftRequest.encode(
      InternalRaftRequest.fromPartial({ put, header }),
    ).finish()
    expect(decodeEnvelope(data)).toEqual({
      id: 9n,
      logged: { kind: 'put', request: put },
      requester: { username: 'root', revision: 3 },
    })
  })

  test('of a configuration change is a raftpb.ConfChange as etcd writes it', () => {
    const data = encodeMembershipEntry({
      id: requestId(5n),
      change: { kind: 'remove', id: nodeId(3n) },
    })
    expect(hexOf(data)).toBe('080510011803')
    const added = encodeMembershipEntry({ id: requestId(0n), change: { kind: 'add', member } })
    const context = '{"id":10276657743932975437,"peerURLs":["http://a:1"],"name":"n"}'
    const length = context.length.toString(16)
    expect(hexOf(added)).toBe(
      `0800100018cdd2918bd2b881cf8e0122${length}${hexOf(new TextEncoder().encode(context))}`,
    )
  })

  test.each([
    { kind: 'add', member },
    { kind: 'add', member: { ...member, isLearner: true } },
    { kind: 'promote', id: member.id },
    { kind: 'updatePeerUrls', id: member.id, peerUrls: ['http://b:2', 'http://c:3'] },
    { kind: 'remove', id: member.id },
  ] as const)('keeps a change of kind $kind', (change) => {
    const id = requestId(2n ** 64n - 1n)
    expect(decodeMembershipEntry(encodeMembershipEntry({ id, change }))).toEqual({ id, change })
  })
})

describe('the stored configuration', () => {
  const ids = (...values: bigint[]) => values.map(nodeId)

  test('is the JSON that etcd stores', () => {
    const state = {
      voters: ids(10276657743932975437n, 3n),
      learners: ids(4n),
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    }
    const text = '{"voters":[10276657743932975437,3],"learners":[4],"auto_leave":false}'
    expect(encodeConfState(state)).toBe(text)
    expect(decodeConfState(text)).toEqual(state)
  })

  test('does not take voters for outgoing voters', () => {
    const state = {
      voters: [],
      learners: [],
      votersOutgoing: ids(1n),
      learnersNext: ids(2n),
      autoLeave: true,
    }
    expect(decodeConfState(encodeConfState(state))).toEqual(state)
  })

  test('is refused when damaged', () => {
    expect(() => decodeConfState('{"voters":[1]')).toThrow(StorageFault)
  })
})
