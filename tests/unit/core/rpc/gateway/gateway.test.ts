import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PutRequest, RangeResponse, TxnRequest } from '../../../../../src/core/proto/gen/rpc.ts'
import { gatewayRoutes } from '../../../../../src/core/rpc/gateway/gateway-routes.ts'
import {
  describeMessage,
  jsonOfMessage,
  messageOfJson,
} from '../../../../../src/core/rpc/gateway/json-messages.ts'
import {
  JsonSequence,
  JsonValueTooLarge,
} from '../../../../../src/core/rpc/gateway/json-sequence.ts'

const put = describeMessage('etcdserverpb.PutRequest')

describe('routes', () => {
  test('every route names messages that exist', () => {
    expect(gatewayRoutes.size).toBe(51)
    for (const route of gatewayRoutes.values()) {
      expect(describeMessage(route.requestType).typeName).toBe(route.requestType)
      expect(describeMessage(route.responseType).typeName).toBe(route.responseType)
    }
  })
})

describe('requests', () => {
  test('take names as in the .proto files and in camel case', () => {
    for (const name of ['prev_kv', 'prevKv']) {
      const bytes = messageOfJson(put, `{"key":"YQ==","value":"Yg==","lease":"7","${name}":true}`)
      expect(PutRequest.decode(bytes)).toMatchObject({ lease: 7n, prevKv: true })
    }
  })

  test('take base64 without padding and of the alphabet for URLs', () => {
    const bytes = messageOfJson(put, '{"key":"_-8"}')
    expect([...PutRequest.decode(bytes).key]).toEqual([0xff, 0xef])
  })

  test('drop what is not known, and take nothing for an empty message', () => {
    expect(messageOfJson(put, '{"nonsense":{"a":[1]}}')).toHaveLength(0)
    expect(messageOfJson(put, '')).toHaveLength(0)
    expect(messageOfJson(put, '{"value":null}')).toHaveLength(0)
  })

  test('take numbers as text and as numbers, enumerations as names and as numbers', () => {
    const txn = describeMessage('etcdserverpb.TxnRequest')
    for (const target of ['"CREATE"', '1']) {
      const bytes = messageOfJson(
        txn,
        `{"compare":[{"target":${target},"create_revision":5,"key":"YQ=="}]}`,
      )
      const [compare] = TxnRequest.decode(bytes).compare
      expect(compare).toMatchObject({ target: 1 })
      expect(compare?.targetUnion).toEqual({ $case: 'createRevision', value: 5n })
    }
  })

  test('take whole numbers of any size', () => {
    const bytes = messageOfJson(
      put,
      '{"lease": 7587862094509215239, "key":"MTIzNDU2Nzg5MDEyMzQ1Njc4"}',
    )
    expect(PutRequest.decode(bytes)).toMatchObject({ lease: 7_587_862_094_509_215_239n })
    expect(Buffer.from(PutRequest.decode(bytes).key).toString()).toBe('123456789012345678')
  })

  test.each(['null', '{', '[]', '{"key":5}', '{"key":"*"}', '{"lease":"x"}'])(
    'refuse %s',
    (text) => {
      expect(() => messageOfJson(put, text)).toThrow()
    },
  )
})

describe('answers', () => {
  test('name fields as the .proto files do, numbers of 64 bits as text, and leave out zeros', () => {
    const bytes = RangeResponse.encode({
      header: { clusterId: 1n, memberId: 2n, revision: 3n, raftTerm: 4n },
      kvs: [
        {
          key: Uint8Array.of(97),
          value: new Uint8Array(0),
          createRevision: 2n,
          modRevision: 3n,
          version: 1n,
          lease: 0n,
        },
      ],
      more: false,
      count: 1n,
    }).finish()
    expect(jsonOfMessage(describeMessage('etcdserverpb.RangeResponse'), bytes)).toBe(
      '{"header":{"cluster_id":"1","member_id":"2","revision":"3","raft_term":"4"},' +
        '"kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"3","version":"1"}],"count":"1"}',
    )
  })
})

describe('rows of JSON values', () => {
  test('are cut at the same places however they arrive', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.object(), fc.array(fc.jsonValue()), fc.string()), { maxLength: 5 }),
        fc.constantFrom('', ' ', '\n\n'),
        fc.array(fc.nat(40), { maxLength: 30 }),
        (values, space, sizes) => {
          const texts = values.map((value) => JSON.stringify(value))
          const bytes = Buffer.from(texts.join(space))
          const sequence = new JsonSequence(1_000_000)
          const found: string[] = []
          let at = 0
          for (const size of [...sizes, bytes.length]) {
            found.push(...sequence.push(bytes.subarray(at, at + size)))
            at += size
          }
          expect(found.map((text) => text.trim())).toEqual(texts)
          expect(sequence.finish()).toBeUndefined()
        },
      ),
    )
  })

  test('keep what is not whole yet', () => {
    const sequence = new JsonSequence(100)
    expect(sequence.push(Buffer.from('{"a":"}\\""} {"b"'))).toEqual(['{"a":"}\\""}'])
    expect(sequence.push(Buffer.from(':1}'))).toEqual([' {"b":1}'])
    expect(sequence.push(Buffer.from('12 3'))).toEqual(['12 '])
    expect(sequence.finish()).toBe('3')
  })

  test('may not hold a value without end', () => {
    const sequence = new JsonSequence(10)
    expect(() => sequence.push(Buffer.from('{"aaaaaaaaaaaa'))).toThrow(JsonValueTooLarge)
  })
})
