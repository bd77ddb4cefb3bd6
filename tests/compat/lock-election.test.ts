/** Locks and elections on a real etcd and on our node: who holds, in which order, what watchers of it see, and what is refused. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CampaignRequest,
  CampaignResponse,
  LeaderRequest,
  LeaderResponse,
  ProclaimRequest,
  ProclaimResponse,
  ResignRequest,
  ResignResponse,
} from '../../src/core/proto/gen/election.ts'
import {
  LockRequest,
  LockResponse,
  UnlockRequest,
  UnlockResponse,
} from '../../src/core/proto/gen/lock.ts'
import { noteComparisons } from '../helpers/comparisons.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { framed, type RawCall } from '../helpers/raw-grpc.ts'
import { RpcClient } from '../helpers/rpc-client.ts'
import { ServerPair } from '../helpers/server-pair.ts'
import { comparableJson, readable } from './exclusions.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

const methods = {
  lock: ['/v3lockpb.Lock/Lock', LockRequest, LockResponse],
  unlock: ['/v3lockpb.Lock/Unlock', UnlockRequest, UnlockResponse],
  campaign: ['/v3electionpb.Election/Campaign', CampaignRequest, CampaignResponse],
  proclaim: ['/v3electionpb.Election/Proclaim', ProclaimRequest, ProclaimResponse],
  leader: ['/v3electionpb.Election/Leader', LeaderRequest, LeaderResponse],
  resign: ['/v3electionpb.Election/Resign', ResignRequest, ResignResponse],
  observe: ['/v3electionpb.Election/Observe', LeaderRequest, LeaderResponse],
} as const

interface Requests {
  readonly lock: LockRequest
  readonly unlock: UnlockRequest
  readonly campaign: CampaignRequest
  readonly proclaim: ProclaimRequest
  readonly leader: LeaderRequest
  readonly resign: ResignRequest
  readonly observe: LeaderRequest
}

/** A call that may still be waiting. */
interface Asked {
  readonly raw: RawCall
  readonly answer: Promise<unknown>
}

/** One of the two servers, and what was seen there. */
class Side {
  readonly client: RpcClient
  readonly seen: unknown[] = []

  constructor(url: string) {
    this.client = new RpcClient(url)
  }

  ask<Name extends keyof Requests>(
    name: Name,
    fields: Partial<Requests[Name]>,
    headers: Readonly<Record<string, string>> = this.client.headers,
  ): Asked {
    const [path, request, response] = methods[name] as unknown as readonly [
      string,
      {
        fromPartial(fields: Partial<Requests[Name]>): unknown
        encode(request: unknown): { finish(): Uint8Array }
      },
      { decode(bytes: Uint8Array): unknown },
    ]
    const raw = this.client.raw.open(path, headers)
    raw.end(framed(request.encode(request.fromPartial(fields)).finish()))
    const answer = raw.answer.then(({ code, text, messages }) => ({
      code,
      text,
      messages: messages.map((message) => readable(response.decode(message))),
    }))
    return { raw, answer }
  }

  /** Asks, waits, and notes the answer. */
  async see<Name extends keyof Requests>(
    name: Name,
    fields: Partial<Requests[Name]>,
  ): Promise<void> {
    this.note(name, await this.ask(name, fields).answer)
  }

  note(what: string, answer: unknown): void {
    this.seen.push([what, answer])
  }

  async grant(...ids: bigint[]): Promise<void> {
    for (const ID of ids) await this.client.must('leaseGrant', { ID, TTL: 600n })
  }

  async revoke(ID: bigint): Promise<void> {
    await this.client.must('leaseRevoke', { ID })
  }

  /** Waits until the keys below a name are these. */
  async untilKeys(prefix: string, keys: readonly string[]): Promise<void> {
    await expect.poll(() => this.keysBelow(prefix), { timeout: 20_000 }).toEqual(keys)
  }

  async noteKeys(prefix: string): Promise<void> {
    const { kvs } = await this.client.must('range', {
      key: bytes(prefix),
      rangeEnd: bytes(`${prefix}\u007f`),
    })
    this.note(`keys of ${prefix}`, readable(kvs))
  }

