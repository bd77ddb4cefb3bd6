/**
 * What must not harm a node: wrong clusters, hostile connections, floods. After each the node answers an ordinary write,
 * and its data is what it was.
 */
import { createHash } from 'node:crypto'
import { connect as connectSocket, createServer } from 'node:net'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  CompactionRequest,
  HashKVRequest,
  HashKVResponse,
  PutRequest,
  RangeRequest,
  RangeResponse,
} from '../../src/core/proto/gen/rpc.ts'
import { QuoratedCluster, QuoratedMember, readyLine } from '../helpers/quorated.ts'
import { framed, RawGrpcClient } from '../helpers/raw-grpc.ts'
import { freePorts } from '../helpers/real-etcd.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const putPath = '/etcdserverpb.KV/Put'
const watchPath = '/etcdserverpb.Watch/Watch'
const putMessage = (key: string, value: string): Uint8Array =>
  PutRequest.encode(PutRequest.create({ key: bytes(key), value: bytes(value) })).finish()

let cluster: QuoratedCluster
let member: QuoratedMember

beforeAll(async () => {
  cluster = await QuoratedCluster.start(1)
  member = cluster.members[0]!
  await expectAlive()
})

afterAll(async () => {
  await cluster.dispose()
})

/** A write is taken at once (milliseconds; seconds on a busy machine), a read gives it back, and the process is the one it was. */
async function expectAlive(): Promise<void> {
  const client = new RawGrpcClient(member.clientUrl)
  const startMs = performance.now()
  const value = `alive ${startMs}`
  expect(await client.call(putPath, framed(putMessage('alive', value)))).toMatchObject({ code: 0 })
  expect(performance.now() - startMs).toBeLessThan(5_000)
  const range = RangeRequest.encode(RangeRequest.create({ key: bytes('alive') })).finish()
  const answer = await client.call('/etcdserverpb.KV/Range', framed(range))
  const [pair] = RangeResponse.decode(answer.messages[0]!).kvs
  expect(Buffer.from(pair?.value ?? []).toString()).toBe(value)
  expect(member.process.hasExited).toBe(false)
  client.close()
}

