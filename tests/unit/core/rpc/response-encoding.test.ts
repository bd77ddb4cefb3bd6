import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { clusterId, leaseId, nodeId } from '../../../../src/core/base/ids.ts'
import { storeKeyValue, type StoredKeyValue } from '../../../../src/core/mvcc/stored-key-value.ts'
import type { OperationResult } from '../../../../src/core/node/node-surface.ts'
import {
  DeleteRangeResponse,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnResponse,
  WatchResponse,
  type TxnRequest,
} from '../../../../src/core/proto/gen/rpc.ts'
import {
  encodeDeleteRange,
  encodePut,
  encodeRange,
  encodeTxn,
} from '../../../../src/core/rpc/response-encoding.ts'
import { ResponseHeaders } from '../../../../src/core/rpc/response-header.ts'
import { encodeWatchAnswer } from '../../../../src/core/rpc/watch-encoding.ts'
import { splitFrames } from '../../../helpers/raw-grpc.ts'

const headers = new ResponseHeaders({
  clusterId: clusterId(0xcdf8_1818_4a8f_e6d3n),
  memberId: nodeId(0xffff_ffff_ffff_ffffn),
  raftTerm: 300,
})
const wireHeader = (revision: bigint): object => ({
  clusterId: 0xcdf8_1818_4a8f_e6d3n,
  memberId: 0xffff_ffff_ffff_ffffn,
  revision,
  raftTerm: 300n,
})
const pair = (key: string, value: string, modRevision: number): StoredKeyValue =>
  storeKeyValue({
    key: Buffer.from(key),
    value: Buffer.from(value),
    createRevision: 2,
    modRevision,
    version: 3,
    lease: leaseId(0x7000_0000_0000_0001n),
  })
const body = (frame: Uint8Array): Uint8Array => {
  const { messages, rest } = splitFrames(Buffer.from(frame))
  expect([messages.length, rest.length]).toEqual([1, 0])
  return messages[0]!
}
const texts = (pairs: readonly { key: Uint8Array; value: Uint8Array }[]): string[] =>
  pairs.map(({ key, value }) => `${Buffer.from(key).toString()}=${Buffer.from(value).toString()}`)

describe('encodeRange', () => {
  const result = {
    kind: 'range',
    keyValues: [pair('a', '1', 4_294_967_296), pair('b', '2', 9)],
    count: 700,
    hasMore: true,
    revision: Number.MAX_SAFE_INTEGER,
    isKeysOnly: false,
  } as const

  test('pairs, count and header are read back as they were', () => {
    const decoded = RangeResponse.decode(body(encodeRange(headers, result, { keepsLease: false })))
    expect(decoded.header).toEqual(wireHeader(BigInt(Number.MAX_SAFE_INTEGER)))
    expect(texts(decoded.kvs)).toEqual(['a=1', 'b=2'])
    expect(decoded.kvs[0]).toMatchObject({
      createRevision: 2n,
      modRevision: 4_294_967_296n,
      version: 3n,
      lease: 0x7000_0000_0000_0001n,
    })
    expect({ more: decoded.more, count: decoded.count }).toEqual({ more: true, count: 700n })
  })

  test('keys alone lose value and lease, and keep the lease when sorted by value', () => {
    const keys = { ...result, isKeysOnly: true }
    const [first] = RangeResponse.decode(
      body(encodeRange(headers, keys, { keepsLease: false })),
    ).kvs
    expect(first).toMatchObject({ version: 3n, lease: 0n, value: new Uint8Array() })
    const [sorted] = RangeResponse.decode(
      body(encodeRange(headers, keys, { keepsLease: true })),
    ).kvs
    expect(sorted).toMatchObject({ lease: 0x7000_0000_0000_0001n, value: new Uint8Array() })
  })

  test('whatever the sizes, the generated codec reads what was written', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.uint8Array())),
        fc.maxSafeNat(),
        fc.maxSafeNat(),
        (pairs, revision, count) => {
          const keyValues = pairs.map(([key, value]) =>
            storeKeyValue({
              key,
              value,
              createRevision: revision,
              modRevision: count,
              version: 1,
              lease: leaseId(-1n),
            }),
          )
          const frame = encodeRange(
            headers,
            { kind: 'range', keyValues, count, hasMore: false, revision, isKeysOnly: false },
            { keepsLease: false },
          )
          const decoded = RangeResponse.decode(body(frame))
          expect(decoded.count).toBe(BigInt(count))
          expect(decoded.kvs.map((kv) => [[...kv.key], [...kv.value], kv.lease])).toEqual(
            pairs.map(([key, value]) => [[...key], [...value], -1n]),
          )
        },
      ),
    )
  })
})

