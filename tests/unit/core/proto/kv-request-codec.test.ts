import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
  type Compare,
  type RequestOp,
} from '../../../../src/core/proto/gen/rpc.ts'
import { kvRequestCodecs } from '../../../../src/core/proto/kv-request-codec.ts'

const bytes = fc.uint8Array({ maxLength: 40 })
const int64 = fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
/** Values that the enumerations do not name travel too. */
const choice = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer()) as fc.Arbitrary<0>

const range: fc.Arbitrary<RangeRequest> = fc.record({
  key: bytes,
  rangeEnd: bytes,
  limit: int64,
  revision: int64,
  sortOrder: choice,
  sortTarget: choice,
  serializable: fc.boolean(),
  keysOnly: fc.boolean(),
  countOnly: fc.boolean(),
  minModRevision: int64,
  maxModRevision: fc.constant(0n),
  minCreateRevision: fc.constant(0n),
  maxCreateRevision: int64,
})
const put: fc.Arbitrary<PutRequest> = fc.record({
  key: bytes,
  value: bytes,
  lease: int64,
  prevKv: fc.boolean(),
  ignoreValue: fc.boolean(),
  ignoreLease: fc.boolean(),
})
const deleteRange: fc.Arbitrary<DeleteRangeRequest> = fc.record({
  key: bytes,
  rangeEnd: bytes,
  prevKv: fc.boolean(),
})
const compare: fc.Arbitrary<Compare> = fc.record({
  result: choice,
  target: choice,
  key: bytes,
  targetUnion: fc.oneof(
    fc.constant(undefined),
    fc.record({ $case: fc.constant('version' as const), value: int64 }),
    fc.record({ $case: fc.constant('createRevision' as const), value: int64 }),
    fc.record({ $case: fc.constant('modRevision' as const), value: int64 }),
    fc.record({ $case: fc.constant('value' as const), value: bytes }),
    fc.record({ $case: fc.constant('lease' as const), value: int64 }),
  ),
  rangeEnd: bytes,
})
const txnOfDepth = (depth: number): fc.Arbitrary<TxnRequest> => {
  const kinds: fc.Arbitrary<RequestOp['request']>[] = [
    fc.constant(undefined),
    fc.record({ $case: fc.constant('requestRange' as const), value: range }),
    fc.record({ $case: fc.constant('requestPut' as const), value: put }),
    fc.record({ $case: fc.constant('requestDeleteRange' as const), value: deleteRange }),
  ]
  if (depth > 0) {
    kinds.push(
      fc.record({ $case: fc.constant('requestTxn' as const), value: txnOfDepth(depth - 1) }),
    )
  }
  const operations = fc.array(fc.record({ request: fc.oneof(...kinds) }), { maxLength: 3 })
  return fc.record({
    compare: fc.array(compare, { maxLength: 3 }),
    success: operations,
    failure: operations,
  })
}

const outcomeOf = (decode: () => unknown): unknown => {
  try {
    return decode()
  } catch (error) {
    return String(error)
  }
}

describe.each([
  ['range', RangeRequest, kvRequestCodecs.range, range],
  ['put', PutRequest, kvRequestCodecs.put, put],
  ['deleteRange', DeleteRangeRequest, kvRequestCodecs.deleteRange, deleteRange],
  ['txn', TxnRequest, kvRequestCodecs.txn, txnOfDepth(2)],
] as const)('the codec for %s', (_name, generated, own, arbitrary) => {
  const encode = (message: unknown): Uint8Array => generated.encode(message as never).finish()

  test('reads what the generated one reads', () => {
    fc.assert(
      fc.property(arbitrary as fc.Arbitrary<unknown>, (message) => {
        const encoded = encode(message)
        expect(own.decode(encoded)).toEqual(generated.decode(encoded))
      }),
    )
  })

  test('treats damaged, cut and joined messages as the generated one does', () => {
    const damaged = fc
      .tuple(
        arbitrary as fc.Arbitrary<unknown>,
        arbitrary as fc.Arbitrary<unknown>,
        fc.nat(),
        fc.nat(255),
        fc.nat(),
      )
      .map(([first, second, position, byte, length]) => {
        const joined = Buffer.concat([encode(first), encode(second)])
        if (joined.length > 0) joined[position % joined.length] = byte
        return new Uint8Array(joined.subarray(0, length % (joined.length + 1)))
      })
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 60 })), (encoded) => {
        expect(outcomeOf(() => own.decode(encoded))).toEqual(
          outcomeOf(() => generated.decode(encoded)),
        )
      }),
      { numRuns: 500 },
    )
  })
})
