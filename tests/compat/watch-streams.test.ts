/** Watch streams message by message, on a real etcd and on our node. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  TxnRequest,
  WatchResponse,
} from '../../src/core/proto/gen/rpc.ts'
import { expectAlike } from '../helpers/comparisons.ts'
import { QuoratedCluster } from '../helpers/quorated.ts'
import { framed, RawGrpcClient } from '../helpers/raw-grpc.ts'
import { ServerPair } from '../helpers/server-pair.ts'
import { WatchTalk } from '../helpers/watch-conversation.ts'
import { readable } from './exclusions.ts'

const watchPath = '/etcdserverpb.Watch/Watch'
const bytes = (text: string): Uint8Array => Buffer.from(text)

let pair: ServerPair
let etcd: RawGrpcClient
let quorate: RawGrpcClient

beforeAll(async () => {
  pair = await ServerPair.start()
  etcd = new RawGrpcClient(pair.etcd.clientUrl)
  quorate = new RawGrpcClient(pair.quorate.clientUrl)
})

afterAll(async () => {
  etcd.close()
  quorate.close()
  await pair.dispose()
})

/** One client with one watch stream. */
class Conversation extends WatchTalk {
  private readonly client: RawGrpcClient
  private readonly received: unknown[] = []

  constructor(client: RawGrpcClient, headers: Record<string, string> = {}) {
    super(client, headers)
    this.client = client
  }

  async put(key: string, value: string): Promise<void> {
    const message = PutRequest.create({ key: bytes(key), value: bytes(value) })
    await this.client.call('/etcdserverpb.KV/Put', framed(PutRequest.encode(message).finish()))
  }

  async remove(key: string, rangeEnd = ''): Promise<void> {
    const message = DeleteRangeRequest.create({ key: bytes(key), rangeEnd: bytes(rangeEnd) })
    await this.client.call(
      '/etcdserverpb.KV/DeleteRange',
      framed(DeleteRangeRequest.encode(message).finish()),
    )
  }

  async putAll(pairs: readonly (readonly [string, string])[]): Promise<void> {
    const success = pairs.map(([key, value]) => ({
      request: {
        $case: 'requestPut' as const,
        value: PutRequest.create({ key: bytes(key), value: bytes(value) }),
      },
    }))
    await this.client.call(
      '/etcdserverpb.KV/Txn',
      framed(TxnRequest.encode({ compare: [], success, failure: [] }).finish()),
    )
  }

  async compact(revision: number): Promise<void> {
    const message = CompactionRequest.create({ revision: BigInt(revision), physical: true })
    await this.client.call(
      '/etcdserverpb.KV/Compact',
      framed(CompactionRequest.encode(message).finish()),
    )
  }

  /** The next answers, also kept in readable form. */
  override async take(count: number): Promise<WatchResponse[]> {
    const answers = await super.take(count)
    this.received.push(...answers.map(transcribed))
    return answers
  }

  /** As {@link take}, for answers to different watchers, between which no order is promised. */
  async takeUnordered(count: number): Promise<void> {
    this.note(await super.take(count))
  }

  /** The next answers, kept nowhere. */
  receiveAll(count: number): Promise<WatchResponse[]> {
    return super.take(count)
  }

  /** Keeps answers, sorted by their watchers. */
  note(answers: readonly WatchResponse[]): void {
    const sorted = [...answers].sort((left, right) => Number(left.watchId - right.watchId))
    this.received.push(...sorted.map(transcribed))
  }

  /** The next answer, or `undefined` after 300 ms of silence. */
  async peek(): Promise<WatchResponse | undefined> {
    const silence = new Promise<undefined>((resolve) => {
      setTimeout(() => {
        resolve(undefined)
      }, 300)
    })
    return Promise.race([this.take(1).then(([answer]) => answer), silence])
  }

  /** Everything taken so far. */
  get transcript(): readonly unknown[] {
    return this.received
  }
}

function transcribed(answer: WatchResponse): unknown {
  const { header, events, ...others } = answer
  const pair = (
    kv: { key: Uint8Array; value: Uint8Array; modRevision: bigint } | undefined,
  ): string =>
    kv === undefined
      ? 'none'
      : `${Buffer.from(kv.key).toString()}=${Buffer.from(kv.value).toString()}@${kv.modRevision}`
  return {
    ...others,
    ...(readable({ header }) as object),
    revision: header?.revision,
    events: events.map(
      ({ type, kv, prevKv }) =>
        `${type === 1 ? 'delete' : 'put'} ${pair(kv)} before ${pair(prevKv)}`,
    ),
  }
}