/** Resident memory of the node in bytes. */
function residentBytes(): number {
  const status = readFileSync(`/proc/${member.process.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1_024
}

describe('requests', () => {
  afterEach(expectAlive)

  test('a compression bomb is refused on its own stream', async () => {
    const client = new RawGrpcClient(member.clientUrl)
    const bomb = gzipSync(Buffer.alloc(500_000_000))
    const before = residentBytes()
    const answer = await client.call(putPath, framed(bomb, 1), { 'grpc-encoding': 'gzip' })
    expect(answer).toMatchObject({ code: 8 })
    expect(answer.text).toContain('larger than max')
    expect(residentBytes() - before).toBeLessThan(100_000_000)
    client.close()
  })

  test.each(['ended', 'left open'])('a message of 50 MB, %s, is refused at once', async (how) => {
    const client = new RawGrpcClient(member.clientUrl)
    const body = framed(Buffer.alloc(50_000_000))
    const startMs = performance.now()
    const call = client.open(putPath)
    if (how === 'ended') call.end(body)
    else call.write(body)
    expect(await call.answer).toMatchObject({
      code: 8,
      text: 'grpc: received message larger than max (50000000 vs. 2097152)',
    })
    expect(performance.now() - startMs).toBeLessThan(5_000)
    // The same connection goes on.
    const next = await client.call(putPath, framed(putMessage('after', 'v')))
    expect(next).toMatchObject({ code: 0 })
    client.close()
  })

  test('a hundred prefixes that promise a gigabyte cost nothing', async () => {
    const client = new RawGrpcClient(member.clientUrl)
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => client.call(putPath, Uint8Array.of(0, 0x40, 0, 0, 0))),
    )
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set([8]))
    client.close()
  })

  test('field names that are properties of every object are ordinary keys', async () => {
    const client = new RawGrpcClient(member.clientUrl)
    for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(await client.call(putPath, framed(putMessage(key, key)))).toMatchObject({ code: 0 })
    }
    client.close()
  })

  test('random bytes as messages of every method are answered and change nothing', async () => {
    const client = new RawGrpcClient(member.clientUrl)
    let state = 12_345
    const random = (): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
      return state
    }
    const methods = ['KV/Range', 'KV/Put', 'KV/DeleteRange', 'KV/Txn', 'Maintenance/Status']
    for (let count = 0; count < 200; count++) {
      const message = Uint8Array.from({ length: random() % 40 }, () => random() >> 8)
      const method = methods[count % methods.length] ?? ''
      const answer = await client.call(`/etcdserverpb.${method}`, framed(message))
      expect(answer.httpStatus).toBe(200)
      expect(answer.code).toBeGreaterThanOrEqual(0)
    }
    client.close()
  })
})

describe('requests that are refused', () => {
  const rangePath = '/etcdserverpb.KV/Range'
  const deletePath = '/etcdserverpb.KV/DeleteRange'
  const compactPath = '/etcdserverpb.KV/Compact'
  const hashPath = '/etcdserverpb.Maintenance/HashKV'
  const rangeAt = (revision: bigint): Uint8Array =>
    RangeRequest.encode(RangeRequest.create({ key: bytes('a'), revision })).finish()
  const compactTo = (revision: bigint): Uint8Array =>
    CompactionRequest.encode(CompactionRequest.create({ revision })).finish()

  /** The hash over all keys and revisions, and the revision it was taken at. */
  async function contentOf(client: RawGrpcClient): Promise<readonly [bigint, number]> {
    const request = HashKVRequest.encode(HashKVRequest.create({ revision: 0n })).finish()
    const answer = await client.call(hashPath, framed(request))
    const { header, hash } = HashKVResponse.decode(answer.messages[0]!)
    return [header!.revision, hash]
  }

  beforeAll(async () => {
    const client = new RawGrpcClient(member.clientUrl)
    for (const value of ['1', '2', '3']) await client.call(putPath, framed(putMessage('a', value)))
    const [revision] = await contentOf(client)
    expect(await client.call(compactPath, framed(compactTo(revision - 1n)))).toMatchObject({
      code: 0,
    })
    client.close()
  })

  afterAll(expectAlive)

  const tooLarge = 'etcdserver: request is too large'
  const future = 'etcdserver: mvcc: required revision is a future revision'
  const compacted = 'etcdserver: mvcc: required revision has been compacted'
  const noKey = 'etcdserver: key is not provided'
  const unmarshal = /^grpc: (error unmarshalling request|failed to unmarshal)/
  test.each([
    ['a put of 1.5 MiB', putPath, putMessage('a', 'v'.repeat(1_572_864)), 3, tooLarge],
    ['a read at a future revision', rangePath, rangeAt(1_000_000n), 11, future],
    ['a compaction to a future revision', compactPath, compactTo(1_000_000n), 11, future],
    ['a read at a compacted revision', rangePath, rangeAt(2n), 11, compacted],
    ['a compaction to a compacted revision', compactPath, compactTo(2n), 11, compacted],
    ['a put of the empty key', putPath, putMessage('', 'v'), 3, noKey],
    ['a read of the empty key', rangePath, new Uint8Array(), 3, noKey],
    ['a deletion of the empty key', deletePath, new Uint8Array(), 3, noKey],
    ['a field that promises more than comes', putPath, Uint8Array.of(0x0a, 9, 1), 13, unmarshal],
    ['a tag of no wire type', putPath, Uint8Array.of(0x0f, 1), 13, unmarshal],
    ['a number that never ends', rangePath, new Uint8Array(12).fill(0xff), 13, unmarshal],
  ] as const)('%s: etcd’s code and text, and nothing has changed', async (...row) => {
    const [, path, message, code, expected] = row
    const client = new RawGrpcClient(member.clientUrl)
    const before = await contentOf(client)
    const answer = await client.call(path, framed(message))
    expect(answer.code).toBe(code)
    if (typeof expected === 'string') expect(answer.text).toBe(expected)
    else expect(answer.text).toMatch(expected)
    expect(await contentOf(client)).toEqual(before)
    client.close()
  })
})

describe('a start that is refused on a directory with data', () => {
  /** Hashes of all files that carry data. */
  function filesOf(directory: string): readonly string[] {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(wal|snap)$|data\.mdb$|CURRENT$/.test(name))
      .sort()
      .map((name) => {
        const content = readFileSync(join(directory, name))
        return `${name} ${createHash('sha256').update(content).digest('hex')}`
      })
  }

  test.each([
    ['a bad flag', () => ['--no-such-flag'], 2, 'flag provided but not defined: -no-such-flag'],
    [
      'a flag that is not supported',
      () => ['--discovery-srv=example.com'],
      1,
      '--discovery-srv=example.com is not supported',
    ],
    [
      'a port in use',
      (port: number) => [`--listen-client-urls=http://127.0.0.1:${port}`],
      1,
      'bind: address already in use',
    ],
  ] as const)('%s: one plain sentence, and the data is what it was', async (...row) => {
    const [, flagsFor, code, sentence] = row
    const blocker = createServer()
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve))
    const { port } = blocker.address() as { port: number }
    await member.stop()
    try {
      const before = filesOf(member.dataDirectory)
      expect(before.length).toBeGreaterThan(2)
      const refused = new QuoratedMember(member, flagsFor(port)).spawn()
      expect(await refused.exited).toEqual({ code, signal: null })
      expect(refused.lines.at(-1)).toContain(sentence)
      expect(refused.stderr).not.toContain('    at ')
      expect(filesOf(member.dataDirectory)).toEqual(before)
    } finally {
      blocker.close()
      await member.start()
    }
    await expectAlive()
  })

  test('another node runs on it: the second one ends, and the first one’s data is what it was', async () => {
    const [client, peer] = await freePorts(2)
    const second = new QuoratedMember(
      {
        name: member.name,
        dataDirectory: member.dataDirectory,
        clientUrl: `http://127.0.0.1:${client}`,
        peerUrl: `http://127.0.0.1:${peer}`,
      },
      [`--initial-cluster=${member.name}=http://127.0.0.1:${peer}`],
    ).spawn()
    expect(await second.exited).toEqual({ code: 1, signal: null })
    expect(second.lines.at(-1)).toContain(member.dataDirectory)
    expect(second.stderr).not.toContain('    at ')
    await expectAlive()
  })
})

