/** The Lock and Election services of nodes in this process: who holds, whatever happens to those who wait, lead or read. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CancelSource } from '../../src/core/base/cancellation.ts'
import { noNode } from '../../src/core/base/ids.ts'
import { silentLogger } from '../../src/core/base/logger.ts'
import type { StoreErrorCode } from '../../src/core/errors/error-table.ts'
import { StoreError } from '../../src/core/errors/store-error.ts'
import { callerOf } from '../../src/core/node/caller.ts'
import type { StoredKeyValue } from '../../src/core/node/node-surface.ts'
import type { StoreNode } from '../../src/core/node/store-node.ts'
import { LeaderRequest, LeaderResponse } from '../../src/core/proto/gen/election.ts'
import { LockRequest, LockResponse } from '../../src/core/proto/gen/lock.ts'
import {
  AuthRoleAddRequest,
  AuthUserAddRequest,
  AuthUserGrantRoleRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../../src/core/proto/gen/rpc.ts'
import { electionService } from '../../src/core/rpc/election-service.ts'
import { isCreatedAt, putOf } from '../../src/core/rpc/inner-client.ts'
import { lockService } from '../../src/core/rpc/lock-service.ts'
import { ResponseHeaders } from '../../src/core/rpc/response-header.ts'
import {
  plainClient,
  type RpcMethod,
  type StreamCall,
  type UnaryExchange,
} from '../../src/core/rpc/rpc-call.ts'
import { statusOfError } from '../../src/core/rpc/status-mapping.ts'
import { bytes, NodeFixture, text } from '../helpers/node-fixture.ts'
import { splitFrames } from '../helpers/raw-grpc.ts'

const options = { logger: silentLogger, txnOperationCountMax: 128 }

function methodOf(services: ReadonlyMap<string, RpcMethod>, name: string): RpcMethod {
  const method = services.get(name)
  if (method === undefined) throw new Error(`there is no ${name}`)
  return method
}

/** A call of one answer. */
class Exchange extends CancelSource implements UnaryExchange {
  readonly client = plainClient
  requester: UnaryExchange['requester']
  token: string | undefined
  readonly answer: Promise<LockResponse>
  private resolve: (answer: LockResponse) => void = () => undefined
  private reject: (error: Error) => void = () => undefined

  constructor() {
    super()
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.answer.catch(() => undefined)
  }

  findMetadata(key: string): string | undefined {
    return key === 'token' ? this.token : undefined
  }

  succeed(frame: Uint8Array): void {
    this.resolve(LockResponse.decode(frame.subarray(5)))
  }

  fail(error: unknown): void {
    this.reject(new Error(statusOfError(error).message))
  }
}

function lock(node: StoreNode, lease: bigint, token?: string): Exchange {
  const method = methodOf(lockService(node, new ResponseHeaders(node), options), 'Lock')
  if (method.kind !== 'unary') throw new Error('Lock is unary')
  const exchange = new Exchange()
  exchange.token = token
  method.handle(LockRequest.encode({ name: bytes('job'), lease }).finish(), exchange)
  return exchange
}

async function lockKeys(node: StoreNode): Promise<string[]> {
  const request = RangeRequest.fromPartial({ key: bytes('job/'), rangeEnd: bytes('job0') })
  // In root's name, where names are asked for.
  const cancellation = callerOf(node.auth.rootInfo)
  const { keyValues } = await node.range(request, { cancellation })
  return keyValues.map(({ key }) => text(key))
}