  private async keysBelow(prefix: string): Promise<string[]> {
    const { kvs } = await this.client.must('range', {
      key: bytes(prefix),
      rangeEnd: bytes(`${prefix}\u007f`),
    })
    return kvs
      .toSorted((left, right) => Number(left.createRevision - right.createRevision))
      .map(({ key }) => Buffer.from(key).toString())
  }
}

let pair: ServerPair
const sides: Side[] = []

beforeAll(async () => {
  pair = await ServerPair.start({ etcdProgram: newerEtcd(), flags: ['--bcrypt-cost=4'] })
  sides.push(new Side(pair.etcd.clientUrl), new Side(pair.quorate.clientUrl))
}, 120_000)

afterAll(async () => {
  for (const { client } of sides) client.close()
  await pair.dispose()
})

/** Plays the same on both at the same time, and expects that the same was seen. */
async function alike(play: (side: Side) => Promise<void>): Promise<unknown[]> {
  await Promise.all(
    sides.map((side) => {
      side.seen.length = 0
      return play(side)
    }),
  )
  const [etcd, quorate] = sides
  noteComparisons('lock and election', etcd?.seen.length ?? 0)
  expect(quorate?.seen).toEqual(etcd?.seen)
  return quorate?.seen ?? []
}

const name = (text: string): { readonly name: Uint8Array } => ({ name: bytes(text) })

describe('a lock', () => {
  test('is taken, taken again with the same lease, and given back more than once', async () => {
    await alike(async (side) => {
      await side.grant(0x1an, -5n)
      await side.see('lock', { ...name('plain'), lease: 0x1an })
      await side.see('lock', { ...name('plain'), lease: 0x1an })
      await side.noteKeys('plain/')
      await side.see('unlock', { key: bytes('plain/1a') })
      await side.see('unlock', { key: bytes('plain/1a') })
      await side.see('lock', { ...name('plain'), lease: -5n })
      await side.see('lock', { ...name(''), lease: 0x1an })
      await side.see('lock', { name: Uint8Array.of(0xff, 0, 0x80), lease: 0x1an })
      await side.noteKeys('/')
      await side.noteKeys('plain/')
    })
  })

  test('without a lease gets one of a minute', async () => {
    const seen = await alike(async (side) => {
      const { raw, answer } = side.ask('lock', name('own'))
      await answer
      const [message] = (await raw.answer).messages
      const key = Buffer.from(LockResponse.decode(message ?? new Uint8Array()).key).toString()
      const ID = BigInt(`0x${key.slice('own/'.length)}`)
      const { grantedTTL, keys } = await side.client.must('leaseTimeToLive', { ID, keys: true })
      side.note('lease', { grantedTTL, isOfKey: Buffer.from(keys[0] ?? []).toString() === key })
      await side.revoke(ID)
    })
    expect(seen).toEqual([['lease', { grantedTTL: 60n, isOfKey: true }]])
  })

  test('is refused with a lease that is not there, and without a key', async () => {
    const seen = await alike(async (side) => {
      await side.see('lock', { ...name('x'), lease: 999n })
      await side.see('unlock', {})
      await side.see('campaign', { ...name('x'), lease: 999n })
      for (const [path] of Object.values(methods)) {
        const { code, text } = await side.client.raw.call(path, undefined)
        side.note(`${path} without a message`, { code, text })
      }
    })
    expect(seen).toMatchObject([
      ['lock', { code: 2, text: 'etcdserver: requested lease not found' }],
      ['unlock', { code: 2, text: 'etcdserver: key is not provided' }],
      ['campaign', { code: 2 }],
      ...Object.values(methods).map(([path]) => [`${path} without a message`, {}]),
    ])
  })

  test('goes to those who wait in the order in which they came', async () => {
    await alike(async (side) => {
      await side.grant(0x31n, 0x32n, 0x33n, 0x34n)
      const order: string[] = []
      const calls: Promise<unknown>[] = []
      const keys: string[] = []
      for (const lease of [0x34n, 0x31n, 0x33n, 0x32n]) {
        const key = `queue/${lease.toString(16)}`
        calls.push(
          side.ask('lock', { ...name('queue'), lease }).answer.then((answer) => {
            order.push(key)
            return answer
          }),
        )
        keys.push(key)
        await side.untilKeys('queue/', keys)
      }
      for (const [position, key] of keys.entries()) {
        side.note(`lock ${key}`, await calls[position])
        side.note('holders so far', [...order])
        await side.see('unlock', { key: bytes(key) })
      }
    })
  })

  test('is not given to one who waits no more: its key is gone, and the next one follows', async () => {
    await alike(async (side) => {
      await side.grant(0x41n, 0x42n, 0x43n, 0x44n)
      await side.see('lock', { ...name('left'), lease: 0x41n })
      const impatient = side.ask('lock', { ...name('left'), lease: 0x42n })
      await side.untilKeys('left/', ['left/41', 'left/42'])
      const late = side.ask('lock', { ...name('left'), lease: 0x43n }, { 'grpc-timeout': '400m' })
      await side.untilKeys('left/', ['left/41', 'left/42', 'left/43'])
      const patient = side.ask('lock', { ...name('left'), lease: 0x44n })
      await side.untilKeys('left/', ['left/41', 'left/42', 'left/43', 'left/44'])
      impatient.raw.cancel()
      await late.answer
      await side.untilKeys('left/', ['left/41', 'left/44'])
      await side.client.must('leaseRevoke', { ID: 0x41n })
      const answer = (await patient.answer) as { readonly code: number }
      // The revision depends on which of the two was taken back first, and so does not differ.
      side.note('patient', answer)
      await side.noteKeys('left/')
    })
  })

  test('is lost by one whose lease ends while it waits, which it learns when its turn comes', async () => {
    const seen = await alike(async (side) => {
      await side.grant(0x51n, 0x53n)
      await side.client.must('leaseGrant', { ID: 0x52n, TTL: 2n })
      await side.see('lock', { ...name('lost'), lease: 0x51n })
      const dying = side.ask('lock', { ...name('lost'), lease: 0x52n })
      await side.untilKeys('lost/', ['lost/51', 'lost/52'])
      const next = side.ask('lock', { ...name('lost'), lease: 0x53n })
      await side.untilKeys('lost/', ['lost/51', 'lost/52', 'lost/53'])
      await side.untilKeys('lost/', ['lost/51', 'lost/53'])
      await side.see('unlock', { key: bytes('lost/51') })
      side.note('dying', await dying.answer)
      side.note('next', await next.answer)
    })
    expect(seen).toContainEqual([
      'dying',
      { code: 2, text: 'mutex: session is expired', messages: [] },
    ])
  })
})