/** Holds the same conversation with both and compares what they said. */
async function compare(hold: (conversation: Conversation) => Promise<void>): Promise<void> {
  const transcripts: (readonly unknown[])[] = []
  for (const client of [etcd, quorate]) {
    const conversation = new Conversation(client)
    await hold(conversation)
    transcripts.push(conversation.transcript)
    conversation.end()
  }
  expectAlike(watchPath, { etcd: transcripts[0], quorate: transcripts[1] })
  expect(transcripts[0]).not.toEqual([])
}

/** The current revision, which the answer to a creation tells. */
async function currentRevision(conversation: Conversation): Promise<number> {
  conversation.create({ key: bytes('current'), watchId: 999n })
  const [created] = await conversation.take(1)
  conversation.cancel(999n)
  await conversation.take(1)
  return Number(created?.header?.revision)
}

describe('creating and cancelling', () => {
  test('ids are given in order, skip those in use, and go on after a cancel', async () => {
    await compare(async (watch) => {
      watch.create({ key: bytes('a') })
      watch.create({ key: bytes('b') })
      watch.create({ key: bytes('c'), watchId: 2n })
      watch.create({ key: bytes('d') })
      watch.create({ key: bytes('e'), watchId: -7n })
      await watch.take(5)
      watch.cancel(0n)
      watch.create({ key: bytes('f') })
      watch.create({ key: bytes('g'), watchId: 3n })
      await watch.take(3)
    })
  })

  test('an id in use, an empty range and a range upside down are refused with reasons', async () => {
    await compare(async (watch) => {
      watch.create({ key: bytes('a'), watchId: 5n })
      watch.create({ key: bytes('b'), watchId: 5n })
      watch.create({ key: bytes('b'), rangeEnd: bytes('a') })
      watch.create({ key: bytes('b'), rangeEnd: bytes('b') })
      watch.create({ key: bytes('b'), rangeEnd: bytes('a'), watchId: 5n })
      await watch.take(5)
      watch.cancel(5n)
      await watch.take(1)
      watch.create({ key: bytes('c'), watchId: 5n })
      await watch.take(1)
    })
  })

  test('an unknown id is cancelled in silence, and a request without content is ignored', async () => {
    await compare(async (watch) => {
      watch.cancel(77n)
      watch.send({ requestUnion: undefined })
      watch.create({ key: bytes('a') })
      await watch.take(1)
      watch.cancel(0n)
      watch.cancel(0n)
      watch.create({ key: bytes('a') })
      await watch.take(2)
    })
  })

  test('a malformed message ends the stream with an internal error', async () => {
    for (const client of [etcd, quorate]) {
      const call = client.open(watchPath)
      call.send(Uint8Array.of(0x0a, 0x7f, 0x41))
      const answer = await call.answer
      expect(answer.code).toBe(13)
      expect(answer.text).toMatch(/^grpc: failed to unmarshal the received message/)
    }
  })
})

