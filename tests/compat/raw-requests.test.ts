/** Requests as bytes, good and bad, to a real etcd and to our node: code, text and decoded answer are the same. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  AlarmRequest,
  AlarmResponse,
  Compare,
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  HashKVRequest,
  MemberListRequest,
  MemberListResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  type RequestOp,
} from '../../src/core/proto/gen/rpc.ts'
import { HealthCheckRequest, HealthCheckResponse } from '../../src/core/proto/gen/health.ts'
import { expectAlike } from '../helpers/comparisons.ts'
import { framed, RawGrpcClient, type RawAnswer } from '../helpers/raw-grpc.ts'
import { ServerPair } from '../helpers/server-pair.ts'
import { readable } from './exclusions.ts'

const paths = {
  range: '/etcdserverpb.KV/Range',
  put: '/etcdserverpb.KV/Put',
  deleteRange: '/etcdserverpb.KV/DeleteRange',
  txn: '/etcdserverpb.KV/Txn',
  compact: '/etcdserverpb.KV/Compact',
  memberList: '/etcdserverpb.Cluster/MemberList',
  alarm: '/etcdserverpb.Maintenance/Alarm',
  hashKv: '/etcdserverpb.Maintenance/HashKV',
  health: '/grpc.health.v1.Health/Check',
} as const

const decoders: Readonly<Record<string, (bytes: Uint8Array) => object>> = {
  [paths.range]: (bytes) => RangeResponse.decode(bytes),
  [paths.put]: (bytes) => PutResponse.decode(bytes),
  [paths.deleteRange]: (bytes) => DeleteRangeResponse.decode(bytes),
  [paths.txn]: (bytes) => TxnResponse.decode(bytes),
  [paths.compact]: (bytes) => CompactionResponse.decode(bytes),
  [paths.memberList]: (bytes) => MemberListResponse.decode(bytes),
  [paths.alarm]: (bytes) => AlarmResponse.decode(bytes),
  [paths.health]: (bytes) => HealthCheckResponse.decode(bytes),
}

const bytes = (text: string): Uint8Array => Buffer.from(text)
const maxInt64 = 9_223_372_036_854_775_807n

type Fields<Request> = Partial<Request>
const range = (fields: Fields<RangeRequest>): Uint8Array =>
  RangeRequest.encode(RangeRequest.create(fields)).finish()
const put = (fields: Fields<PutRequest>): Uint8Array =>
  PutRequest.encode(PutRequest.create(fields)).finish()
const remove = (fields: Fields<DeleteRangeRequest>): Uint8Array =>
  DeleteRangeRequest.encode(DeleteRangeRequest.create(fields)).finish()
const compact = (revision: bigint): Uint8Array =>
  CompactionRequest.encode(CompactionRequest.create({ revision })).finish()
const txn = (fields: Fields<TxnRequest>): Uint8Array =>
  TxnRequest.encode({ compare: [], success: [], failure: [], ...fields }).finish()
const putOp = (key: string, value = ''): RequestOp => ({
  request: {
    $case: 'requestPut',
    value: PutRequest.create({ key: bytes(key), value: bytes(value) }),
  },
})
const rangeOp = (key: string, fields: Fields<RangeRequest> = {}): RequestOp => ({
  request: { $case: 'requestRange', value: RangeRequest.create({ key: bytes(key), ...fields }) },
})
const deleteOp = (key: string, rangeEnd = ''): RequestOp => ({
  request: {
    $case: 'requestDeleteRange',
    value: DeleteRangeRequest.create({ key: bytes(key), rangeEnd: bytes(rangeEnd), prevKv: true }),
  },
})
const txnOp = (fields: Fields<TxnRequest>): RequestOp => ({
  request: {
    $case: 'requestTxn',
    value: { compare: [], success: [], failure: [], ...fields },
  },
})
const compare = (key: string, fields: Fields<Compare>): Compare =>
  Compare.create({ key: bytes(key), ...fields })

let pair: ServerPair
let clients: { etcd: RawGrpcClient; quorate: RawGrpcClient }

beforeAll(async () => {
  pair = await ServerPair.start()
  clients = {
    etcd: new RawGrpcClient(pair.etcd.clientUrl),
    quorate: new RawGrpcClient(pair.quorate.clientUrl),
  }
})

afterAll(async () => {
  clients.etcd.close()
  clients.quorate.close()
  await pair.dispose()
})

/** An answer as far as it can be compared. */
function comparable(path: string, answer: RawAnswer): unknown {
  const decode = decoders[path]
  const messages = answer.messages.map((message) => {
    const decoded = decode === undefined ? { bytes: [...message] } : decode(message)
    return readable(decoded)
  })
  return { httpStatus: answer.httpStatus, code: answer.code, text: answer.text, messages }
}