describe('connections', () => {
  afterEach(expectAlive)

  const speak = (send: (socket: ReturnType<typeof connectSocket>) => void): Promise<Buffer> =>
    new Promise((resolve) => {
      const { port } = new URL(member.clientUrl)
      const socket = connectSocket(Number(port), '127.0.0.1', () => {
        send(socket)
      })
      const chunks: Buffer[] = []
      socket.on('data', (chunk) => chunks.push(chunk))
      // Being cut off is an answer.
      socket.on('error', () => undefined)
      socket.on('close', () => {
        resolve(Buffer.concat(chunks))
      })
    })

  test('bytes that are no protocol at all are answered with 400 and closed', async () => {
    const answer = await speak((socket) =>
      socket.write('\x01\x02\x03\x04 nothing that anybody speaks\r\n\r\n'),
    )
    expect(answer.toString()).toContain('400 Bad Request')
  })

  test('a preface that goes wrong is closed', async () => {
    await speak((socket) => {
      socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
      socket.write(Buffer.alloc(100, 0xff))
    })
  })

  test('a preface cut in the middle holds nobody up', async () => {
    await speak((socket) => {
      socket.write('PRI * HT')
      setTimeout(() => socket.destroy(), 100)
    })
  })

  test('five hundred idle connections cost little', async () => {
    const { port } = new URL(member.clientUrl)
    const before = residentBytes()
    const sockets = await Promise.all(
      Array.from(
        { length: 500 },
        () =>
          new Promise<ReturnType<typeof connectSocket>>((resolve) => {
            const socket = connectSocket(Number(port), '127.0.0.1', () => {
              resolve(socket)
            })
            socket.on('error', () => undefined)
          }),
      ),
    )
    await expectAlive()
    expect(residentBytes() - before).toBeLessThan(500 * 40_000)
    for (const socket of sockets) socket.destroy()
  })

  test('clients that go away in the middle of a watch leave nothing behind', async () => {
    for (let round = 0; round < 50; round++) {
      const client = new RawGrpcClient(member.clientUrl)
      const call = client.open(watchPath)
      // create_request { key: "a" }
      call.send(Uint8Array.of(0x0a, 3, 0x0a, 1, 0x61))
      await call.next()
      client.close()
    }
  })

  test('pings in quick succession close the connection', async () => {
    const client = new RawGrpcClient(member.clientUrl)
    await client.call(putPath, framed(putMessage('a', '1')))
    for (let count = 0; count < 5; count++) client.ping()
    expect(await client.goaway).toEqual({ code: 11, text: 'too_many_pings' })
    client.close()
  })
})

describe('a node of another cluster', () => {
  test('is not let in: it says why, serves nobody, and the others go on', async () => {
    const trio = await QuoratedCluster.describe(3)
    try {
      const [first, second, third] = trio.members
      await Promise.all([first!.start(), second!.start()])
      const stranger = new QuoratedMember(third!, [
        `--initial-cluster=${trio.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')}`,
        '--initial-cluster-token=another-cluster',
      ])
      const process = stranger.spawn()
      await process.waitForLine('cluster ID mismatch')
      expect(process.lines.some((line) => line.includes(readyLine))).toBe(false)
      const client = new RawGrpcClient(first!.clientUrl)
      expect(await client.call(putPath, framed(putMessage('a', '1')))).toMatchObject({ code: 0 })
      client.close()
      await stranger.kill()
    } finally {
      await trio.dispose()
    }
  })

  test('data of one cluster is not served under the flags of another', async () => {
    const [client, peer] = await freePorts(2)
    await member.stop()
    const moved = new QuoratedMember(
      {
        name: 'node1',
        dataDirectory: member.dataDirectory,
        clientUrl: `http://127.0.0.1:${client}`,
        peerUrl: `http://127.0.0.1:${peer}`,
      },
      [`--initial-cluster=node1=http://127.0.0.1:${peer}`, '--initial-cluster-token=other'],
    )
    // The data wins: it starts as the member it was, and everything is there.
    await moved.start()
    const raw = new RawGrpcClient(moved.clientUrl)
    const range = RangeRequest.encode(RangeRequest.create({ key: bytes('__proto__') })).finish()
    const answer = await raw.call('/etcdserverpb.KV/Range', framed(range))
    expect(RangeResponse.decode(answer.messages[0]!).count).toBe(1n)
    raw.close()
    await moved.stop()
    await member.start()
    await expectAlive()
  })
})