describe('an election', () => {
  test('is won, proclaimed, led and resigned by its winner', async () => {
    await alike(async (side) => {
      await side.grant(0x61n, 0x62n)
      await side.see('leader', name('e'))
      await side.see('campaign', { ...name('e'), lease: 0x61n, value: bytes('one') })
      await side.see('leader', name('e'))
      await side.see('campaign', { ...name('e'), lease: 0x61n, value: bytes('one') })
      await side.see('campaign', { ...name('e'), lease: 0x61n, value: bytes('two') })
      const leader = await leaderOf(side, 'e')
      await side.see('proclaim', { leader, value: bytes('three') })
      await side.see('proclaim', { leader: { ...leader, lease: 0x62n }, value: bytes('four') })
      await side.noteKeys('e/')
      await side.see('proclaim', { leader: { ...leader, lease: 998n }, value: bytes('five') })
      await side.see('resign', { leader })
      await side.see('resign', { leader })
      await side.see('leader', name('e'))
      await side.see('proclaim', { leader, value: bytes('six') })
    })
  })

  test('is not touched by whoever does not lead', async () => {
    const seen = await alike(async (side) => {
      await side.grant(0x71n, 0x72n)
      await side.see('campaign', { ...name('f'), lease: 0x71n, value: bytes('one') })
      const leader = await leaderOf(side, 'f')
      for (const other of [
        { ...leader, rev: leader.rev + 1n },
        { ...leader, key: bytes('f/72'), lease: 0x72n },
        { ...leader, key: new Uint8Array() },
      ]) {
        await side.see('proclaim', { leader: other, value: bytes('two') })
        await side.see('resign', { leader: other })
      }
      await side.see('proclaim', { value: bytes('two') })
      await side.see('resign', {})
      await side.see('leader', name('f'))
      // At revision 0 a key that is not there matches.
      const absent = { ...leader, key: bytes('f/absent'), rev: 0n }
      await side.see('resign', { leader: absent })
      await side.see('proclaim', { leader: absent, value: bytes('new') })
      await side.noteKeys('f/')
    })
    expect(seen).toContainEqual([
      'proclaim',
      { code: 2, text: 'election: not leader', messages: [] },
    ])
  })

  test('whose leader brings no lease puts with one of a minute', async () => {
    await alike(async (side) => {
      await side.grant(0x75n)
      await side.see('campaign', { ...name('g'), lease: 0x75n, value: bytes('one') })
      const leader = await leaderOf(side, 'g')
      await side.see('proclaim', { leader: { ...leader, lease: 0n }, value: bytes('two') })
      const { kvs } = await side.client.must('range', { key: leader.key })
      const ID = kvs[0]?.lease ?? 0n
      const { grantedTTL } = await side.client.must('leaseTimeToLive', { ID })
      side.note('lease', { isOther: ID !== 0x75n, grantedTTL })
      await side.see('resign', { leader: { ...leader, lease: 0n } })
    })
  })

  test('goes on to the next candidate, past one who gave up', async () => {
    await alike(async (side) => {
      await side.grant(0x81n, 0x82n, 0x83n)
      await side.see('campaign', { ...name('h'), lease: 0x81n, value: bytes('one') })
      const impatient = side.ask('campaign', { ...name('h'), lease: 0x82n, value: bytes('two') })
      await side.untilKeys('h/', ['h/81', 'h/82'])
      const patient = side.ask('campaign', { ...name('h'), lease: 0x83n, value: bytes('three') })
      await side.untilKeys('h/', ['h/81', 'h/82', 'h/83'])
      impatient.raw.cancel()
      await side.untilKeys('h/', ['h/81', 'h/83'])
      await side.see('resign', { leader: await leaderOf(side, 'h') })
      side.note('patient', await patient.answer)
      await side.see('leader', name('h'))
    })
  })

  test('is observed: first the one who leads, then each value and each change of leader', async () => {
    const seen = await alike(async (side) => {
      await side.grant(0x91n, 0x92n)
      const early = side.ask('observe', name('o'))
      await side.see('campaign', { ...name('o'), lease: 0x91n, value: bytes('a1') })
      side.note('early sees', await nextLeader(early))
      const late = side.ask('observe', name('o'))
      side.note('late sees', await nextLeader(late))
      const both = async (): Promise<void> => {
        for (const call of [early, late]) side.note('seen', await nextLeader(call))
      }
      const first = await leaderOf(side, 'o')
      await side.see('proclaim', { leader: first, value: bytes('a2') })
      await both()
      const waiting = side.ask('campaign', { ...name('o'), lease: 0x92n, value: bytes('b1') })
      await side.untilKeys('o/', ['o/91', 'o/92'])
      await side.client.must('put', { key: bytes('o/91'), value: bytes('a3') })
      await both()
      await side.see('resign', { leader: first })
      side.note('second leads', await waiting.answer)
      await both()
      await side.revoke(0x92n)
      await side.grant(0x93n)
      await side.see('campaign', { ...name('o'), lease: 0x93n, value: bytes('c1') })
      await both()
      for (const { raw } of [early, late]) raw.cancel()
    })
    expect(seen.length).toBeGreaterThan(12)
  })
})

