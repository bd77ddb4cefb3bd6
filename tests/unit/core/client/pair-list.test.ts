import fc from 'fast-check'
import { expect, test } from 'vitest'
import { headerOf, keyValueOf } from '../../../../src/core/client/key-value.ts'
import { readListedRange } from '../../../../src/core/client/pair-list.ts'
import { MalformedMessage } from '../../../../src/core/proto/byte-reader.ts'
import { RangeResponse } from '../../../../src/core/proto/gen/rpc.ts'

const bytes = fc.uint8Array({ maxLength: 40 })
const number = fc.bigInt({ min: 0n, max: 2n ** 53n - 1n })
const pair = fc.record({
  ...{ key: bytes, value: bytes, createRevision: number, modRevision: number, version: number },
  lease: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
})
const answer = fc.record({
  header: fc.option(
    fc.record({ clusterId: number, memberId: number, revision: number, raftTerm: number }),
    { nil: undefined },
  ),
  kvs: fc.array(pair, { maxLength: 60 }),
  more: fc.boolean(),
  count: number,
})

test('an answer that is not decoded tells what the decoded one does', () => {
  fc.assert(
    fc.property(answer, (message) => {
      const listed = readListedRange(RangeResponse.encode(RangeResponse.create(message)).finish())
      expect(listed.header).toEqual(headerOf(message.header))
      expect(listed.hasMore).toBe(message.more)
      expect(listed.count).toBe(Number(message.count))
      expect(listed.pairs.length).toBe(message.kvs.length)
      message.kvs.forEach((one, at) => {
        expect([...listed.pairs.keyAt(at)]).toEqual([...one.key])
        expect(listed.pairs.pairAt(at)).toEqual(keyValueOf(one))
      })
    }),
  )
})

test('places are kept of more pairs than there is room for at first', () => {
  const kvs = Array.from({ length: 5_000 }, (_, at) => ({ key: Buffer.from(String(at)) }))
  const { pairs } = readListedRange(RangeResponse.encode(RangeResponse.create({ kvs })).finish())
  expect(pairs.length).toBe(5_000)
  expect(Buffer.from(pairs.keyAt(4_999)).toString()).toBe('4999')
})

test('bytes that end within a field are refused', () => {
  expect(() => readListedRange(Uint8Array.of(0x12, 0x05, 0x0a))).toThrow(MalformedMessage)
})