const unlock = (node: StoreNode, key: Uint8Array): Promise<unknown> =>
  node.deleteRange(DeleteRangeRequest.fromPartial({ key }))

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('three nodes', () => {
  let fixture: NodeFixture

  beforeAll(async () => {
    fixture = new NodeFixture(3, { requestTimeoutMs: 1_000 })
    await fixture.startAll()
  })

  afterAll(async () => {
    await fixture.dispose()
  })

  /** What the contenders did. */
  interface Deeds {
    /** Numbers that were written for certain, and those that may have been. */
    countedCount: number
    uncertainCount: number
    /** Attempts of those who had lost their lease. */
    refusedCount: number
  }

  const anyNode = (): StoreNode => {
    const { running } = fixture
    const node = running[Math.floor(Math.random() * running.length)]
    if (node === undefined) throw new Error('nobody runs')
    return node
  }

  /** While leaders change some requests get lost; what may be done twice is done again, unless its effect is there. */
  async function again<Result>(
    ask: (node: StoreNode) => Promise<Result>,
    done?: StoreErrorCode,
  ): Promise<Result | undefined> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await ask(anyNode())
      } catch (error) {
        if (!(error instanceof StoreError) || attempt > 50) throw error
        if (error.code === done) return undefined
      }
    }
  }

  const revoke = (id: bigint): Promise<unknown> =>
    again((node) => node.leases.revoke(id), 'leaseNotFound')

  async function read(key: Uint8Array): Promise<StoredKeyValue | undefined> {
    const result = await again((node) => node.range(RangeRequest.fromPartial({ key })))
    return result?.keyValues[0]
  }

  /** Reads the counter and writes the next number, if the key of the lock is still the one that was given. */
  async function count(key: Uint8Array, createRevision: bigint, deeds: Deeds): Promise<boolean> {
    const value = Number(text((await read(bytes('counter')))?.value ?? bytes('0')))
    const request = TxnRequest.fromPartial({
      compare: [isCreatedAt(key, createRevision)],
      success: [putOf({ key: bytes('counter'), value: bytes(String(value + 1)) })],
    })
    try {
      const { hasSucceeded } = await anyNode().txn(request)
      if (hasSucceeded) deeds.countedCount++
      return hasSucceeded
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      deeds.uncertainCount++
      return false
    }
  }

  /** Asks for the lock until it is given. */
  async function take(id: bigint): Promise<Uint8Array> {
    for (;;) {
      const { key } = await lock(anyNode(), id).answer.catch(() => ({ key: undefined }))
      if (key !== undefined) return key
    }
  }

  /** Takes the lock, counts, and gives it back; sometimes gives up, sometimes loses its lease and goes on all the same. */
  async function contend(id: bigint, deeds: Deeds): Promise<void> {
    await again((node) => node.leases.grant({ id, ttlSeconds: 600n }), 'leaseExist')
    const mood = Number(id % 5n)
    if (mood === 0) {
      const asked = lock(anyNode(), id)
      for (let turns = Math.floor(Math.random() * 20); turns > 0; turns--) await turn()
      asked.cancel()
      await revoke(id)
      return
    }
    const key = await take(id)
    const createRevision = BigInt((await read(key))?.createRevision ?? 0)
    if (mood === 1) {
      await revoke(id)
      if (await count(key, createRevision, deeds)) throw new Error('written by one who lost it')
      deeds.refusedCount++
      return
    }
    // After an uncertain one the next would be a second writer.
    for (let round = 0; round < 3; round++) {
      if (!(await count(key, createRevision, deeds))) break
    }
    await revoke(id)
  }

  test('give a lock to one at a time, and let no one write who has lost it', async () => {
    const deeds: Deeds = { countedCount: 0, uncertainCount: 0, refusedCount: 0 }
    let nextLease = 1n
    const over = new CancelSource()
    const contenders = Array.from({ length: 6 }, async () => {
      for (let round = 0; round < 10; round++) await contend(nextLease++, deeds)
    })
    const transfers = (async () => {
      for (let count = 0; count < 4 && !over.isCanceled; count++) {
        await new Promise((resolve) => setTimeout(resolve, 300))
        const leader = await fixture.leader()
        // The one asked may have been replaced meanwhile, or nobody takes over in time.
        await leader.transferLeadership(noNode).catch(() => undefined)
      }
    })()
    try {
      await Promise.all(contenders)
    } finally {
      over.cancel()
      await transfers
    }
    const counter = Number(text((await read(bytes('counter')))?.value ?? bytes('0')))
    expect(counter).toBeGreaterThanOrEqual(deeds.countedCount)
    expect(counter).toBeLessThanOrEqual(deeds.countedCount + deeds.uncertainCount)
    expect(deeds.countedCount).toBeGreaterThan(20)
    expect(deeds.refusedCount).toBeGreaterThan(0)
    expect(await again(lockKeys)).toEqual([])
  })
})

