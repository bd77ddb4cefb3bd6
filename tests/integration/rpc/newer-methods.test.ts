/** Methods that no etcd before 3.6 answers like this, so that there is none to compare with. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  DowngradeRequest,
  DowngradeRequest_DowngradeAction as Action,
  DowngradeResponse,
  HashRequest,
  HashResponse,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
} from '../../../src/core/proto/gen/rpc.ts'
import { framed } from '../../helpers/raw-grpc.ts'
import { eventually } from '../../helpers/node-fixture.ts'
import { QuoratedCluster } from '../../helpers/quorated.ts'
import { RpcClient } from '../../helpers/rpc-client.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const everything = { key: bytes('\0'), rangeEnd: bytes('\0') }

let cluster: QuoratedCluster
let client: RpcClient

beforeAll(async () => {
  cluster = await QuoratedCluster.start(1, ['--max-request-bytes=10000'])
  client = new RpcClient(cluster.clientUrls[0] ?? '')
  for (let number = 0; number < 150; number++) {
    const key = bytes(`key-${String(number).padStart(3, '0')}`)
    await client.must('put', { key, value: Buffer.alloc(number === 100 ? 9_000 : 100, 120) })
  }
})

afterAll(async () => {
  client.close()
  await cluster.dispose()
})

/** All pieces of a stream, and how it ended. */
async function stream(fields: Partial<RangeRequest>): Promise<{
  readonly pieces: readonly RangeResponse[]
  readonly ended: string
}> {
  const request = RangeRequest.encode(RangeRequest.fromPartial(fields)).finish()
  const answer = await client.raw.call('/etcdserverpb.KV/RangeStream', framed(request))
  const pieces = answer.messages.map(
    (message) => RangeStreamResponse.decode(message).rangeResponse ?? RangeResponse.create(),
  )
  return { pieces, ended: `${answer.code} ${answer.text}`.trim() }
}

describe('RangeStream', () => {
  test.each<[string, Partial<RangeRequest>]>([
    ['everything', everything],
    ['a part of it', { ...everything, limit: 37n }],
    ['exactly all', { ...everything, limit: 150n }],
    ['an older revision', { ...everything, revision: 40n }],
    ['keys only', { ...everything, keysOnly: true }],
    ['the count', { ...everything, countOnly: true }],
    ['one key', { key: bytes('key-007') }],
    ['nothing', { key: bytes('x'), rangeEnd: bytes('y') }],
    ['ascending, from this member', { ...everything, sortOrder: 1, serializable: true }],
  ])('of %s says in pieces what Range says', async (_what, fields) => {
    const { pieces, ended } = await stream(fields)
    const whole = await client.must('range', fields)
    expect(ended).toBe('0')
    const last = pieces.at(-1)!
    expect({ ...last, kvs: pieces.flatMap(({ kvs }) => kvs) }).toEqual(whole)
    for (const piece of pieces.slice(0, -1)) {
      expect(piece).toMatchObject({ header: undefined, more: false, count: 0n })
    }
  })

  test('begins with ten pairs and doubles while pieces are small', async () => {
    const { pieces } = await stream(everything)
    const counts = pieces.map(({ kvs }) => kvs.length)
    expect(counts.slice(0, 3)).toEqual([10, 20, 40])
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(150)
  })

  test.each<[string, Partial<RangeRequest>]>([
    ['3 etcdserver: key is not provided', {}],
    ['3 etcdserver: invalid sort option', { ...everything, sortOrder: 9 as never }],
    ['12 RangeStream does not support custom sort orders', { ...everything, sortOrder: 2 }],
    ['12 RangeStream does not support revision filters', { ...everything, minModRevision: 1n }],
    [
      '11 etcdserver: mvcc: required revision is a future revision',
      { ...everything, revision: 99_999n },
    ],
  ])('is refused: %s', async (text, fields) => {
    expect(await stream(fields)).toEqual({ pieces: [], ended: text })
  })
})

async function downgrade(action: number, version: string): Promise<string> {
  const request = DowngradeRequest.encode({ action: action as Action, version }).finish()
  const answer = await client.raw.call('/etcdserverpb.Maintenance/Downgrade', framed(request))
  const [message] = answer.messages
  if (message === undefined) return `${answer.code} ${answer.text}`
  const { header, version: present } = DowngradeResponse.decode(message)
  expect(header?.revision).toBeGreaterThan(1n)
  return present
}

describe('Downgrade', () => {
  test('takes only the next lower version, in either form', async () => {
    const invalid = '3 etcdserver: invalid downgrade target version'
    const wrong = '3 etcdserver: wrong downgrade target version format'
    for (const version of ['3.6', '3.6.0', '3.6.9']) {
      expect(await downgrade(Action.VALIDATE, version)).toBe('3.7')
    }
    for (const version of ['3.5', '3.7', '3.8.0', '2.6', '4.6']) {
      expect(await downgrade(Action.VALIDATE, version)).toBe(invalid)
      expect(await downgrade(Action.ENABLE, version)).toBe(invalid)
    }
    for (const version of ['', '3', 'x.y', '3.6.', '3.6.0.1', 'v3.6']) {
      expect(await downgrade(Action.VALIDATE, version)).toBe(wrong)
      expect(await downgrade(Action.ENABLE, version)).toBe(wrong)
    }
    expect(await downgrade(9, '3.6')).toBe('2 etcdserver: unknown method')
  })

  test('lowers the version of the cluster, which rises again once it is given up', async () => {
    const target = async (): Promise<unknown> => (await client.must('status', {})).downgradeInfo
    const versions = async (): Promise<Record<string, string>> =>
      (await (await fetch(`${cluster.clientUrls[0] ?? ''}/version`)).json()) as Record<
        string,
        string
      >
    expect(await downgrade(Action.CANCEL, '')).toBe('3.7')
    expect(await target()).toEqual({ enabled: false, targetVersion: '' })
    expect(await downgrade(Action.ENABLE, '3.6')).toBe('3.7')
    expect(await target()).toEqual({ enabled: true, targetVersion: '3.6.0' })
    expect(await downgrade(Action.VALIDATE, '3.6')).toBe(
      '9 etcdserver: cluster has a downgrade job in progress',
    )
    await eventually('the lower version', async () => (await versions())['etcdcluster'] === '3.6.0')
    expect(await versions()).toMatchObject({ etcdserver: '3.7.1', storage: '3.6.0' })
    expect((await client.must('status', {})).storageVersion).toBe('3.6.0')
    expect(await downgrade(Action.CANCEL, '')).toBe('3.6')
    await eventually('the version of before', async () => {
      return (await versions())['etcdcluster'] === '3.7.0'
    })
  })
})

test('Hash changes with whatever is replicated, and with nothing else', async () => {
  const hash = async (): Promise<number> => {
    const [message] = (
      await client.raw.call(
        '/etcdserverpb.Maintenance/Hash',
        framed(HashRequest.encode({}).finish()),
      )
    ).messages
    return HashResponse.decode(message!).hash
  }
  const first = await hash()
  await client.must('range', everything)
  expect(await hash()).toBe(first)
  const hashes = new Set([first])
  await client.must('put', { key: bytes('another') })
  hashes.add(await hash())
  await client.must('leaseGrant', { TTL: 600n })
  hashes.add(await hash())
  await client.must('userAdd', { name: 'someone', password: 'x' })
  hashes.add(await hash())
  expect(hashes.size).toBe(4)
})