describe('events', () => {
  test('changes come as they happen, each with its revision', async () => {
    await compare(async (watch) => {
      watch.create({ key: bytes('live/'), rangeEnd: bytes('live0'), prevKv: true })
      await watch.take(1)
      await watch.put('live/1', 'a')
      await watch.take(1)
      await watch.put('live/1', 'b')
      await watch.take(1)
      await watch.put('other', 'x')
      await watch.remove('live/1')
      await watch.take(1)
      await watch.remove('live/1')
      await watch.put('live/1', 'c')
      await watch.take(1)
    })
  })

  test('all changes of one transaction come in one answer, in their order', async () => {
    await compare(async (watch) => {
      watch.create({ key: bytes('txn/'), rangeEnd: bytes('txn0'), prevKv: true })
      await watch.take(1)
      await watch.putAll([
        ['txn/2', 'x'],
        ['outside', 'y'],
        ['txn/1', 'z'],
      ])
      await watch.take(1)
      await watch.remove('txn/', 'txn0')
      await watch.take(1)
    })
  })

  test('history is replayed from the revision asked for, in one answer', async () => {
    await compare(async (watch) => {
      const revision = await currentRevision(watch)
      await watch.put('past/1', 'a')
      await watch.put('past/2', 'b')
      await watch.remove('past/1')
      await watch.put('past/1', 'c')
      watch.create({
        key: bytes('past/'),
        rangeEnd: bytes('past0'),
        startRevision: BigInt(revision + 1),
        prevKv: true,
      })
      await watch.take(2)
      watch.create({
        key: bytes('past/'),
        rangeEnd: bytes('past0'),
        startRevision: BigInt(revision + 3),
      })
      await watch.take(2)
    })
  })

  test('filters leave out puts or deletes, and unknown ones nothing', async () => {
    await compare(async (watch) => {
      watch.create({ key: bytes('f'), watchId: 10n, filters: [0] })
      watch.create({ key: bytes('f'), watchId: 20n, filters: [1] })
      await watch.take(2)
      await watch.put('f', '1')
      await watch.take(1)
      await watch.remove('f')
      await watch.take(1)
      watch.create({ key: bytes('f'), watchId: 30n, filters: [9 as never] })
      await watch.take(1)
      await watch.put('f', '2')
    })
  })

  test('an empty key with an open end is everything, an empty key alone the smallest', async () => {
    await compare(async (watch) => {
      watch.create({ rangeEnd: Uint8Array.of(0) })
      watch.create({})
      await watch.take(2)
      await watch.put('anything', '1')
      await watch.take(1)
      await watch.put('\0', '2')
      await watch.takeUnordered(2)
    })
  })

  test('a start in the future waits for its revision', async () => {
    await compare(async (watch) => {
      const revision = await currentRevision(watch)
      watch.create({ key: bytes('future'), startRevision: BigInt(revision + 3) })
      await watch.take(1)
      await watch.put('future', 'too early')
      await watch.put('future', 'still too early')
      await watch.put('future', 'in time')
      await watch.take(1)
    })
  })

  test('a start at the largest revision never comes, and is never rounded to an earlier one', async () => {
    await compare(async (watch) => {
      watch.create({ key: bytes('far'), startRevision: 9_223_372_036_854_775_807n })
      watch.create({ key: bytes('far') })
      await watch.take(2)
      await watch.put('far', '1')
      await watch.take(1)
    })
  })
})

describe('fragments', () => {
  const large = 'x'.repeat(700_000)

  test('a live answer above the limit is divided for those who allow it, and whole for the others', async () => {
    await compare(async (watch) => {
      const range = { key: bytes('part/'), rangeEnd: bytes('part0'), prevKv: true }
      watch.create({ ...range, watchId: 1n, fragment: true })
      watch.create({ ...range, watchId: 2n })
      await watch.take(2)
      await watch.putAll([
        ['part/1', large],
        ['part/2', large],
      ])
      await watch.takeUnordered(2)
      // With the pairs before, it is too large.
      await watch.putAll([
        ['part/1', large],
        ['part/2', large],
        ['part/3', 'small'],
      ])
      await watch.takeUnordered(3)
    })
  })

  test('one event is never divided', async () => {
    await compare(async (watch) => {
      watch.create({ key: bytes('single'), fragment: true, prevKv: true })
      await watch.take(1)
      for (const size of [1_400_000, 1_400_001]) {
        await watch.put('single', 'x'.repeat(size))
        await watch.take(1)
      }
    })
  })
})

describe('many watchers', () => {
  test('each of a hundred on one stream gets what is its own, under its id', async () => {
    await compare(async (watch) => {
      for (let number = 0; number < 100; number++) {
        const key = number % 3 === 0 ? { key: bytes('many/'), rangeEnd: bytes('many0') } : undefined
        watch.create({
          ...(key ?? { key: bytes(`many/${number % 10}`) }),
          prevKv: number % 2 === 0,
          filters: number % 7 === 0 ? [0] : [],
        })
      }
      await watch.take(100)
      await watch.put('many/4', 'a')
      await watch.takeUnordered(countOf((number) => number % 10 === 4, { isPut: true }))
      await watch.put('many/4', 'b')
      await watch.takeUnordered(countOf((number) => number % 10 === 4, { isPut: true }))
      await watch.remove('many/4')
      await watch.takeUnordered(countOf((number) => number % 10 === 4, { isPut: false }))
      watch.askProgress()
      await watch.take(1)
    })
  })

  /** How many of the hundred are told of a change to one key. */
  function countOf(
    watchesKey: (number: number) => boolean,
    { isPut }: { readonly isPut: boolean },
  ): number {
    return [...Array(100).keys()].filter(
      (number) => (number % 3 === 0 || watchesKey(number)) && !(isPut && number % 7 === 0),
    ).length
  }

  test('those that start at different places of one history each get the rest of it', async () => {
    await compare(async (watch) => {
      const revision = await currentRevision(watch)
      for (let number = 0; number < 20; number++) await watch.put('rest', String(number))
      for (let number = 0; number < 20; number++) {
        watch.create({ key: bytes('rest'), startRevision: BigInt(revision + 1 + number) })
      }
      const answers = await watch.receiveAll(40)
      // Creations and events of different watchers mix as it happens.
      watch.note(answers.filter(({ created }) => created))
      watch.note(answers.filter(({ created }) => !created))
    })
  })

  test('the same range is watched again under the id that was cancelled', async () => {
    await compare(async (watch) => {
      for (let round = 0; round < 5; round++) {
        watch.create({ key: bytes('again'), watchId: 9n })
        await watch.take(1)
        await watch.put('again', String(round))
        await watch.take(1)
        watch.cancel(9n)
        await watch.take(1)
      }
    })
  })
})