describe('a node', () => {
  let fixture: NodeFixture
  let node: StoreNode

  beforeAll(async () => {
    fixture = new NodeFixture(1)
    await fixture.startAll()
    node = fixture.node('node1')
  })

  afterAll(async () => {
    await fixture.dispose()
  })

  test('takes back the key of one who gives up, at whatever moment', async () => {
    await node.leases.grant({ id: 1n, ttlSeconds: 600n })
    await node.leases.grant({ id: 2n, ttlSeconds: 600n })
    const { key } = await lock(node, 1n).answer
    for (let turns = 0; turns < 12; turns++) {
      const asked = lock(node, 2n)
      for (let passed = 0; passed < turns; passed++) await turn()
      asked.cancel()
      await expect(asked.answer).rejects.toThrow()
      expect(await lockKeys(node)).toEqual(['job/1'])
    }
    // Who holds already loses nothing by asking again and giving up.
    const again = lock(node, 1n)
    again.cancel()
    await again.answer.catch(() => undefined)
    expect(await lockKeys(node)).toEqual(['job/1'])
    await unlock(node, key)
  })

  test('lets a slow observer miss what was compacted, and tells it who leads then', async () => {
    const lead = (value: string): Promise<unknown> =>
      node.put(PutRequest.fromPartial({ key: bytes('vote/1'), value: bytes(value) }))
    const observer = new Observer(node)
    await lead('first')
    await expect.poll(() => observer.values).toEqual(['first'])
    observer.isSlow = true
    await lead('second')
    await expect.poll(() => observer.values).toEqual(['first', 'second'])
    await lead('third')
    await lead('fourth')
    await node.compact({ revision: BigInt(node.currentRevision), physical: true })
    await turn()
    expect(observer.values).toEqual(['first', 'second'])
    observer.drain()
    await expect.poll(() => observer.values.at(-1)).toBe('fourth')
    await lead('fifth')
    await expect.poll(() => observer.values.at(-1)).toBe('fifth')
    expect(observer.hasEnded).toBe(false)
    observer.leave()
    expect(node.watchHub.watcherCount).toBe(0)
  })

  test('takes back a key in the name of its caller while users are checked', async () => {
    const { auth } = node
    const named = { name: 'root', password: '' }
    const hashedPassword = await auth.hashPassword('secret')
    await auth.change(
      {
        kind: 'userAdd',
        request: AuthUserAddRequest.fromPartial({ ...named, hashedPassword }),
      },
      undefined,
    )
    await auth.change(
      { kind: 'roleAdd', request: AuthRoleAddRequest.fromPartial({ name: 'root' }) },
      undefined,
    )
    await auth.change(
      {
        kind: 'userGrantRole',
        request: AuthUserGrantRoleRequest.fromPartial({ user: 'root', role: 'root' }),
      },
      undefined,
    )
    await auth.change({ kind: 'enable', request: {} }, undefined)
    const token = await auth.authenticate('root', 'secret')
    await expect(lock(node, 1n).answer).rejects.toThrow('user name is empty')
    await expect(lock(node, 1n, 'wrong.1').answer).rejects.toThrow('invalid auth token')
    await lock(node, 1n, token).answer
    const asked = lock(node, 2n, token)
    await expect.poll(() => lockKeys(node)).toEqual(['job/1', 'job/2'])
    asked.cancel()
    await expect(asked.answer).rejects.toThrow()
    expect(await lockKeys(node)).toEqual(['job/1'])
  })
})

/** The side of an observer that the service sees. */
class Observer extends CancelSource {
  readonly client = plainClient
  readonly values: string[] = []
  requester: StreamCall['requester']
  isSlow = false
  hasEnded = false
  private hasUntaken = false
  private drainListener: () => void = () => undefined
  private endListener: () => void = () => undefined

  constructor(node: StoreNode) {
    super()
    const method = methodOf(electionService(node, new ResponseHeaders(node), options), 'Observe')
    if (method.kind !== 'stream') throw new Error('Observe is a stream')
    method.handle(this.call)
  }

  drain(): void {
    this.isSlow = false
    this.hasUntaken = false
    this.drainListener()
  }

  /** The client goes away. */
  leave(): void {
    this.hasEnded = true
    this.endListener()
  }

  private get call(): StreamCall {
    return Object.assign(this as unknown as StreamCall, {
      findMetadata: () => undefined,
      setReading: () => undefined,
      read: (onMessage: (message: Uint8Array) => void) => {
        onMessage(LeaderRequest.encode({ name: bytes('vote') }).finish())
      },
      onDrain: (listener: () => void) => {
        this.drainListener = listener
      },
      onEnd: (listener: () => void) => {
        this.endListener = listener
      },
      send: (frame: Uint8Array) => {
        this.hasUntaken = this.isSlow
        for (const message of splitFrames(Buffer.from(frame)).messages) {
          this.values.push(text(LeaderResponse.decode(message).kv?.value ?? bytes('')))
        }
      },
      end: () => {
        this.hasEnded = true
      },
    })
  }

  /** One message that was not taken is as good as a full queue. */
  get queuedBytes(): number {
    return this.hasUntaken ? Number.MAX_SAFE_INTEGER : 0
  }
}