type Case = readonly [name: string, path: string, message: Uint8Array]

async function ask(
  path: string,
  body: Uint8Array | undefined,
): Promise<{ etcd: unknown; quorate: unknown }> {
  const [etcd, quorate] = await Promise.all([
    clients.etcd.call(path, body),
    clients.quorate.call(path, body),
  ])
  return { etcd: comparable(path, etcd), quorate: comparable(path, quorate) }
}

/** After each case both still take a write, and their revisions are in step. */
async function expectSame([, path, message]: Case): Promise<void> {
  const answers = await ask(path, framed(message))
  expectAlike(path, answers)
  const after = await ask(paths.put, framed(put({ key: bytes('after'), value: bytes('x') })))
  expect(after.etcd).toMatchObject({ code: 0 })
  expect(after.quorate).toEqual(after.etcd)
}

describe('answers to good requests', () => {
  const cases: readonly Case[] = [
    ['put', paths.put, put({ key: bytes('a'), value: bytes('1') })],
    [
      'put again with the pair before',
      paths.put,
      put({ key: bytes('a'), value: bytes('2'), prevKv: true }),
    ],
    [
      'put of a key of all byte values',
      paths.put,
      put({ key: Uint8Array.from({ length: 256 }, (_, n) => n), value: bytes('all') }),
    ],
    [
      'put of a key of 511 bytes',
      paths.put,
      put({ key: Buffer.alloc(511, 'k'), value: bytes('v') }),
    ],
    [
      'put of a key of 512 bytes',
      paths.put,
      put({ key: Buffer.alloc(512, 'k'), value: bytes('v') }),
    ],
    [
      'put of a key of 1978 bytes',
      paths.put,
      put({ key: Buffer.alloc(1_978, 'k'), value: bytes('v') }),
    ],
    [
      'put of a key of 1979 bytes',
      paths.put,
      put({ key: Buffer.alloc(1_979, 'k'), value: bytes('v') }),
    ],
    ['put of a key of 4 KiB', paths.put, put({ key: Buffer.alloc(4_096, 'k'), value: bytes('v') })],
    [
      'put of a key of 1 MiB',
      paths.put,
      put({ key: Buffer.alloc(1_048_576, 'k'), value: bytes('v') }),
    ],
    [
      'range over the long keys, which are prefixes of each other',
      paths.range,
      range({ key: bytes('k'), rangeEnd: bytes('l') }),
    ],
    [
      'range of everything',
      paths.range,
      range({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), keysOnly: false }),
    ],
    ['range of one key', paths.range, range({ key: bytes('a') })],
    [
      'range with an end before its start',
      paths.range,
      range({ key: bytes('b'), rangeEnd: bytes('a') }),
    ],
    ['range with its start as end', paths.range, range({ key: bytes('a'), rangeEnd: bytes('a') })],
    [
      'range with a limit',
      paths.range,
      range({ key: bytes('a'), rangeEnd: Uint8Array.of(0), limit: 2n }),
    ],
    [
      'range with a negative limit',
      paths.range,
      range({ key: bytes('a'), rangeEnd: bytes('b'), limit: -1n }),
    ],
    [
      'range with the largest limit',
      paths.range,
      range({ key: bytes('a'), rangeEnd: bytes('b'), limit: maxInt64 }),
    ],
    ['range at a negative revision', paths.range, range({ key: bytes('a'), revision: -5n })],
    ['range at an old revision', paths.range, range({ key: bytes('a'), revision: 2n })],
    ['range before the first write', paths.range, range({ key: bytes('a'), revision: 1n })],
    [
      'range by modification',
      paths.range,
      range({
        key: Uint8Array.of(0),
        rangeEnd: Uint8Array.of(0),
        minModRevision: 3n,
        maxModRevision: 5n,
      }),
    ],
    [
      'range by creation',
      paths.range,
      range({
        key: Uint8Array.of(0),
        rangeEnd: Uint8Array.of(0),
        minCreateRevision: 4n,
        maxCreateRevision: 4n,
      }),
    ],
    [
      'range with filters upside down',
      paths.range,
      range({
        key: Uint8Array.of(0),
        rangeEnd: Uint8Array.of(0),
        minModRevision: 5n,
        maxModRevision: 3n,
      }),
    ],
    [
      'range with filters and a limit',
      paths.range,
      range({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), minModRevision: 3n, limit: 1n }),
    ],
    [
      'range with filters beyond 2^53',
      paths.range,
      range({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), minModRevision: maxInt64 }),
    ],
    [
      'count alone',
      paths.range,
      range({ key: bytes('a'), rangeEnd: Uint8Array.of(0), countOnly: true }),
    ],
    [
      'count with a limit',
      paths.range,
      range({ key: bytes('a'), rangeEnd: Uint8Array.of(0), countOnly: true, limit: 1n }),
    ],
    ['keys alone', paths.range, range({ key: bytes('a'), rangeEnd: bytes('b'), keysOnly: true })],
    ['serializable range', paths.range, range({ key: bytes('a'), serializable: true })],
    ['delete of nothing', paths.deleteRange, remove({ key: bytes('nothing') })],
    [
      'delete of a range upside down',
      paths.deleteRange,
      remove({ key: bytes('b'), rangeEnd: bytes('a') }),
    ],
    [
      'delete with the pairs before',
      paths.deleteRange,
      remove({ key: bytes('kkk'), rangeEnd: bytes('l'), prevKv: true }),
    ],
    ['empty transaction', paths.txn, txn({})],
    ['transaction of reads', paths.txn, txn({ success: [rangeOp('a'), rangeOp('missing')] })],
    [
      'transaction that reads its own writes',
      paths.txn,
      txn({ success: [rangeOp('t'), putOp('t', '1'), rangeOp('t'), deleteOp('t'), rangeOp('t')] }),
    ],
    [
      'transaction at an old revision',
      paths.txn,
      txn({ success: [rangeOp('a', { revision: 2n }), putOp('t', '2')] }),
    ],
    [
      'transaction with 128 operations',
      paths.txn,
      txn({ success: Array.from({ length: 128 }, (_, n) => putOp(`bulk${n}`)) }),
    ],
    ['transaction of deletes that do nothing', paths.txn, txn({ success: [deleteOp('nothing')] })],
    [
      'nested transactions',
      paths.txn,
      txn({
        success: [
          putOp('n', '1'),
          txnOp({
            compare: [compare('n', { target: 0, targetUnion: { $case: 'version', value: 0n } })],
            success: [rangeOp('n'), putOp('n2')],
            failure: [putOp('n3')],
          }),
        ],
      }),
    ],
    [
      'nesting ten deep',
      paths.txn,
      txn({
        success: [
          Array.from({ length: 9 }).reduce<RequestOp>(
            (inner) => txnOp({ success: [inner] }),
            putOp('deep', '1'),
          ),
        ],
      }),
    ],
    ['compaction', paths.compact, compact(5n)],
    ['range at the compacted revision', paths.range, range({ key: bytes('a'), revision: 5n })],
    ['alarms', paths.alarm, AlarmRequest.encode(AlarmRequest.create({})).finish()],
    ['health of the server', paths.health, HealthCheckRequest.encode({ service: '' }).finish()],
  ]

  test.each(cases)('%s', async (...row) => {
    if (row[1] !== paths.alarm) {
      await expectSame(row)
      return
    }
    // etcd 3.4 sends no header with alarms; later ones do.
    const { etcd, quorate } = await ask(row[1], framed(row[2]))
    expect(etcd).toMatchObject({ code: 0, messages: [{ alarms: [] }] })
    expect(quorate).toMatchObject({ code: 0, messages: [{ alarms: [] }] })
  })

  const compareCases: readonly (readonly [string, Compare])[] = [
    [
      'value equal',
      compare('c', { target: 3, targetUnion: { $case: 'value', value: bytes('v') } }),
    ],
    [
      'value not equal of a missing key',
      compare('missing', {
        target: 3,
        result: 3,
        targetUnion: { $case: 'value', value: bytes('v') },
      }),
    ],
    [
      'value less',
      compare('c', { target: 3, result: 2, targetUnion: { $case: 'value', value: bytes('w') } }),
    ],
    [
      'version of a missing key',
      compare('missing', { target: 0, targetUnion: { $case: 'version', value: 0n } }),
    ],
    [
      'create revision greater',
      compare('c', { target: 1, result: 1, targetUnion: { $case: 'createRevision', value: 1n } }),
    ],
    [
      'mod revision less',
      compare('c', {
        target: 2,
        result: 2,
        targetUnion: { $case: 'modRevision', value: maxInt64 },
      }),
    ],
    ['lease equal', compare('c', { target: 4, targetUnion: { $case: 'lease', value: 0n } })],
    ['target without value', compare('c', { target: 0, result: 1 })],
    [
      'value of another target',
      compare('c', { target: 0, result: 1, targetUnion: { $case: 'modRevision', value: 7n } }),
    ],
    [
      'unknown result',
      compare('c', {
        target: 0,
        result: 9 as never,
        targetUnion: { $case: 'version', value: 100n },
      }),
    ],
    [
      'unknown target',
      compare('c', {
        target: 9 as never,
        result: 0,
        targetUnion: { $case: 'version', value: 100n },
      }),
    ],
    ['unknown target, greater', compare('c', { target: 9 as never, result: 1 })],
    [
      'a range of keys',
      compare('c', {
        target: 0,
        result: 1,
        rangeEnd: bytes('d'),
        targetUnion: { $case: 'version', value: 0n },
      }),
    ],
    [
      'a range of nothing',
      compare('x', {
        target: 0,
        rangeEnd: bytes('y'),
        targetUnion: { $case: 'version', value: 0n },
      }),
    ],
    [
      'a range with values',
      compare('c', {
        target: 3,
        result: 3,
        rangeEnd: bytes('d'),
        targetUnion: { $case: 'value', value: bytes('other') },
      }),
    ],
  ]

  test.each(compareCases)('comparison: %s', async (name, condition) => {
    await ask(paths.put, framed(put({ key: bytes('c'), value: bytes('v') })))
    await ask(paths.put, framed(put({ key: bytes('c2'), value: bytes('v2') })))
    const request = txn({
      compare: [condition],
      success: [putOp('yes', name)],
      failure: [putOp('no', name)],
    })
    await expectSame([name, paths.txn, request])
  })
})