describe('compaction', () => {
  test('a start before the compacted revision is told in two messages', async () => {
    await compare(async (watch) => {
      for (const value of ['1', '2', '3', '4']) await watch.put('compacted', value)
      const revision = await currentRevision(watch)
      await watch.compact(revision - 1)
      watch.create({ key: bytes('compacted'), startRevision: BigInt(revision - 2) })
      await watch.take(2)
      watch.create({ key: bytes('compacted'), startRevision: BigInt(revision - 1) })
      await watch.take(2)
      watch.cancel(0n)
      await watch.take(1)
    })
  })
})

describe('progress', () => {
  test('is told for all watchers at once when they are up to date', async () => {
    await compare(async (watch) => {
      watch.create({ key: bytes('p1') })
      watch.create({ key: bytes('p2') })
      await watch.take(2)
      await watch.put('elsewhere', '1')
      watch.askProgress()
      await watch.take(1)
    })
  })
})

describe('our node alone', () => {
  let cluster: QuoratedCluster
  let client: RawGrpcClient

  beforeAll(async () => {
    cluster = await QuoratedCluster.start(1, [
      '--watch-progress-notify-interval=200ms',
      '--max-request-bytes=262144',
    ])
    client = new RawGrpcClient(cluster.clientUrls[0]!)
  })

  afterAll(async () => {
    client.close()
    await cluster.dispose()
  })

  test('a negative start is refused, where 3.4.23 accepts it and sends no history', async () => {
    const watch = new Conversation(client)
    watch.create({ key: bytes('a'), startRevision: -1n })
    const [answer] = await watch.take(1)
    expect(answer).toMatchObject({
      watchId: -1n,
      created: true,
      canceled: true,
      compactRevision: 0n,
      cancelReason: 'etcdserver: mvcc: required revision has been compacted',
    })
    watch.end()
  })

  test('progress is not told without watchers, nor while one starts in the future; 3.4.23 tells it wrongly', async () => {
    const empty = new Conversation(client)
    empty.askProgress()
    expect(await empty.peek()).toBeUndefined()
    empty.end()
    const watch = new Conversation(client)
    const revision = await currentRevision(watch)
    watch.create({ key: bytes('p'), startRevision: BigInt(revision + 1) })
    await watch.take(1)
    watch.askProgress()
    expect(await watch.peek()).toBeUndefined()
    watch.end()
  })

  test('progress is notified to those who asked, not after events, and not to others', async () => {
    const watch = new Conversation(client)
    watch.create({ key: bytes('n'), watchId: 1n, progressNotify: true })
    watch.create({ key: bytes('n'), watchId: 2n })
    await watch.take(2)
    const [first, second] = await watch.take(2)
    for (const answer of [first, second]) {
      expect(answer).toMatchObject({ watchId: 1n, events: [], created: false, canceled: false })
    }
    watch.end()
  })

  test('a large answer is divided for those who allow it', async () => {
    const watch = new Conversation(client)
    const revision = await currentRevision(watch)
    for (let count = 0; count < 8; count++) await watch.put(`big/${count}`, 'x'.repeat(200_000))
    const start = BigInt(revision + 1)
    const range = { key: bytes('big/'), rangeEnd: bytes('big0'), startRevision: start }
    watch.create({ ...range, watchId: 1n, fragment: true })
    expect(await watch.take(1)).toMatchObject([{ created: true }])
    const parts: WatchResponse[] = []
    const keys: string[] = []
    while (keys.length < 8) {
      const [part] = await watch.take(1)
      parts.push(part!)
      keys.push(...part!.events.map(({ kv }) => Buffer.from(kv?.key ?? []).toString()))
    }
    expect(parts.map(({ fragment }) => fragment)).toContain(true)
    expect(parts.at(-1)?.fragment).toBe(false)
    expect(keys).toEqual(Array.from({ length: 8 }, (_, count) => `big/${count}`))
    for (const part of parts) {
      expect(WatchResponse.encode(part).finish().length).toBeLessThan(262_144 + 524_288)
    }
    watch.end()
  })

  test('a client that does not read costs little, slows nobody, and then gets everything in order', async () => {
    const slow = new Conversation(client)
    slow.create({ key: bytes('slow/'), rangeEnd: bytes('slow0') })
    await slow.take(1)
    slow.call.pause()
    const other = new RawGrpcClient(cluster.clientUrls[0]!)
    const writer = new Conversation(other)
    const valueSizeBytes = 100_000
    const putCount = 300
    for (let count = 0; count < putCount; count++) {
      await writer.put(`slow/${count % 10}`, `${count} ${'x'.repeat(valueSizeBytes)}`)
    }
    slow.call.resume()
    const values: string[] = []
    while (values.length < putCount) {
      for (const { events } of await slow.take(1)) {
        for (const { kv } of events) {
          values.push(
            Buffer.from(kv?.value ?? [])
              .toString()
              .split(' ')[0] ?? '',
          )
        }
      }
    }
    expect(values).toEqual(Array.from({ length: putCount }, (_, count) => String(count)))
    slow.end()
    other.close()
  })

  test('ten thousand watches on one stream are created, told and cancelled', async () => {
    const watch = new Conversation(client)
    const watchCount = 10_000
    for (let count = 0; count < watchCount; count++) watch.create({ key: bytes('many') })
    await watch.take(watchCount)
    await watch.put('many', '1')
    const told = await watch.take(watchCount)
    expect(new Set(told.map(({ watchId }) => watchId)).size).toBe(watchCount)
    watch.end()
    await expect
      .poll(async () => (await fetch(`${cluster.clientUrls[0]!}/health`)).status)
      .toBe(200)
  })

  test('a stream that wants a leader is served while there is one', async () => {
    const watch = new Conversation(client, { hasleader: 'true' })
    watch.create({ key: bytes('a') })
    expect(await watch.take(1)).toMatchObject([{ created: true }])
    watch.end()
  })
})

