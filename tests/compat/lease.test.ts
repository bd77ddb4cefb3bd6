/** Leases on a real etcd and on our node: the same calls give the same codes, texts and fields, and keys end alike. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  WatchRequest,
  WatchResponse,
} from '../../src/core/proto/gen/rpc.ts'
import { expectAlike } from '../helpers/comparisons.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { framed } from '../helpers/raw-grpc.ts'
import { methods, RpcClient, type MethodName, type RequestOf } from '../helpers/rpc-client.ts'
import { ServerPair } from '../helpers/server-pair.ts'
import { inAnyOrder, readable } from './exclusions.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const maxInt64 = 9_223_372_036_854_775_807n

let pair: ServerPair
let etcd: RpcClient
let quorate: RpcClient

beforeAll(async () => {
  pair = await ServerPair.start({ etcdProgram: newerEtcd() })
  etcd = new RpcClient(pair.etcd.clientUrl)
  quorate = new RpcClient(pair.quorate.clientUrl)
})

afterAll(async () => {
  etcd.close()
  quorate.close()
  await pair.dispose()
})

/** Asks both the same and expects the same; returns what both said. */
async function same<Name extends MethodName>(
  name: Name,
  fields: Partial<RequestOf<Name>> = {},
): Promise<unknown> {
  const [theirs, ours] = await Promise.all([etcd.call(name, fields), quorate.call(name, fields)])
  expectAlike(methods[name].path, { etcd: readable(theirs), quorate: readable(ours) })
  return readable(ours)
}

/** Runs the same against both, at the same time, and expects the same result. */
async function alike(run: (client: RpcClient) => Promise<unknown>): Promise<unknown> {
  const [theirs, ours] = await Promise.all([run(etcd), run(quorate)])
  expectAlike('leases, step by step', { etcd: theirs, quorate: ours })
  return ours
}

const put = (key: string, lease: bigint): Promise<unknown> =>
  same('put', { key: bytes(key), value: bytes('v'), lease })

describe('granting', () => {
  test.each<readonly [string, RequestOf<'leaseGrant'>, number]>([
    ['an id that the client chose', { ID: 100n, TTL: 100n }, 0],
    ['an id that is taken', { ID: 100n, TTL: 50n }, 9],
    ['a negative id', { ID: -5n, TTL: 60n }, 0],
    ['the largest id', { ID: maxInt64, TTL: 60n }, 0],
    ['the smallest id', { ID: -maxInt64 - 1n, TTL: 60n }, 0],
    ['a time that is too short', { ID: 101n, TTL: 1n }, 0],
    ['the shortest time', { ID: 102n, TTL: 2n }, 0],
    ['no time', { ID: 103n, TTL: 0n }, 0],
    ['a negative time', { ID: 104n, TTL: -10n }, 0],
    ['the longest time', { ID: 105n, TTL: 9_000_000_000n }, 0],
    ['a time that is too long', { ID: 106n, TTL: 9_000_000_001n }, 11],
    ['the largest number as a time', { ID: 107n, TTL: maxInt64 }, 11],
    ['a time that is too long, and an id that is taken', { ID: 100n, TTL: 9_000_000_001n }, 11],
  ])('%s', async (_name, request, code) => {
    expect(await same('leaseGrant', request)).toMatchObject({ code })
  })

  test('without an id gives a positive one, and no revision is used up', async () => {
    for (const client of [etcd, quorate]) {
      const { ID, TTL, error } = await client.must('leaseGrant', { TTL: 30n })
      expect(ID > 0n).toBe(true)
      expect({ TTL, error }).toEqual({ TTL: 30n, error: '' })
      await client.must('leaseRevoke', { ID })
    }
    await same('range', { key: bytes('x') })
  })
})