describe('answers to bad requests', () => {
  const nothing = new Uint8Array()
  const cases: readonly Case[] = [
    ['range without key', paths.range, range({})],
    ['range without key at a future revision', paths.range, range({ revision: maxInt64 })],
    ['put without key', paths.put, put({ value: bytes('x') })],
    ['delete without key', paths.deleteRange, remove({})],
    ['delete without key but with an end', paths.deleteRange, remove({ rangeEnd: bytes('z') })],
    ['empty message as range', paths.range, nothing],
    [
      'put with a value to ignore',
      paths.put,
      put({ key: bytes('a'), value: bytes('x'), ignoreValue: true }),
    ],
    [
      'put with a lease to ignore',
      paths.put,
      put({ key: bytes('a'), lease: 5n, ignoreLease: true }),
    ],
    [
      'put without key and with a value to ignore',
      paths.put,
      put({ value: bytes('x'), ignoreValue: true }),
    ],
    [
      'put that keeps the value of a missing key',
      paths.put,
      put({ key: bytes('none'), ignoreValue: true }),
    ],
    [
      'put that keeps the lease of a missing key',
      paths.put,
      put({ key: bytes('none'), ignoreLease: true }),
    ],
    ['put with an unknown lease', paths.put, put({ key: bytes('a'), lease: 12_345n })],
    ['range at a future revision', paths.range, range({ key: bytes('a'), revision: 1_000_000n })],
    ['range at 2^53', paths.range, range({ key: bytes('a'), revision: 9_007_199_254_740_992n })],
    ['range at the largest revision', paths.range, range({ key: bytes('a'), revision: maxInt64 })],
    ['range at a compacted revision', paths.range, range({ key: bytes('a'), revision: 3n })],
    ['compaction to a future revision', paths.compact, compact(1_000_000n)],
    ['compaction to the largest revision', paths.compact, compact(maxInt64)],
    ['compaction to a compacted revision', paths.compact, compact(5n)],
    ['compaction to a negative revision', paths.compact, compact(-1n)],
    ['transaction with an empty operation', paths.txn, txn({ success: [{ request: undefined }] })],
    ['transaction with an empty key', paths.txn, txn({ success: [putOp('')] })],
    [
      'transaction with an empty key in the branch not taken',
      paths.txn,
      txn({ failure: [rangeOp('')] }),
    ],
    [
      'transaction with an empty key deep inside',
      paths.txn,
      txn({ success: [txnOp({ failure: [deleteOp('')] })] }),
    ],
    ['comparison without key', paths.txn, txn({ compare: [compare('', {})] })],
    [
      'transaction with 129 operations',
      paths.txn,
      txn({ success: Array.from({ length: 129 }, (_, n) => putOp(`k${n}`)) }),
    ],
    [
      'transaction with 129 comparisons',
      paths.txn,
      txn({ compare: Array.from({ length: 129 }, () => compare('a', {})) }),
    ],
    [
      'transaction with 128 operations and one nested',
      paths.txn,
      txn({
        success: [
          ...Array.from({ length: 127 }, (_, n) => putOp(`k${n}`)),
          txnOp({ success: [putOp('z')] }),
        ],
      }),
    ],
    ['one key put twice', paths.txn, txn({ success: [putOp('a'), putOp('a')] })],
    [
      'one key put twice in the branch not taken',
      paths.txn,
      txn({ failure: [putOp('a'), putOp('a')] }),
    ],
    ['put inside a deleted range', paths.txn, txn({ success: [deleteOp('a', 'c'), putOp('b')] })],
    [
      'put twice across nesting',
      paths.txn,
      txn({ success: [putOp('a'), txnOp({ failure: [putOp('a')] })] }),
    ],
    [
      'read at a future revision inside',
      paths.txn,
      txn({ success: [putOp('never'), rangeOp('a', { revision: 1_000_000n })] }),
    ],
    [
      'read at a revision beyond 2^53 inside',
      paths.txn,
      txn({ success: [putOp('never'), rangeOp('a', { revision: maxInt64 })] }),
    ],
    [
      'read at a compacted revision inside',
      paths.txn,
      txn({ success: [putOp('never'), rangeOp('a', { revision: 3n })] }),
    ],
    [
      'read at a negative revision inside',
      paths.txn,
      txn({ success: [rangeOp('a', { revision: -5n })] }),
    ],
    [
      'health of an unknown service',
      paths.health,
      HealthCheckRequest.encode({ service: 'other' }).finish(),
    ],
    ['unknown method', '/etcdserverpb.KV/Nothing', nothing],
    ['unknown service', '/etcdserverpb.Nothing/Range', nothing],
    [
      'hash at a future revision',
      paths.hashKv,
      HashKVRequest.encode({ revision: 1_000_000n }).finish(),
    ],
    ['hash at a compacted revision', paths.hashKv, HashKVRequest.encode({ revision: 2n }).finish()],
  ]

  test.each(cases)('%s', async (...row) => {
    await expectSame(row)
  })

  test('a refused transaction has left nothing behind', async () => {
    const { etcd, quorate } = await ask(paths.range, framed(range({ key: bytes('never') })))
    expect(etcd).toMatchObject({ code: 0, messages: [{ count: '0' }] })
    expect(quorate).toEqual(etcd)
  })

  test("a message that cannot be decoded is an internal error; the words after the colon are the decoder's own", async () => {
    for (const message of [
      Uint8Array.of(0x0a, 0x7f, 0x41),
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      Buffer.alloc(100, 0xff),
    ]) {
      for (const answer of await Promise.all([
        clients.etcd.call(paths.put, framed(message)),
        clients.quorate.call(paths.put, framed(message)),
      ])) {
        expect(answer.code).toBe(13)
        expect(answer.text).toMatch(/^grpc: (error unmarshalling request|failed to unmarshal)/)
      }
    }
  })

  test('a request over the limit is refused, one below it is not', async () => {
    const sized = (valueSizeBytes: number): Uint8Array =>
      put({ key: bytes('big'), value: Buffer.alloc(valueSizeBytes, 'x') })
    await expectSame(['below', paths.put, sized(1_572_864 - 100)])
    await expectSame(['above', paths.put, sized(1_572_864)])
    await expectSame(['far above', paths.put, sized(1_572_864 + 400_000)])
  })

  test('a message over the receive limit is refused by the transport', async () => {
    const { etcd, quorate } = await ask(
      paths.put,
      framed(put({ key: bytes('big'), value: Buffer.alloc(2_097_152, 'x') })),
    )
    expect(etcd).toMatchObject({ code: 8 })
    expect(quorate).toEqual(etcd)
  })

  test('a length of 2 GiB with nothing behind it is refused at once', async () => {
    const prefix = Uint8Array.of(0, 0x80, 0, 0, 0)
    const { etcd, quorate } = await ask(paths.put, prefix)
    expect(quorate).toEqual(etcd)
  })

  test('MemberList carries no revision', async () => {
    const { etcd, quorate } = await ask(
      paths.memberList,
      framed(MemberListRequest.encode({ linearizable: true }).finish()),
    )
    for (const answer of [etcd, quorate]) {
      expect(answer).toMatchObject({
        code: 0,
        messages: [{ header: { revision: '0' }, members: [{ name: 'node1', isLearner: false }] }],
      })
    }
  })
})