describe('without a quorum', () => {
  test('streams that want a leader end, others go on; reads and writes fail with etcd’s texts', async () => {
    const cluster = await QuoratedCluster.start(3)
    const [survivor, ...others] = cluster.members
    const client = new RawGrpcClient(survivor!.clientUrl)
    const demanding = new Conversation(client, { hasleader: 'true' })
    const patient = new Conversation(client)
    demanding.create({ key: bytes('a') })
    patient.create({ key: bytes('a') })
    await demanding.take(1)
    await patient.take(1)
    await Promise.all(others.map((member) => member.kill()))
    expect(await demanding.call.answer).toMatchObject({
      code: 14,
      text: 'etcdserver: no leader',
    })
    patient.create({ key: bytes('b') })
    expect(await patient.take(1)).toMatchObject([{ created: true }])
    const range = (serializable: boolean): Promise<{ code: number; text: string }> =>
      client.call(
        '/etcdserverpb.KV/Range',
        // Field 1 the key, field 7 whether a local answer will do.
        framed(Uint8Array.of(0x0a, 1, 0x61, ...(serializable ? [0x38, 1] : []))),
      )
    expect(await range(true)).toMatchObject({ code: 0 })
    const refused = await client.call(
      '/etcdserverpb.KV/Put',
      framed(PutRequest.encode(PutRequest.create({ key: bytes('a') })).finish()),
      { hasleader: 'true' },
    )
    expect(refused).toMatchObject({ code: 14, text: 'etcdserver: no leader' })
    const [read, write] = await Promise.all([
      range(false),
      client.call(
        '/etcdserverpb.KV/Put',
        framed(PutRequest.encode(PutRequest.create({ key: bytes('a') })).finish()),
      ),
    ])
    expect(read).toMatchObject({ code: 14, text: 'etcdserver: request timed out' })
    expect(write).toMatchObject({ code: 4, text: 'context deadline exceeded' })
    const health = await fetch(`${survivor!.clientUrl}/health`)
    expect([health.status, await health.text()]).toEqual([
      503,
      '{"health":"false","reason":"RAFT NO LEADER"}\n',
    ])
    client.close()
    await cluster.dispose()
  })
})