describe('encodePut and encodeDeleteRange', () => {
  test('the pair before is there when it was asked for', () => {
    const previous = pair('a', 'old', 5)
    const frame = encodePut(headers, { kind: 'put', previous, revision: 6 })
    expect(texts([PutResponse.decode(body(frame)).prevKv ?? previous])).toEqual(['a=old'])
    const without = encodePut(headers, { kind: 'put', previous: undefined, revision: 6 })
    expect(PutResponse.decode(body(without))).toEqual({ header: wireHeader(6n), prevKv: undefined })
  })

  test('deleted pairs come with their number', () => {
    const frame = encodeDeleteRange(headers, {
      kind: 'deleteRange',
      deletedCount: 2,
      previous: [pair('a', '1', 2), pair('b', '2', 3)],
      revision: 9,
    })
    const decoded = DeleteRangeResponse.decode(body(frame))
    expect(decoded.deleted).toBe(2n)
    expect(texts(decoded.prevKvs)).toEqual(['a=1', 'b=2'])
  })
})

describe('encodeTxn', () => {
  test('answers inside carry the revision alone, and a nested transaction an empty header', () => {
    const responses: OperationResult[] = [
      {
        kind: 'range',
        keyValues: [pair('a', '1', 4)],
        count: 1,
        hasMore: false,
        revision: 4,
        isKeysOnly: false,
      },
      { kind: 'put', previous: undefined, revision: 5 },
      { kind: 'deleteRange', deletedCount: 0, previous: [], revision: 5 },
      {
        kind: 'txn',
        hasSucceeded: false,
        revision: 5,
        responses: [{ kind: 'put', previous: pair('b', '2', 3), revision: 5 }],
      },
    ]
    const request: TxnRequest = {
      compare: [],
      success: [
        {
          request: {
            $case: 'requestRange',
            value: RangeRequest.create({ key: Buffer.from('a') }),
          },
        },
      ],
      failure: [],
    }
    const decoded = TxnResponse.decode(
      body(
        encodeTxn(headers, { kind: 'txn', hasSucceeded: true, revision: 5, responses }, request),
      ),
    )
    expect(decoded.header).toEqual(wireHeader(5n))
    expect(decoded.succeeded).toBe(true)
    const inner = decoded.responses.map(({ response }) => [response?.$case, response?.value.header])
    const only = (revision: bigint): object => ({
      clusterId: 0n,
      memberId: 0n,
      revision,
      raftTerm: 0n,
    })
    expect(inner).toEqual([
      ['responseRange', only(4n)],
      ['responsePut', only(5n)],
      ['responseDeleteRange', only(5n)],
      ['responseTxn', only(0n)],
    ])
  })
})

describe('encodeWatchAnswer', () => {
  test('a refusal is read back as it was', () => {
    const frame = encodeWatchAnswer(headers, {
      watchId: -1n,
      revision: 3,
      isCreated: true,
      isCanceled: true,
      compactRevision: 300,
      cancelReason: 'mvcc: wätcher',
    })
    expect(WatchResponse.decode(body(frame))).toMatchObject({
      created: true,
      canceled: true,
      compactRevision: 300n,
      cancelReason: 'mvcc: wätcher',
      header: wireHeader(3n),
    })
  })
})
