/**
 * Every node of three is restarted, one after the other, while a lock is held and waited for, a lease kept alive, keys are
 * watched and written, a learner is added, and users are checked: nothing is lost. First in order, then by SIGKILL.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LockRequest, LockResponse } from '../../src/core/proto/gen/lock.ts'
import { Event_EventType } from '../../src/core/proto/gen/kv.ts'
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  WatchRequest,
  WatchResponse,
} from '../../src/core/proto/gen/rpc.ts'
import { QuoratedCluster, QuoratedMember } from '../helpers/quorated.ts'
import { framed } from '../helpers/raw-grpc.ts'
import { freePorts } from '../helpers/real-etcd.ts'
import {
  RpcClient,
  type MethodName,
  type RequestOf,
  type ResponseOf,
} from '../helpers/rpc-client.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const flags = ['--heartbeat-interval=50', '--election-timeout=500', '--bcrypt-cost=4']
const password = 'secret'
const invalidToken = 'etcdserver: invalid auth token'
/** Far above what anything here takes. */
const patienceMs = 60_000
/** Shorter than a round of restarts: a lease that is not renewed ends before its end. */
const ttlSeconds = 3n

interface Outcome<Result> {
  readonly code: number
  readonly text: string
  readonly result: Result | undefined
}

/** A client with one connection at a time: it goes to the next node when one does not answer, and logs in again there. */
class RoamingClient {
  private readonly urls: readonly string[]
  private position: number
  private current: RpcClient | undefined
  /** Logins after the first one. */
  loginCount = 0

  constructor(urls: readonly string[], position: number) {
    this.urls = urls
    this.position = position
  }

  get url(): string {
    return this.urls[this.position % this.urls.length] ?? ''
  }

  /** Asks until one node answers with success, or with a refusal that is not one of passing trouble. */
  async must<Name extends MethodName>(
    name: Name,
    fields: Partial<RequestOf<Name>> = {},
  ): Promise<ResponseOf<Name>> {
    return this.insist(async (client) => {
      const { code, text, response } = await client.call(name, fields, limited(client))
      return { code, text, result: response }
    })
  }

  /** Does something with the node in turn until it comes to an end. */
  async insist<Result>(ask: (client: RpcClient) => Promise<Outcome<Result>>): Promise<Result> {
    const endsAtMs = performance.now() + patienceMs
    for (;;) {
      const { code, text, result } = await this.attempt(ask)
      if (code === 0 && result !== undefined) return result
      if (performance.now() > endsAtMs) throw new Error(`no success for too long: ${code} ${text}`)
      if (text.includes(invalidToken)) this.forget()
      else if (isPassing(code, text)) this.moveOn()
      else throw new Error(`${code} ${text}`)
      await sleep(20)
    }
  }

  moveOn(): void {
    this.forget()
    this.position++
  }

  forget(): void {
    this.current?.close()
    this.current = undefined
  }

  private async attempt<Result>(
    ask: (client: RpcClient) => Promise<Outcome<Result>>,
  ): Promise<Outcome<Result>> {
    try {
      this.current ??= await this.logIn()
      return await ask(this.current)
    } catch (error) {
      // The connection is gone, or there is none.
      return { code: 14, text: String(error), result: undefined }
    }
  }

  private async logIn(): Promise<RpcClient> {
    const client = new RpcClient(this.url)
    const { response } = await client.call(
      'authenticate',
      { name: 'root', password },
      limited(client),
    )
    if (response === undefined) {
      client.close()
      throw new Error('no login')
    }
    this.loginCount++
    client.token = response.token
    return client
  }
}

/** No leader, a node on its way out, a time limit, a connection that broke. */
function isPassing(code: number, text: string): boolean {
  return code === 14 || code === 4 || code === 1 || code === -1 || text.includes('server stopped')
}

const limited = (client: RpcClient): Record<string, string> => ({
  ...client.headers,
  'grpc-timeout': '1500m',
})

/** What goes on until it is told to stop; its failure is the test's. */
class Activity {
  readonly finished: Promise<void>
  private hasStopped = false

