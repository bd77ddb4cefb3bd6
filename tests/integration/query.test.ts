/** Transactions and ranges through the page's own calls: real etcd and our node give the same answers. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLogger } from '../../src/core/base/logger.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'
import { systemRandom } from '../../src/core/io/system-random.ts'
import { appPathsIn } from '../../src/main/app-paths.ts'
import { ConnectionManager } from '../../src/main/connections/connection-manager.ts'
import { OperationLog } from '../../src/main/connections/operation-log.ts'
import { ProfileStore } from '../../src/main/connections/profile-store.ts'
import { SecretStore } from '../../src/main/connections/secret-store.ts'
import { IpcRouter, type IpcEvent } from '../../src/main/ipc/ipc-router.ts'
import { registerQueryHandlers } from '../../src/main/ipc/query-handlers.ts'
import { StreamHub } from '../../src/main/ipc/stream-hub.ts'
import { registerTxn } from '../../src/main/ipc/txn-handler.ts'
import { callChannels } from '../../src/preload/contract/channels.ts'
import type { Compare, TxnOperation, TxnReply, TxnRequest } from '../../src/preload/contract/kv.ts'
import type { QueryRangeReply, QueryRangeRequest } from '../../src/preload/contract/query.ts'
import type { Reply } from '../../src/preload/contract/reply.ts'
import { isRealEtcdInstalled } from '../helpers/real-etcd.ts'
import { ServerPair } from '../helpers/server-pair.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const pageUrl = 'app://quorate/index.html'

/** The page of an app without a window. */
class Caller {
  readonly connections: ConnectionManager
  private readonly handlers = new Map<
    string,
    (event: IpcEvent, argument: unknown) => Promise<unknown>
  >()

  constructor() {
    const paths = appPathsIn('/nonexistent/quorate-test')
    const cipher = {
      isEncryptionAvailable: () => false,
      encryptString: () => Buffer.alloc(0),
      decryptString: () => '',
    }
    this.connections = new ConnectionManager(
      { clock: systemClock, random: systemRandom },
      {
        profiles: new ProfileStore(paths.profilesFile, silentLogger),
        secrets: new SecretStore(paths.secretsFile, cipher, silentLogger),
      },
    )
    const router = new IpcRouter({
      source: {
        handle: (channel, listener) => this.handlers.set(channel, listener),
        on: () => undefined,
      },
      streams: new StreamHub(systemClock),
      logger: silentLogger,
      isOwnPage: (url) => url === pageUrl,
    })
    const operations = new OperationLog(systemClock)
    registerTxn(router, { connections: this.connections, operations })
    registerQueryHandlers(router, { connections: this.connections, clock: systemClock })
  }

  async txn(request: TxnRequest): Promise<TxnReply> {
    return (await this.call(callChannels.kvTxn, request)) as TxnReply
  }

  async range(request: QueryRangeRequest): Promise<QueryRangeReply> {
    return (await this.call(callChannels.queryRange, request)) as QueryRangeReply
  }

  private async call(channel: string, argument: unknown): Promise<unknown> {
    const event: IpcEvent = {
      ...{ processId: 1, frameId: 1 },
      sender: {
        ...{ id: 1, isDestroyed: () => false, send: () => undefined },
        mainFrame: { url: pageUrl, processId: 1, routingId: 1 },
      },
    }
    const reply = (await this.handlers.get(channel)?.(event, argument)) as Reply<unknown>
    if (!reply.ok) throw new Error(`${reply.error.code}: ${reply.error.message}`)
    return reply.value
  }
}

const hasCompared = isRealEtcdInstalled()
let pair: ServerPair | undefined
let caller: Caller | undefined
let connectionIds: readonly string[] = []

