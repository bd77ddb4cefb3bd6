import {
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
} from '@grpc/grpc-js'
import { afterEach, describe, expect, test } from 'vitest'
import { Client } from '../../../../src/core/client/client.ts'
import type { StoreError } from '../../../../src/core/errors/store-error.ts'
import { systemClock } from '../../../../src/core/io/system-clock.ts'
import { seededRandom } from '../../../../src/core/base/random.ts'
import {
  DeleteRangeRequest,
  DeleteRangeResponse,
  RangeRequest,
  RangeResponse,
} from '../../../../src/core/proto/gen/rpc.ts'

type Answer = 'answer' | 'late' | 'silence' | { readonly code: status; readonly text: string }

/** Later than another member would be asked. */
const lateMs = 3_200

/** A server that answers as the test says, in order, and the last way from then on. */
interface ScriptedServer {
  readonly url: string
  readonly calls: string[]
  readonly server: Server
}

const servers: ScriptedServer[] = []
const clients: Client[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.dispose()
  for (const { server } of servers.splice(0)) server.forceShutdown()
})

async function serve(...answers: Answer[]): Promise<ScriptedServer> {
  const server = new Server()
  const calls: string[] = []
  const answerWith =
    <Response>(name: string, response: Response) =>
    (_call: ServerUnaryCall<unknown, Response>, callback: sendUnaryData<Response>): void => {
      calls.push(name)
      const answer = answers[Math.min(calls.length, answers.length) - 1] ?? 'answer'
      if (answer === 'answer') callback(null, response)
      else if (answer === 'late') setTimeout(callback, lateMs, null, response)
      else if (answer !== 'silence') callback({ code: answer.code, details: answer.text })
    }
  server.addService(
    {
      range: {
        path: '/etcdserverpb.KV/Range',
        requestStream: false,
        responseStream: false,
        requestSerialize: (message: RangeRequest) =>
          Buffer.from(RangeRequest.encode(message).finish()),
        requestDeserialize: (bytes) => RangeRequest.decode(bytes),
        responseSerialize: (message: RangeResponse) =>
          Buffer.from(RangeResponse.encode(message).finish()),
        responseDeserialize: (bytes) => RangeResponse.decode(bytes),
      },
      deleteRange: {
        path: '/etcdserverpb.KV/DeleteRange',
        requestStream: false,
        responseStream: false,
        requestSerialize: (message: DeleteRangeRequest) =>
          Buffer.from(DeleteRangeRequest.encode(message).finish()),
        requestDeserialize: (bytes) => DeleteRangeRequest.decode(bytes),
        responseSerialize: (message: DeleteRangeResponse) =>
          Buffer.from(DeleteRangeResponse.encode(message).finish()),
        responseDeserialize: (bytes) => DeleteRangeResponse.decode(bytes),
      },
    },
    {
      range: answerWith('range', RangeResponse.create({ header: { revision: 5 } })),
      deleteRange: answerWith('delete', DeleteRangeResponse.create({ header: { revision: 6 } })),
    },
  )
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound)
      else reject(error)
    })
  })
  const scripted = { url: `http://127.0.0.1:${String(port)}`, calls, server }
  servers.push(scripted)
  return scripted
}

function connect(...scripted: { readonly url: string }[]): Client {
  const client = new Client({
    clock: systemClock,
    random: seededRandom(1),
    endpoints: scripted.map(({ url }) => url),
  })
  clients.push(client)
  return client
}

const key = new Uint8Array([1])
const remove = (client: Client): Promise<unknown> => client.kv.deleteRange({ start: key })
const unavailable = { code: status.UNAVAILABLE, text: 'etcdserver: leader changed' }
const noLeader = { code: status.UNAVAILABLE, text: 'etcdserver: no leader' }
const compacted = {
  code: status.OUT_OF_RANGE,
  text: 'etcdserver: mvcc: required revision has been compacted',
}

describe('callWithRetry', () => {
  test('a read is repeated while the cluster is unavailable, elsewhere', async () => {
    const [first, second] = [await serve(unavailable), await serve(unavailable, 'answer')]
    const client = connect(first, second)
    const { header } = await client.kv.get(key)
    expect(header.revision).toBe(5)
    expect([first.calls.length, second.calls.length]).toEqual([2, 2])
  })

  test('a write is not repeated after an answer that leaves its effect open', async () => {
    const server = await serve(unavailable)
    const failure = (await remove(connect(server)).catch((error: unknown) => error)) as StoreError
    expect(failure.code).toBe('leaderChanged')
    expect(failure.details['isOutcomeUnknown']).toBe(true)
    expect(server.calls).toEqual(['delete'])
  })

  test('a write is repeated when it was refused before it was proposed', async () => {
    const server = await serve(noLeader, noLeader, 'answer')
    await remove(connect(server))
    expect(server.calls).toHaveLength(3)
  })

  test('a write goes elsewhere when the first endpoint never took it', async () => {
    const server = await serve('answer')
    const client = connect({ url: 'http://127.0.0.1:1' }, server)
    await remove(client)
    expect(server.calls).toEqual(['delete'])
    expect(client.pool.active().url).toBe(server.url)
    expect(client.pool.health().map((health) => health.kind)).toEqual(['failed', 'ready'])
  })

  test('a refusal is final for reads and writes, and its effect is known', async () => {
    const server = await serve(compacted)
    const client = connect(server)
    const failures = await Promise.all([
      client.kv.get(key).catch((error: unknown) => error),
      remove(client).catch((error: unknown) => error),
    ])
    for (const failure of failures as StoreError[]) {
      expect(failure.code).toBe('compacted')
      expect(failure.details['isOutcomeUnknown']).toBeUndefined()
    }
    expect(server.calls).toHaveLength(2)
  })

  test('a member that keeps silent is left for another after three seconds', async () => {
    const [silent, other] = [await serve('silence'), await serve('answer')]
    const startMs = performance.now()
    await connect(silent, other).kv.get(key)
    expect(performance.now() - startMs).toBeGreaterThan(2_900)
    expect([silent.calls.length, other.calls.length]).toEqual([1, 1])
  })

  test('the only member is waited for: what it works on would go on beside a second question', async () => {
    const slow = await serve('late')
    const client = connect(slow)
    const { header } = await client.kv.get(key)
    expect(header.revision).toBe(5)
    expect(slow.calls).toHaveLength(1)
  })

  test('a call that is given up ends at once', async () => {
    const silent = await serve('silence')
    const abort = new AbortController()
    const call = connect(silent).kv.get(key, { signal: abort.signal })
    setTimeout(() => {
      abort.abort()
    }, 50)
    const failure = (await call.catch((error: unknown) => error)) as StoreError
    expect(failure.code).toBe('contextCanceled')
    // A second attempt, after the three seconds of patience, would have been a second call.
    expect(silent.calls.length).toBeLessThanOrEqual(1)
  })
})
