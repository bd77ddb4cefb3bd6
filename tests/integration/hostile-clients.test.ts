/**
 * Clients that mean harm or know no better: what they get is etcd's refusal, the others are served meanwhile, and the memory
 * that they took comes back.
 */
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { seededRandom, type Random } from '../../src/core/base/random.ts'
import {
  Compare,
  PutRequest,
  RangeRequest,
  TxnRequest,
  WatchCreateRequest,
  WatchRequest,
  WatchResponse,
  type RequestOp,
} from '../../src/core/proto/gen/rpc.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { framed, RawGrpcClient, type RawCall } from '../helpers/raw-grpc.ts'
import { RpcClient } from '../helpers/rpc-client.ts'
import { ServerPair } from '../helpers/server-pair.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const mebibyte = 1_048_576
const watchPath = '/etcdserverpb.Watch/Watch'
const rangePath = '/etcdserverpb.KV/Range'
const internalCode = 13
const txnPath = '/etcdserverpb.KV/Txn'

let pair: ServerPair
let own: RpcClient

beforeAll(async () => {
  pair = await ServerPair.start({ etcdProgram: newerEtcd() })
  own = new RpcClient(pair.quorate.clientUrl)
})

afterAll(async () => {
  own.close()
  await pair.dispose()
})

afterEach(async () => {
  await expectServed(own)
})

/** Others write and read within a few seconds, where nothing else is said; on an idle machine these are milliseconds. */
async function expectServed(client: RpcClient, withinMs = 5_000): Promise<void> {
  const startMs = performance.now()
  await client.must('put', { key: bytes('alive'), value: bytes('v') })
  expect((await client.must('range', { key: bytes('alive') })).count).toBe(1n)
  expect(performance.now() - startMs).toBeLessThan(withinMs)
}

/** Memory of the process that no file stands behind, in bytes: its heaps and buffers, not the mapped database. */
function anonymousBytes(): number {
  const status = readFileSync(`/proc/${pair.quorate.process.pid}/status`, 'utf8')
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1]) * 1_024
}

/** Waits until memory is near a level again, under the ordinary traffic that makes a runtime collect garbage. */
async function expectMemoryBack(levelBytes: number, slackBytes = 60 * mebibyte): Promise<void> {
  await expect
    .poll(
      async () => {
        for (let count = 0; count < 200; count++) await own.must('range', { key: bytes('alive') })
        return anonymousBytes() - levelBytes
      },
      { timeout: 20_000, interval: 100 },
    )
    .toBeLessThan(slackBytes)
}

async function watcherCount(): Promise<number> {
  const answer = await fetch(`${pair.quorate.clientUrl}/metrics`)
  return Number(/^etcd_debugging_mvcc_watcher_total (\d+)/m.exec(await answer.text())?.[1])
}

/** Asks both servers the same raw bytes; the codes of their answers. */
async function codesOf(
  path: string,
  bodies: readonly Uint8Array[],
): Promise<{ etcd: readonly number[]; quorate: readonly number[] }> {
  return pair.both(async ({ clientUrl }) => {
    const client = new RawGrpcClient(clientUrl)
    const codes: number[] = []
    for (const body of bodies) codes.push((await client.call(path, body)).code)
    client.close()
    return codes
  })
}