  constructor(run: (isGoingOn: () => boolean) => Promise<void>) {
    this.finished = run(() => !this.hasStopped)
    this.finished.catch(() => undefined)
  }

  async stop(): Promise<void> {
    this.hasStopped = true
    await this.finished
  }
}

let cluster: QuoratedCluster
let learner: QuoratedMember
let urls: readonly string[]
const clients: RoamingClient[] = []

function roam(position = clients.length): RoamingClient {
  const client = new RoamingClient(urls, position)
  clients.push(client)
  return client
}

beforeAll(async () => {
  cluster = await QuoratedCluster.start(3, flags)
  urls = cluster.clientUrls
  const first = new RpcClient(urls[0] ?? '')
  await first.must('userAdd', { name: 'root', password })
  await first.must('roleAdd', { name: 'root' })
  await first.must('userGrantRole', { user: 'root', role: 'root' })
  await first.must('authEnable')
  first.close()
  const [clientPort, peerPort] = await freePorts(2)
  const peerUrl = `http://127.0.0.1:${String(peerPort)}`
  const others = cluster.members.map((member) => `${member.name}=${member.peerUrl}`)
  learner = new QuoratedMember(
    {
      name: 'learner',
      clientUrl: `http://127.0.0.1:${String(clientPort)}`,
      peerUrl,
      dataDirectory: `${cluster.folder}/learner`,
    },
    [
      `--initial-cluster=${[...others, `learner=${peerUrl}`].join()}`,
      '--initial-cluster-state=existing',
      ...flags,
    ],
  )
})

afterAll(async () => {
  for (const client of clients) client.forget()
  await learner.kill()
  await cluster.dispose()
})

/** Renews a lease four times in its time. */
function keepAlive(ID: bigint): Activity {
  const client = roam()
  return new Activity(async (isGoingOn) => {
    while (isGoingOn()) {
      const { TTL } = await client.insist(async (connection) => {
        const answer = await connection.raw.call(
          '/etcdserverpb.Lease/LeaseKeepAlive',
          framed(LeaseKeepAliveRequest.encode({ ID }).finish()),
          limited(connection),
        )
        const [message] = answer.messages
        return {
          ...answer,
          result: message === undefined ? undefined : LeaseKeepAliveResponse.decode(message),
        }
      })
      expect(TTL, 'seconds of a lease that is kept alive').toBe(ttlSeconds)
      await sleep(500)
    }
  })
}

/** Asks for a lock until it is given. @returns the key */
async function lock(name: string, lease: bigint): Promise<Uint8Array> {
  const client = roam()
  return client.insist(async (connection) => {
    const answer = await connection.raw.call(
      '/v3lockpb.Lock/Lock',
      framed(LockRequest.encode({ name: bytes(name), lease }).finish()),
      connection.headers,
    )
    const [message] = answer.messages
    // A call that broke may have been taken back only after it was made again.
    const code = answer.text === 'mutex: session is expired' ? 14 : answer.code
    return { ...answer, code, result: message && LockResponse.decode(message).key }
  })
}

/** Writes keys one after the other, each only as long as the lock's key is the one that was given. */
function writeGuarded(
  lockKey: Uint8Array,
  createRevision: bigint,
  acknowledged: string[],
): Activity {
  const client = roam()
  return new Activity(async (isGoingOn) => {
    for (let count = 0; isGoingOn(); count++) {
      const key = `written/${String(acknowledged.length)}`
      const { succeeded } = await client.must('txn', {
        compare: [
          {
            key: lockKey,
            rangeEnd: new Uint8Array(),
            target: Compare_CompareTarget.CREATE,
            result: Compare_CompareResult.EQUAL,
            targetUnion: { $case: 'createRevision', value: createRevision },
          },
        ],
        success: [
          {
            request: {
              $case: 'requestPut',
              value: {
                key: bytes(key),
                value: bytes(String(count)),
                lease: 0n,
                prevKv: false,
                ignoreValue: false,
                ignoreLease: false,
              },
            },
          },
        ],
      })
      expect(succeeded, 'the lock is still held').toBe(true)
      acknowledged.push(key)
      await sleep(5)
    }
  })
}