describe('through the gateway', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')

  test('all of it is there in JSON', async () => {
    const seen = await alike(async (side) => {
      await side.grant(0xa1n)
      const server = side === sides[0] ? pair.etcd : pair.quorate
      const url = server.clientUrl
      const post = async (path: string, body: object): Promise<void> => {
        const response = await fetch(url + path, { method: 'POST', body: JSON.stringify(body) })
        const answer = comparableJson(JSON.parse(await response.text()), server)
        side.note(path, { status: response.status, answer })
      }
      await post('/v3/lock/lock', { name: base64('j'), lease: '161' })
      await post('/v3/lock/unlock', { key: base64('j/a1') })
      await post('/v3/lock/lock', { name: base64('j'), lease: 77 })
      await post('/v3/election/leader', { name: base64('j') })
      await post('/v3/election/campaign', { name: base64('j'), lease: 161, value: base64('v') })
      await post('/v3/election/leader', { name: base64('j') })
      await post('/v3/election/proclaim', { value: base64('w') })
      await post('/v3/election/resign', { leader: { key: base64('j/a1'), rev: 1 } })
      await post('/v3/election/proclaim', { leader: { key: base64('j/a1'), rev: 1, lease: 161 } })
      const aborted = new AbortController()
      const observing = await fetch(`${url}/v3/election/observe`, {
        method: 'POST',
        body: JSON.stringify({ name: base64('j') }),
        signal: aborted.signal,
      })
      const reader = observing.body?.getReader()
      const line = Buffer.from((await reader?.read())?.value ?? []).toString()
      side.note('observed', (JSON.parse(line) as { result: { kv: unknown } }).result.kv)
      aborted.abort()
    })
    expect(seen).toContainEqual([
      '/v3/election/proclaim',
      {
        status: 500,
        answer: expect.objectContaining({ code: 2, message: 'election: not leader' }) as object,
      },
    ])
  })
})