describe('bytes that are no message', () => {
  const valid = TxnRequest.encode(
    TxnRequest.fromPartial({
      compare: [
        Compare.fromPartial({ key: bytes('a'), targetUnion: { $case: 'version', value: 300n } }),
      ],
      success: [putOf('a', 'one'), putOf('b', 'two')],
      failure: [
        {
          request: { $case: 'requestRange', value: RangeRequest.fromPartial({ key: bytes('a') }) },
        },
      ],
    }),
  ).finish()

  test('every part of a transaction is refused or taken as etcd does', async () => {
    const parts = Array.from({ length: valid.length }, (_, length) =>
      framed(valid.subarray(0, length)),
    )
    const { etcd, quorate } = await codesOf(txnPath, parts)
    expect(quorate).toEqual(etcd)
    expect(new Set(quorate).size).toBeGreaterThan(1)
  })

  test('a transaction with any one byte changed is refused or taken as etcd does', async () => {
    const random = seededRandom(5)
    const changed = Array.from({ length: 400 }, () => {
      const copy = Uint8Array.from(valid)
      copy[random.below(copy.length)] = random.below(256)
      return framed(copy)
    })
    const { etcd, quorate } = await codesOf(txnPath, changed)
    expect(differences(changed, etcd, quorate)).toEqual([])
  })

  test.each(['KV/Range', 'KV/Put', 'KV/DeleteRange', 'Lease/LeaseTimeToLive'])(
    'random bytes for %s are refused or taken as etcd does',
    async (method) => {
      const random = seededRandom(method.length)
      const messages = Array.from({ length: 120 }, () => framed(randomMessage(random)))
      const { etcd, quorate } = await codesOf(`/etcdserverpb.${method}`, messages)
      expect(differences(messages, etcd, quorate)).toEqual([])
    },
  )

  test('a message that is cut short by its sender is refused as etcd does', async () => {
    const whole = framed(valid)
    const cut = [1, 4, 5, 20, whole.length - 1].map((length) => whole.subarray(0, length))
    const { etcd, quorate } = await codesOf(txnPath, [...cut, new Uint8Array(0)])
    expect(quorate).toEqual(etcd)
  })

  test('random bytes on a watch end that stream only', async () => {
    const random = seededRandom(7)
    const client = new RawGrpcClient(pair.quorate.clientUrl)
    const bystander = client.open(watchPath)
    bystander.send(createWatch({ key: bytes('bystander') }))
    await bystander.next()
    for (let count = 0; count < 100; count++) {
      const call = client.open(watchPath)
      call.send(randomMessage(random))
    }
    await own.must('put', { key: bytes('bystander'), value: bytes('v') })
    expect(await bystander.next()).toBeDefined()
    client.close()
  })
})

describe('transactions without measure', () => {
  test.each<[string, number, () => Uint8Array]>([
    [
      'a million operations that ask for nothing',
      3,
      () => repeated(Uint8Array.of(0x12, 0), 1_000_000),
    ],
    [
      'a million puts',
      8,
      () => repeated(Uint8Array.of(0x12, 7, 0x12, 5, 0x0a, 1, 0x61, 0x12, 0), 1_000_000),
    ],
    // Ours refuses it while decoding, so that no depth can overflow a stack.
    ['one within the other a thousand times', 3, () => nested(1_000)],
  ])('%s are refused as etcd does, and the memory comes back', async (_, code, message) => {
    await expectServed(own)
    const levelBytes = anonymousBytes()
    const body = framed(message())
    const times = 20
    const { etcd, quorate } = await codesOf(txnPath, Array(times).fill(body))
    expect(new Set(etcd)).toEqual(new Set([code]))
    for (const each of quorate) expect([code, internalCode]).toContain(each)
    // A runtime collects the garbage of a few of them, 30 to 80 MB each, when it has to; what all of them left would be more.
    await expectMemoryBack(levelBytes, 400 * mebibyte)
  })
})

describe('ten thousand watches', () => {
  test('that are opened on one stream and dropped leave nothing behind', async () => {
    await openAndDrop(10, 1_000)
    const levelBytes = anonymousBytes()
    await openAndDrop(1, 10_000)
    await expectMemoryBack(levelBytes)
  })

  test('that are opened on a thousand streams and dropped leave nothing behind', async () => {
    const levelBytes = anonymousBytes()
    for (let round = 0; round < 10; round++) await openAndDrop(100, 10)
    await expectMemoryBack(levelBytes)
  })

  /** Opens watches, sees them counted, and goes away without a word. */
  async function openAndDrop(streamCount: number, watchesPerStream: number): Promise<void> {
    const client = new RawGrpcClient(pair.quorate.clientUrl)
    const calls = Array.from({ length: streamCount }, () => client.open(watchPath))
    for (const call of calls) {
      for (let watch = 0; watch < watchesPerStream; watch++)
        call.send(createWatch({ key: bytes(`w${watch}`), rangeEnd: bytes('x'), prevKv: true }))
    }
    for (const call of calls)
      for (let watch = 0; watch < watchesPerStream; watch++) await call.next()
    expect(await watcherCount()).toBeGreaterThanOrEqual(streamCount * watchesPerStream)
    await expectServed(own)
    client.close()
    await expect.poll(watcherCount, { timeout: 20_000 }).toBe(0)
  }
})