describe('where our node follows 3.7 and not the 3.4 beside it', () => {
  const own = (path: string, body: Uint8Array | undefined): Promise<RawAnswer> =>
    clients.quorate.call(path, body)

  test.each([
    ['sort order', { sortOrder: 3 }],
    ['sort target', { sortTarget: 9 }],
    ['negative sort target', { sortTarget: -1 }],
  ])('an unknown %s is refused, where it ends the process of 3.4', async (_name, fields) => {
    const message = range({ key: bytes('a'), ...(fields as Partial<RangeRequest>) })
    expect(await own(paths.range, framed(message))).toMatchObject({
      code: 3,
      text: 'etcdserver: invalid sort option',
    })
  })

  test('an explicitly empty range_end is absent, where 3.4 takes it for "to the end"', async () => {
    const message = Buffer.concat([range({ key: bytes('a') }), Uint8Array.of(0x12, 0)])
    const answer = await own(paths.range, framed(message))
    expect(RangeResponse.decode(answer.messages[0]!).count).toBe(1n)
  })

  test('an unknown alarm action is refused, where it ends the process of 3.4', async () => {
    const message = AlarmRequest.encode(AlarmRequest.create({ action: 7 as never })).finish()
    expect(await own(paths.alarm, framed(message))).toMatchObject({ code: 3 })
  })

  test('a path without service is unimplemented, where 3.4 says resource exhausted', async () => {
    expect(await own('/x', undefined)).toMatchObject({
      code: 12,
      text: 'malformed method name: "/x"',
    })
  })

  test('a client version that is not UTF-8 is refused, where it ends the process of 3.4', async () => {
    const answer = await clients.quorate.call(paths.range, framed(range({ key: bytes('a') })), {
      'client-api-version': 'caf\u00e9',
    })
    expect(answer).toMatchObject({ code: 3, text: 'etcdserver: invalid client api version' })
  })

  test('nesting a thousand and ten thousand deep is refused and harms nobody', async () => {
    const nested = (depth: number): Uint8Array => {
      // Each level: success, a list entry, holding request_txn. Built from the inside, by hand, without recursion.
      let inner: Buffer = Buffer.alloc(0)
      const wrap = (tag: number, content: Buffer): Buffer => {
        const length: number[] = []
        for (let rest = content.length; ; rest = Math.floor(rest / 128)) {
          if (rest < 128) {
            length.push(rest)
            break
          }
          length.push((rest % 128) | 128)
        }
        return Buffer.concat([Buffer.from([tag, ...length]), content])
      }
      for (let level = 0; level < depth; level++) inner = wrap(0x12, wrap(0x22, inner))
      return inner
    }
    for (const depth of [1_000, 10_000]) {
      const answer = await own(paths.txn, framed(nested(depth)))
      expect([3, 13]).toContain(answer.code)
    }
    expect(await own(paths.put, framed(put({ key: bytes('a') })))).toMatchObject({ code: 0 })
  })
})