describe('while users are checked', () => {
  test('every step is made in the name of the caller', async () => {
    const seen = await alike(async (side) => {
      const { client } = side
      await side.grant(0xb1n, 0xb2n)
      await client.must('roleAdd', { name: 'root' })
      await client.must('userAdd', { name: 'root', password: 'r' })
      await client.must('userGrantRole', { user: 'root', role: 'root' })
      await client.must('roleAdd', { name: 'locker' })
      await client.must('roleGrantPermission', {
        name: 'locker',
        perm: { permType: 2, key: bytes('mine/'), rangeEnd: bytes('mine0') },
      })
      await client.must('userAdd', { name: 'u', password: 'u' })
      await client.must('userGrantRole', { user: 'u', role: 'locker' })
      await client.must('authEnable')
      const leader = { ...name('mine'), key: bytes('mine/b1'), rev: 1n, lease: 0xb1n }
      const askAll = async (prefix: string): Promise<void> => {
        await side.see('lock', { ...name(prefix), lease: 0xb1n })
        await side.see('unlock', { key: bytes(`${prefix}/b1`) })
        await side.see('campaign', { ...name(prefix), lease: 0xb1n, value: bytes('v') })
        await side.see('leader', name(prefix))
        await side.see('proclaim', { leader, value: bytes('w') })
        const observing = side.ask('observe', name(prefix))
        const first = await observing.raw.next()
        if (first === undefined) side.note('observe', await observing.answer)
        observing.raw.cancel()
        await side.see('resign', { leader })
      }
      await askAll('mine')
      await side.see('lock', name('mine'))
      client.token = 'wrong.1'
      await askAll('mine')
      client.token = (await authenticate(side, 'u')).token
      await askAll('mine')
      await askAll('others')
      client.token = (await authenticate(side, 'root')).token
      await askAll('others')
      await client.must('authDisable')
      client.token = undefined
    })
    expect(seen).toContainEqual(['observe', { code: 0, text: '', messages: [] }])
  })
})

async function authenticate(side: Side, user: string): Promise<{ readonly token: string }> {
  side.client.token = undefined
  return side.client.must('authenticate', { name: user, password: user[0] ?? '' })
}

async function leaderOf(
  side: Side,
  election: string,
): Promise<{ name: Uint8Array; key: Uint8Array; rev: bigint; lease: bigint }> {
  const { kvs } = await side.client.must('range', {
    key: bytes(`${election}/`),
    rangeEnd: bytes(`${election}0`),
    limit: 1n,
    sortOrder: 1,
    sortTarget: 2,
  })
  const [kv] = kvs
  if (kv === undefined) throw new Error(`nobody leads ${election}`)
  return { name: bytes(election), key: kv.key, rev: kv.createRevision, lease: kv.lease }
}

async function nextLeader({ raw }: Asked): Promise<unknown> {
  return readable(LeaderResponse.decode((await raw.next()) ?? new Uint8Array()))
}