interface SeenEvent {
  readonly isPut: boolean
  readonly key: string
  readonly revision: number
}

/** Watches the written keys over however many streams it takes, each beginning behind what was seen. */
function watchWritten(seen: SeenEvent[], startRevision: bigint): Activity {
  const client = roam()
  return new Activity(async (isGoingOn) => {
    let next = startRevision
    while (isGoingOn()) {
      await client.insist(async (connection) => {
        const call = connection.raw.open('/etcdserverpb.Watch/Watch', connection.headers)
        const wish = WatchRequest.fromPartial({
          requestUnion: {
            $case: 'createRequest',
            value: { key: bytes('written/'), rangeEnd: bytes('written0'), startRevision: next },
          },
        })
        call.send(WatchRequest.encode(wish).finish())
        let coming = call.next()
        while (isGoingOn()) {
          const message = await Promise.race([coming, sleep(200, 'nothing' as const)])
          if (message === 'nothing') continue
          coming = call.next()
          if (message === undefined) return { ...(await call.answer), code: 14, result: undefined }
          const { events, canceled, cancelReason } = WatchResponse.decode(message)
          if (canceled) {
            call.cancel()
            return { code: 14, text: cancelReason, result: undefined }
          }
          for (const { type, kv } of events) {
            const revision = kv?.modRevision ?? 0n
            const key = Buffer.from(kv?.key ?? []).toString()
            seen.push({ isPut: type === Event_EventType.PUT, key, revision: Number(revision) })
            next = revision + 1n
          }
        }
        call.cancel()
        return { code: 0, text: '', result: true }
      })
    }
  })
}

/** Logs in at one node. @returns the answer of that node to the same token later */
async function tokenAt(url: string): Promise<() => Promise<string>> {
  const client = new RpcClient(url)
  const { token } = await client.must('authenticate', { name: 'root', password })
  client.close()
  return async () => {
    const later = new RpcClient(url, token)
    const { text } = await later.call('range', { key: bytes('x') })
    later.close()
    return text
  }
}

/** What has to outlive the restarts, and goes on meanwhile. */
class Life {
  readonly acknowledged: string[] = []
  readonly seen: SeenEvent[] = []
  hasNextHolder = false
  private readonly client = roam()
  private readonly leases: readonly [bigint, bigint]
  private readonly activities: Activity[] = []
  private lockKey: Uint8Array = new Uint8Array()
  private nextHolder: Promise<Uint8Array> | undefined
  private born: readonly string[] = []

  constructor(leases: readonly [bigint, bigint]) {
    this.leases = leases
  }

  async begin(): Promise<void> {
    const [holder, waiter] = this.leases
    for (const ID of this.leases) {
      await this.client.must('leaseGrant', { ID, TTL: ttlSeconds })
      this.activities.push(keepAlive(ID))
    }
    await this.client.must('put', { key: bytes('session'), value: bytes('here'), lease: holder })
    this.lockKey = await lock('job', holder)
    this.nextHolder = lock('job', waiter).then((key) => {
      this.hasNextHolder = true
      return key
    })
    await expect.poll(() => this.lockKeys(), { timeout: patienceMs }).toHaveLength(2)
    this.born = await this.bornAt()
    const { header, kvs } = await this.client.must('range', { key: this.lockKey })
    this.activities.push(
      watchWritten(this.seen, (header?.revision ?? 0n) + 1n),
      writeGuarded(this.lockKey, kvs[0]?.createRevision ?? 0n, this.acknowledged),
    )
    await this.goesOn()
  }

  /** Resolves when more was written. */
  async goesOn(): Promise<void> {
    const count = this.acknowledged.length
    await Promise.race([
      expect
        .poll(() => this.acknowledged.length, { timeout: patienceMs })
        .toBeGreaterThan(count + 3),
      // One that failed tells why.
      ...this.activities.map(({ finished }) => finished),
    ])
  }