describe('keys of leases', () => {
  test('end with their lease, at one revision and in order', async () => {
    await same('leaseGrant', { ID: 200n, TTL: 100n })
    for (const key of ['k2', 'k10', 'k1']) await put(key, 200n)
    await alike(async (client) => {
      const call = client.raw.open('/etcdserverpb.Watch/Watch')
      const wish = WatchRequest.fromPartial({
        requestUnion: {
          $case: 'createRequest',
          value: { key: bytes('k'), rangeEnd: bytes('l'), prevKv: true },
        },
      })
      call.send(WatchRequest.encode(wish).finish())
      await call.next()
      await client.must('leaseRevoke', { ID: 200n })
      const answer = WatchResponse.decode((await call.next()) ?? new Uint8Array())
      call.cancel()
      return readable(answer)
    })
    expect(await same('range', { key: bytes('k'), rangeEnd: bytes('l') })).toMatchObject({
      response: { count: '0' },
    })
  })

  test('are those whose newest value was put with it', async () => {
    await same('leaseGrant', { ID: 300n, TTL: 100n })
    await same('leaseGrant', { ID: 301n, TTL: 100n })
    await put('stays', 300n)
    await put('moves', 300n)
    await put('moves', 301n)
    await put('leaves', 300n)
    await put('leaves', 0n)
    await put('goes', 300n)
    await same('deleteRange', { key: bytes('goes') })
    await put('ignores', 300n)
    await same('put', { key: bytes('ignores'), value: bytes('w'), ignoreLease: true })
    for (const ID of [300n, 301n]) {
      await alike(async (client) => {
        const { keys, grantedTTL } = await client.must('leaseTimeToLive', { ID, keys: true })
        return { keys: inAnyOrder(keys.map((key) => Buffer.from(key).toString())), grantedTTL }
      })
    }
    await same('leaseRevoke', { ID: 300n })
    await same('range', { key: bytes('a'), rangeEnd: bytes('z') })
    await same('leaseRevoke', { ID: 301n })
    await same('range', { key: bytes('a'), rangeEnd: bytes('z') })
  })

  test('are attached by transactions too, and by nothing that fails', async () => {
    await same('leaseGrant', { ID: 310n, TTL: 100n })
    const op = (key: string, lease: bigint) => ({
      request: {
        $case: 'requestPut' as const,
        value: {
          key: bytes(key),
          value: bytes('v'),
          lease,
          prevKv: false,
          ignoreValue: false,
          ignoreLease: false,
        },
      },
    })
    await same('txn', { success: [op('t1', 310n), op('t2', 310n)] })
    expect(await same('txn', { success: [op('t3', 310n), op('t4', 999n)] })).toMatchObject({
      code: 5,
    })
    expect(await same('put', { key: bytes('t5'), value: bytes('v'), lease: 999n })).toMatchObject({
      code: 5,
      text: 'etcdserver: requested lease not found',
    })
    expect(
      await same('put', { key: bytes('t1'), value: bytes('v'), lease: 310n, ignoreLease: true }),
    ).toMatchObject({ code: 3 })
    await same('range', { key: bytes('t'), rangeEnd: bytes('u') })
    await same('leaseRevoke', { ID: 310n })
    await same('range', { key: bytes('t'), rangeEnd: bytes('u') })
  })
})

describe('asking', () => {
  test.each([0n, 999n, -1n, maxInt64 - 1n])('for the time of a missing lease %d', async (ID) => {
    expect(await same('leaseTimeToLive', { ID })).toMatchObject({
      code: 0,
      response: { TTL: '-1', grantedTTL: '0' },
    })
    await same('leaseTimeToLive', { ID, keys: true })
  })

  test.each([0n, 999n, -1n])('to revoke a missing lease %d', async (ID) => {
    expect(await same('leaseRevoke', { ID })).toMatchObject({ code: 5 })
  })

  test('for the time of a lease counts down whole seconds', async () => {
    await same('leaseGrant', { ID: 400n, TTL: 100n })
    expect(await same('leaseTimeToLive', { ID: 400n })).toMatchObject({
      response: { ID: '400', TTL: '99', grantedTTL: '100', keys: [] },
    })
    await same('leaseRevoke', { ID: 400n })
  })

  test('for all leases lists them by their end', async () => {
    const ids = await alike(async (client) => {
      const { leases } = await client.must('leaseLeases')
      return leases.map(({ ID }) => ID)
    })
    // Those with less than a minute left expire while the tests run, so the long ones are named.
    expect(ids).toEqual(expect.arrayContaining([100n, -5n, maxInt64, 105n]))
  })
})

