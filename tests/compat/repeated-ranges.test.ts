/** The same ranges asked for again and again between random writes, to a real etcd and to our node, which keeps parts of its answers. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seededRandom } from '../../src/core/base/random.ts'
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  type RequestOp,
} from '../../src/core/proto/gen/rpc.ts'
import { expectAlike } from '../helpers/comparisons.ts'
import { framed, RawGrpcClient } from '../helpers/raw-grpc.ts'
import { ServerPair, type PairedServer } from '../helpers/server-pair.ts'

const keyCount = 300
const stepCount = 150
const bytes = (text: string): Uint8Array => Buffer.from(text)
const keyOf = (number: number): Uint8Array => bytes(`list/${String(number).padStart(5, '0')}`)
const listEnd = bytes('list0')

let pair: ServerPair
let clients: Record<PairedServer['kind'], RawGrpcClient>

beforeAll(async () => {
  pair = await ServerPair.start()
  clients = {
    etcd: new RawGrpcClient(pair.etcd.clientUrl),
    quorate: new RawGrpcClient(pair.quorate.clientUrl),
  }
}, 120_000)

afterAll(async () => {
  clients.etcd.close()
  clients.quorate.close()
  await pair.dispose()
})

async function write(method: string, message: Uint8Array): Promise<void> {
  for (const client of Object.values(clients)) {
    const { code, text } = await client.call(`/etcdserverpb.KV/${method}`, framed(message))
    expect([code, text]).toEqual([0, ''])
  }
}

async function range(client: RawGrpcClient, request: RangeRequest): Promise<unknown> {
  const body = framed(RangeRequest.encode(request).finish())
  const { code, text, messages } = await client.call('/etcdserverpb.KV/Range', body)
  const [message] = messages
  if (code !== 0 || message === undefined) return { code, text }
  const { header, kvs, count, more } = RangeResponse.decode(message)
  const pairs = kvs.map(({ key, value, ...numbers }) => [
    Buffer.from(key).toString(),
    Buffer.from(value).toString(),
    Object.values(numbers).map(String),
  ])
  return { revision: header?.revision, pairs, count, more }
}

async function hitPairCount(): Promise<number> {
  const response = await fetch(`${pair.quorate.clientUrl}/metrics`)
  const match = /^quorate_range_cache_hit_pairs_total (\d+)$/m.exec(await response.text())
  return Number(match?.[1])
}

test('ranges that are asked for again are those of a real etcd after every write', async () => {
  const random = seededRandom(20)
  const putOf = (number: number): PutRequest =>
    PutRequest.create({ key: keyOf(number), value: bytes(`${number} `.repeat(random.below(90))) })
  for (let number = 0; number < keyCount; number++) {
    await write('Put', PutRequest.encode(putOf(number)).finish())
  }
  let revision = keyCount + 1
  let compacted = 1
  for (let step = 0; step < stepCount; step++) {
    const [chosen, first] = [random.below(10), random.below(keyCount)]
    if (chosen < 3) {
      await write('Put', PutRequest.encode(putOf(first)).finish())
      revision++
    } else if (chosen === 3) {
      const others = [first, random.below(keyCount)].filter(
        (each, at, all) => all.indexOf(each) === at,
      )
      const success = others.map((each): RequestOp => ({
        request: { $case: 'requestPut', value: putOf(each) },
      }))
      await write('Txn', TxnRequest.encode({ compare: [], success, failure: [] }).finish())
      revision++
    } else if (chosen === 4) {
      // A key of its own goes along, so that there is a revision whatever is deleted.
      await write('Put', PutRequest.encode(putOf(first)).finish())
      const request = { key: keyOf(first), rangeEnd: keyOf(first + random.below(4) + 1) }
      await write(
        'DeleteRange',
        DeleteRangeRequest.encode(DeleteRangeRequest.create(request)).finish(),
      )
      revision += 2
    } else if (chosen === 5 && revision > compacted + 6) {
      compacted = revision - random.below(3)
      const request = CompactionRequest.create({ revision: BigInt(compacted) })
      await write('Compact', CompactionRequest.encode(request).finish())
    }
    const asked = RangeRequest.create({
      key: keyOf([0, 0, 100, first][random.below(4)] ?? 0),
      rangeEnd: random.below(3) === 0 ? keyOf(keyCount - 20) : listEnd,
      limit: BigInt([0, 50, 120, 500][random.below(4)] ?? 0),
      revision: BigInt(random.below(3) === 0 ? Math.max(compacted, revision - random.below(6)) : 0),
    })
    for (let time = 0; time < 3; time++) {
      const etcd = await range(clients.etcd, asked)
      const quorate = await range(clients.quorate, asked)
      expectAlike('/etcdserverpb.KV/Range', { etcd, quorate }, `step ${step}, time ${time}`)
    }
  }
  expect(await hitPairCount()).toBeGreaterThan(keyCount)
}, 120_000)