describe('clients that never read', () => {
  const valueBytes = Buffer.alloc(mebibyte, 'v')
  const writtenCount = 100

  test('a watch that is not read costs no memory for what it misses, and is told it all at last', async () => {
    const levelBytes = anonymousBytes()
    const client = new RawGrpcClient(pair.quorate.clientUrl)
    const calls = Array.from({ length: 3 }, () => client.open(watchPath))
    for (const call of calls) {
      call.send(createWatch({ key: bytes('unread'), fragment: true }))
      await call.next()
      call.pause()
    }
    const reader = new RawGrpcClient(pair.quorate.clientUrl)
    const read = reader.open(watchPath)
    read.send(createWatch({ key: bytes('alive') }))
    await read.next()
    for (let count = 0; count < writtenCount; count++) {
      await own.must('put', { key: bytes('unread'), value: valueBytes })
      await own.must('put', { key: bytes('alive'), value: bytes('v') })
      // Who reads is told at once, whoever else does not.
      expect(await read.next()).toBeDefined()
    }
    // Between them they missed three hundred.
    await expectMemoryBack(levelBytes, 100 * mebibyte)
    const [first, ...others] = calls
    for (const call of others) call.cancel()
    first!.resume()
    for (let told = 0; told < writtenCount;) told += eventCountOf(await first!.next())
    client.close()
    reader.close()
    await expectMemoryBack(levelBytes, 100 * mebibyte)
  })

  test('large answers that are not read hold nobody up, and are not kept in memory', async () => {
    for (let count = 0; count < 20; count++)
      await own.must('put', { key: bytes(`large/${count}`), value: valueBytes })
    const levelBytes = anonymousBytes()
    // The second time shows that what stays of the first, which an idle runtime does not collect, is used again.
    for (let round = 0; round < 2; round++) {
      const { client, calls } = askWithoutReading(25)
      for (let count = 0; count < 20; count++) await expectServed(own, 5_000)
      // Five hundred megabytes are asked for; of each answer about four wait.
      expect(anonymousBytes() - levelBytes).toBeLessThan(250 * mebibyte)
      const [first] = calls
      first!.resume()
      expect((await first!.next())?.length).toBeGreaterThan(20 * mebibyte)
      client.close()
    }
    await expectMemoryBack(levelBytes, 200 * mebibyte)
  })

  function askWithoutReading(count: number): { client: RawGrpcClient; calls: readonly RawCall[] } {
    const client = new RawGrpcClient(pair.quorate.clientUrl)
    const request = RangeRequest.fromPartial({ key: bytes('large/'), rangeEnd: bytes('large0') })
    const body = framed(RangeRequest.encode(request).finish())
    const calls = Array.from({ length: count }, () => {
      const call = client.open(rangePath)
      call.pause()
      call.end(body)
      return call
    })
    return { client, calls }
  }
})

function createWatch(fields: Partial<WatchCreateRequest>): Uint8Array {
  const value = WatchCreateRequest.fromPartial(fields)
  return WatchRequest.encode(
    WatchRequest.fromPartial({ requestUnion: { $case: 'createRequest', value } }),
  ).finish()
}

/** Events in a watch response, counted by the field that they stand in. */
function eventCountOf(message: Uint8Array | undefined): number {
  if (message === undefined) throw new Error('the watch ended')
  return WatchResponse.decode(message).events.length
}

function putOf(key: string, value: string): RequestOp {
  const put = PutRequest.fromPartial({ key: bytes(key), value: bytes(value) })
  return { request: { $case: 'requestPut', value: put } }
}

function repeated(part: Uint8Array, count: number): Uint8Array {
  return Buffer.alloc(part.length * count, part)
}

/** A transaction within a transaction and so on: success { request_txn { ... } }. */
function nested(depth: number): Uint8Array {
  let message: Buffer = Buffer.alloc(0)
  const field = (tag: number, content: Buffer): Buffer => {
    const length: number[] = []
    let rest = content.length
    for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128)
    return Buffer.concat([Uint8Array.of(tag, ...length, rest), content])
  }
  for (let level = 0; level < depth; level++) message = field(0x12, field(0x22, message))
  return message
}

/** Bytes that often look like fields: a tag of any wire type, a length, and content of that or another length. */
function randomMessage(random: Random): Uint8Array {
  const parts: number[] = []
  for (let field = random.below(5); field >= 0; field--) {
    const length = random.below(6)
    parts.push((random.below(9) << 3) | random.below(6))
    if (random.below(4) > 0) parts.push(length)
    for (let count = length; count > 0; count--) parts.push(random.below(256))
  }
  return Uint8Array.from(parts)
}

/**
 * What is answered otherwise than by etcd. Up to its release 3.6 a known field of another wire type was refused with
 * INTERNAL; from 3.7 on, as in ours, it counts as a field that nobody knows.
 */
function differences(
  messages: readonly Uint8Array[],
  etcd: readonly number[],
  quorate: readonly number[],
): readonly string[] {
  return messages
    .map((message, at) => `${Buffer.from(message).toString('hex')}: ${etcd[at]} ${quorate[at]}`)
    .filter((_, at) => etcd[at] !== quorate[at] && etcd[at] !== internalCode)
}