  /** Everything that was there is there, everything that was acknowledged, and everything was seen, once and in order. */
  async judge(): Promise<void> {
    const [keepHolder, keepWaiter, watching, writing] = this.activities
    await writing?.stop()
    const { kvs } = await this.client.must('range', {
      key: bytes('written/'),
      rangeEnd: bytes('written0'),
    })
    const written = new Set(kvs.map(({ key }) => Buffer.from(key).toString()))
    expect(this.acknowledged.filter((key) => !written.has(key))).toEqual([])
    // One whose answer was lost may have been written twice, and is then seen twice.
    const lastRevision = kvs.reduce(
      (last, { modRevision }) => Math.max(last, Number(modRevision)),
      0,
    )
    await expect.poll(() => this.seen.at(-1)?.revision, { timeout: patienceMs }).toBe(lastRevision)
    await watching?.stop()
    const revisions = this.seen.map(({ revision }) => revision)
    expect(revisions).toEqual([...new Set(revisions)].sort((left, right) => left - right))
    expect(this.seen.every(({ isPut }) => isPut)).toBe(true)
    expect(this.seen).toHaveLength(kvs.reduce((total, { version }) => total + Number(version), 0))
    expect(await this.bornAt()).toEqual(this.born)
    expect(this.hasNextHolder).toBe(false)
    await this.client.must('deleteRange', { key: this.lockKey })
    expect(Buffer.from((await this.nextHolder) ?? []).toString()).toBe(
      `job/${this.leases[1].toString(16)}`,
    )
    for (const activity of [keepHolder, keepWaiter]) await activity?.stop()
    for (const ID of this.leases) await this.client.must('leaseRevoke', { ID })
    await this.client.must('deleteRange', { key: bytes('written/'), rangeEnd: bytes('written0') })
  }

  private async lockKeys(): Promise<readonly string[]> {
    const { kvs } = await this.client.must('range', { key: bytes('job/'), rangeEnd: bytes('job0') })
    return kvs.map(({ key }) => Buffer.from(key).toString())
  }

  /** Revisions at which the keys that must not end were created. */
  private async bornAt(): Promise<readonly string[]> {
    const born: string[] = []
    for (const key of [bytes('session'), this.lockKey]) {
      const { kvs } = await this.client.must('range', { key })
      born.push(String(kvs[0]?.createRevision))
    }
    return born
  }
}

test('in order, while a learner is added', async () => {
  const life = new Life([0x11n, 0x12n])
  await life.begin()
  const client = roam()
  const { member } = await client.must('memberAdd', {
    peerURLs: [learner.peerUrl],
    isLearner: true,
  })
  const joining = learner.start()
  for (const restarted of cluster.members) {
    const askAgain = await tokenAt(restarted.clientUrl)
    expect(await askAgain()).toBe('')
    await restarted.stop()
    await life.goesOn()
    await restarted.start()
    // As with etcd, simple tokens live in memory.
    expect(await askAgain()).toBe(invalidToken)
    await life.goesOn()
  }
  await joining
  const promote = async (): Promise<string> => {
    const connection = new RpcClient(client.url)
    try {
      const { token } = await connection.must('authenticate', { name: 'root', password })
      connection.token = token
      return (await connection.call('memberPromote', { ID: member?.ID ?? 0n })).text
    } finally {
      connection.close()
    }
  }
  await expect.poll(promote, { timeout: patienceMs }).toBe('')
  await life.judge()
  const { members } = await client.must('memberList')
  expect(members.map(({ name, isLearner }) => ({ name, isLearner }))).toEqual(
    expect.arrayContaining(
      ['node1', 'node2', 'node3', 'learner'].map((name) => ({ name, isLearner: false })),
    ),
  )
})

test('by SIGKILL', async () => {
  const life = new Life([0x21n, 0x22n])
  await life.begin()
  for (const member of cluster.members) {
    await member.kill()
    await life.goesOn()
    await member.start()
    await life.goesOn()
  }
  await life.judge()
})