beforeAll(async () => {
  if (!hasCompared) return
  pair = await ServerPair.start()
  caller = new Caller()
  const { connections } = caller
  const opened = pair.servers.map(({ clientUrl }) =>
    connections.openNew({ endpoints: [clientUrl], isSaved: false }),
  )
  connectionIds = (await Promise.all(opened)).map((info) => info.id)
})
afterAll(async () => {
  caller?.connections.dispose()
  await pair?.dispose()
})

/** What both servers answer, without what names the server. */
async function both<Answer>(ask: (page: Caller, connectionId: string) => Promise<Answer>) {
  const page = caller
  if (page === undefined) throw new Error('nothing was started')
  const [etcd, quorate] = await Promise.all(connectionIds.map((id) => ask(page, id)))
  return { etcd, quorate }
}

const put = (key: string, value: string) =>
  ({ kind: 'put', key: bytes(key), value: bytes(value) }) as const
const versionIs = (key: string, version: number, end?: string): Compare => ({
  key: bytes(key),
  relation: 'equal',
  operand: { kind: 'version', version },
  ...(end === undefined ? {} : { end: bytes(end) }),
})

async function sameReplies(txn: Omit<TxnRequest, 'connectionId'>): Promise<unknown> {
  const { etcd, quorate } = await both(async (page, connectionId) => {
    const { hasSucceeded, replies } = await page.txn({ ...txn, connectionId })
    return { hasSucceeded, replies }
  })
  expect(quorate).toEqual(etcd)
  return quorate?.hasSucceeded
}

describe.runIf(hasCompared)('queries of the page', () => {
  test('transactions inside of transactions, and conditions over ranges', async () => {
    const inner: TxnOperation = {
      kind: 'txn',
      compares: [versionIs('/q/', 1, '/q0')],
      thenOperations: [
        { kind: 'range', range: { kind: 'prefix', prefix: bytes('/q/') }, limit: 2 },
        { kind: 'delete', range: { kind: 'key', key: bytes('/q/b') } },
      ],
      elseOperations: [put('/q/other', 'x')],
    }
    const fill = [put('/q/a', '1'), put('/q/b', '2'), put('/q/c', '3')]
    expect(await sameReplies({ compares: [], thenOperations: fill, elseOperations: [] })).toBe(true)
    const nested = { compares: [versionIs('/q/a', 1)], thenOperations: [inner], elseOperations: [] }
    expect(await sameReplies(nested)).toBe(true)
    const again = { ...nested, compares: [versionIs('/q/b', 1)], elseOperations: [inner] }
    expect(await sameReplies(again)).toBe(false)
    // One key of the range is newer: the condition over all of them fails.
    const change = { compares: [], thenOperations: [put('/q/c', '4')], elseOperations: [] }
    expect(await sameReplies(change)).toBe(true)
    const ranged = { compares: [versionIs('/q/', 1, '/q0')], elseOperations: [] }
    expect(await sameReplies({ ...ranged, thenOperations: [put('/q/never', '')] })).toBe(false)
  })

  test('a range at one member says who answered', async () => {
    const request: Omit<QueryRangeRequest, 'connectionId' | 'target'> = {
      ...{ limit: 10, revision: 0, isKeysOnly: false, isCountOnly: false, isSerializable: true },
      range: { kind: 'prefix', prefix: bytes('/q/') },
      valueBytesMax: 100,
    }
    const { etcd, quorate } = await both(async (page, connectionId) => {
      const active = await page.range({ ...request, connectionId, target: { kind: 'active' } })
      const { memberId } = active
      const target = { kind: 'member', memberId } as const
      const reply = await page.range({ ...request, connectionId, target })
      expect(reply.memberId).toBe(memberId)
      const unknown = { kind: 'member', memberId: memberId ^ 1n } as const
      await expect(page.range({ ...request, connectionId, target: unknown })).rejects.toThrow(
        'unreachable',
      )
      return { count: reply.count, hasMore: reply.hasMore, columns: reply.columns }
    })
    expect(quorate).toEqual(etcd)
    expect(quorate?.count).toBe(2)
  })
})