describe('keeping alive', () => {
  /** Sends ids on one stream and takes as many answers. */
  async function renew(client: RpcClient, ids: readonly bigint[]): Promise<unknown> {
    const call = client.raw.open('/etcdserverpb.Lease/LeaseKeepAlive')
    for (const ID of ids) call.send(LeaseKeepAliveRequest.encode({ ID }).finish())
    call.end()
    const { code, text, messages } = await call.answer
    return {
      code,
      text,
      answers: messages.map((message) => readable(LeaseKeepAliveResponse.decode(message))),
    }
  }

  test('answers each question in turn, with 0 for what is not there, and ends in order', async () => {
    const answer = await alike((client) => renew(client, [100n, 999n, -5n, 0n, 100n]))
    expect(answer).toMatchObject({ code: 0, answers: { length: 5 } })
  })

  test('of a stream that asks nothing ends in order', async () => {
    expect(await alike((client) => renew(client, []))).toMatchObject({ code: 0, answers: [] })
  })

  test('with a message that is none ends the stream', async () => {
    await alike(async (client) => {
      const { code } = await client.raw.call(
        '/etcdserverpb.Lease/LeaseKeepAlive',
        framed(Uint8Array.of(0x08)),
      )
      return code
    })
  })

  test('gives the whole time again, where it was asked in time', async () => {
    await same('leaseGrant', { ID: 500n, TTL: 4n })
    await put('kept', 500n)
    await new Promise((resolve) => setTimeout(resolve, 2_200))
    await alike((client) => renew(client, [500n]))
    await new Promise((resolve) => setTimeout(resolve, 2_600))
    expect(await same('range', { key: bytes('kept') })).toMatchObject({ response: { count: '1' } })
    expect(await same('leaseTimeToLive', { ID: 500n })).toMatchObject({ response: { TTL: '1' } })
    await same('leaseRevoke', { ID: 500n })
  })
})

describe('expiry', () => {
  test('deletes all keys at one revision, not before the time is over and soon after', async () => {
    const observed = await Promise.all(
      [etcd, quorate].map(async (client) => {
        await client.must('leaseGrant', { ID: 600n, TTL: 2n })
        const grantedMs = performance.now()
        for (const key of ['e2', 'e1', 'e3']) {
          await client.must('put', { key: bytes(key), value: bytes('v'), lease: 600n })
        }
        const call = client.raw.open('/etcdserverpb.Watch/Watch')
        const wish = WatchRequest.fromPartial({
          requestUnion: {
            $case: 'createRequest',
            value: { key: bytes('e'), rangeEnd: bytes('f') },
          },
        })
        call.send(WatchRequest.encode(wish).finish())
        await call.next()
        const answer = WatchResponse.decode((await call.next()) ?? new Uint8Array())
        const tookMs = performance.now() - grantedMs
        call.cancel()
        return { tookMs, answer: readable(answer) }
      }),
    )
    for (const { tookMs } of observed) {
      expect(tookMs).toBeGreaterThan(1_990)
      expect(tookMs).toBeLessThan(3_500)
    }
    expect(observed[1]?.answer).toMatchObject({ events: { length: 3 } })
    // Leases of the tests above may have ended in another order, but none of them had keys.
    expect(observed[1]?.answer).toEqual(observed[0]?.answer)
    expect(await same('leaseTimeToLive', { ID: 600n })).toMatchObject({ response: { TTL: '-1' } })
    expect(await same('leaseRevoke', { ID: 600n })).toMatchObject({ code: 5 })
  })
})

describe('a database without room', () => {
  test('grants no lease, and revokes those that are there', async () => {
    const small = await ServerPair.start({
      etcdProgram: newerEtcd(),
      flags: ['--quota-backend-bytes=1'],
    })
    const clients = small.servers.map(({ clientUrl }) => new RpcClient(clientUrl))
    try {
      const answers = await Promise.all(
        clients.map(async (client) => {
          const grant = await client.call('leaseGrant', { ID: 1n, TTL: 10n })
          await new Promise((resolve) => setTimeout(resolve, 200))
          const alarms = await client.must('alarm')
          return readable({
            grant,
            again: await client.call('leaseGrant', { ID: 2n, TTL: 10n }),
            revoke: await client.call('leaseRevoke', { ID: 1n }),
            alarms: alarms.alarms.map(({ alarm }) => alarm),
          })
        }),
      )
      expect(answers[1]).toEqual(answers[0])
      expect(answers[1]).toMatchObject({ grant: { code: 8 }, again: { code: 8 }, alarms: [1] })
    } finally {
      for (const client of clients) client.close()
      await small.dispose()
    }
  })
})
