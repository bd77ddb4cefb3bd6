import { connect, createServer, Socket } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { nodeId } from '../../../src/core/base/ids.ts'
import { silentLogger } from '../../../src/core/base/logger.ts'
import { systemClock } from '../../../src/core/io/system-clock.ts'
import { HttpPeerTransport } from '../../../src/core/peer/http-peer-transport.ts'
import type { Message } from '../../../src/core/raft/message.ts'
import {
  appendOf,
  entriesFrom,
  heartbeatOf,
  introduce,
  type MemberOptions,
  snapshotOf,
  startMember,
  type TestMember,
  until,
  untilConnected,
} from './peer-fixture.ts'

const running = new Set<TestMember>()

async function start(id: number | bigint, options: MemberOptions = {}): Promise<TestMember> {
  const member = await startMember(id, options)
  running.add(member)
  return member
}

async function stop(member: TestMember): Promise<void> {
  running.delete(member)
  await member.transport.stop()
}

afterEach(async () => {
  for (const member of [...running]) await stop(member)
})

const commitsOf = (messages: readonly Message[]): number[] =>
  messages.flatMap((message) =>
    message.kind === 'heartbeat' || message.kind === 'append' ? [message.commit] : [],
  )

describe('messages', () => {
  test('have left when the call that sends them returns: a sync may hold up the thread next', async () => {
    const members = [await start(1), await start(2)]
    introduce(members)
    await untilConnected(members)
    const [first, second] = members as [TestMember, TestMember]
    const writing = vi.spyOn(Socket.prototype, 'write')
    try {
      first.transport.send([
        appendOf(first, second, 0, entriesFrom(1, 5)),
        heartbeatOf(first, second, 0),
      ])
      const sockets = new Set(writing.mock.contexts as Socket[])
      expect(sockets.size).toBe(2)
      for (const { writableCorked, writableLength } of sockets) {
        expect({ writableCorked, writableLength }).toEqual({ writableCorked: 0, writableLength: 0 })
      }
    } finally {
      writing.mockRestore()
    }
    await until(() => second.host.received.length === 2, 'both messages')
  })

  test('arrive complete and in order, on either stream, between three members', async () => {
    const members = [await start(1), await start(2), await start(0xfedcba9876543210n)]
    introduce(members)
    await untilConnected(members)
    const [first, second, third] = members as [TestMember, TestMember, TestMember]
    const sent: Message[] = []
    for (let round = 0; round < 200; round++) {
      const batch = [second, third].flatMap((peer): Message[] => [
        appendOf(first, peer, round * 5, entriesFrom(round * 5 + 1, 5)),
        heartbeatOf(first, peer, round),
      ])
      sent.push(...batch)
      first.transport.send(batch)
    }
    for (const peer of [second, third]) {
      await until(() => peer.host.received.length === 400, 'all messages')
      for (const kind of ['append', 'heartbeat']) {
        const ofKind = (message: Message): boolean =>
          message.kind === kind && message.to === peer.id
        expect(peer.host.received.filter(ofKind)).toEqual(sent.filter(ofKind))
      }
    }
    expect(first.host.unreachable).toEqual([])
  })

  test('arrive before any stream is up, through the pipeline', async () => {
    const first = await start(1)
    const second = await start(2)
    first.transport.addPeer({ id: second.id, peerUrls: [second.url] })
    first.transport.send([heartbeatOf(first, second, 7)])
    await until(() => second.host.received.length === 1, 'the message')
    expect(second.host.received).toEqual([heartbeatOf(first, second, 7)])
  })

  test('of several acknowledgements to one peer in a batch only the last is sent, of refusals all', async () => {
    const members = [await start(1), await start(2)]
    introduce(members)
    await untilConnected(members)
    const [first, second] = members as [TestMember, TestMember]
    const answer = (index: number, isRejected: boolean): Message => ({
      kind: 'appendResponse',
      from: first.id,
      to: second.id,
      term: 2,
      index,
      isRejected,
      rejectHint: 0,
      hintTerm: 0,
    })
    first.transport.send([
      answer(1, false),
      answer(2, true),
      answer(3, false),
      answer(4, true),
      answer(5, false),
    ])
    await until(() => second.host.received.length === 3, 'the answers')
    expect(second.host.received).toEqual([answer(2, true), answer(4, true), answer(5, false)])
  })

  test('of several megabytes arrive whole', async () => {
    const members = [await start(1), await start(2)]
    introduce(members)
    await untilConnected(members)
    const [first, second] = members as [TestMember, TestMember]
    const data = new Uint8Array(3_000_000).map((_, at) => at % 251)
    const message = appendOf(first, second, 9, entriesFrom(10, 3, data))
    first.transport.send([message])
    await until(() => second.host.received.length === 1, 'the message')
    const received = second.host.received[0]!
    expect(
      received.kind === 'append' &&
        received.entries.every((entry) => Buffer.compare(entry.data, data) === 0),
    ).toBe(true)
  })

  test('for another member go no further', async () => {
    const first = await start(1)
    const second = await start(2)
    introduce([first, second])
    await untilConnected([first, second])
    const stranger = { ...heartbeatOf(first, second, 3), to: nodeId(99n) } as Message
    first.transport.addPeer({ id: nodeId(99n), peerUrls: [second.url] })
    first.transport.send([stranger, heartbeatOf(first, second, 4)])
    await until(() => second.host.received.length === 1, 'the message')
    expect(commitsOf(second.host.received)).toEqual([4])
  })

  test('to a member that is not known are dropped', async () => {
    const first = await start(1)
    const second = await start(2)
    first.transport.send([heartbeatOf(first, second, 1)])
    expect(first.host.unreachable).toEqual([])
  })
})

describe('connections', () => {
  test('are back in well under a second after a peer restarts, and each loss is reported once', async () => {
    const first = await start(1)
    let second = await start(2)
    introduce([first, second])
    await untilConnected([first, second])
    const port = Number(new URL(second.url).port)
    for (let round = 0; round < 3; round++) {
      first.host.unreachable.length = 0
      await stop(second)
      await until(() => first.transport.activeSinceMs(second.id) === undefined, 'the loss is seen')
      for (let at = 0; at < 20; at++) {
        first.transport.send([heartbeatOf(first, second, at)])
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      expect(first.host.unreachable).toEqual([second.id])
      second = await start(2, { port })
      second.transport.addPeer({ id: first.id, peerUrls: [first.url] })
      const tookMs = await until(
        () => first.transport.activeSinceMs(second.id) !== undefined,
        'hears again',
      )
      expect(tookMs).toBeLessThan(900)
      await until(() => second.transport.activeSinceMs(first.id) !== undefined, 'is heard again')
      first.transport.send([heartbeatOf(first, second, 1_000)])
      await until(() => commitsOf(second.host.received).includes(1_000), 'the message')
    }
  })

  test('find the URL that answers', async () => {
    const first = await start(1)
    const second = await start(2)
    const closed = await start(3)
    const closedUrl = closed.url
    await stop(closed)
    first.transport.addPeer({ id: second.id, peerUrls: [closedUrl, second.url] })
    second.transport.addPeer({ id: first.id, peerUrls: [first.url] })
    await until(
      () => first.transport.activeSinceMs(second.id) !== undefined,
      'the second URL is tried',
    )
  })

  test('follow a peer to its new URL', async () => {
    const first = await start(1)
    const second = await start(2)
    first.transport.addPeer({ id: second.id, peerUrls: ['http://127.0.0.1:1'] })
    second.transport.addPeer({ id: first.id, peerUrls: [first.url] })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(first.transport.activeSinceMs(second.id)).toBeUndefined()
    first.transport.updatePeer({ id: second.id, peerUrls: [second.url] })
    await until(
      () => first.transport.activeSinceMs(second.id) !== undefined,
      'the new URL is dialled',
    )
  })

  test('to a silent peer are given up after the read timeout', async () => {
    const first = await start(1)
    const sockets: Socket[] = []
    // Accepts the streams and never says anything, as a stopped process does.
    const silent = createServer((socket) => {
      sockets.push(socket)
      socket.on('error', () => undefined)
      socket.write(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Server-Version: 3.7.1\r\n\r\n',
      )
    })
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    first.transport.addPeer({ id: nodeId(2n), peerUrls: [`http://127.0.0.1:${port}`] })
    await until(() => first.transport.activeSinceMs(nodeId(2n)) !== undefined, 'the stream opens')
    const tookMs = await until(() => first.host.unreachable.length > 0, 'silence is noticed')
    expect(tookMs).toBeGreaterThan(4_000)
    expect(tookMs).toBeLessThan(7_000)
    await stop(first)
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => silent.close(resolve))
  })

  test('stay up over quiet times by signs of life', async () => {
    const members = [await start(1), await start(2)]
    introduce(members)
    await untilConnected(members)
    const [first, second] = members as [TestMember, TestMember]
    const since = first.transport.activeSinceMs(second.id)
    await new Promise((resolve) => setTimeout(resolve, 6_500))
    expect(first.transport.activeSinceMs(second.id)).toBe(since)
    expect(first.transport.roundTripMs(second.id)).toBeGreaterThan(0)
    expect(first.host.unreachable).toEqual([])
    expect(first.host.received).toEqual([])
  })
})

describe('a slow receiver', () => {
  test('costs a bounded queue: what does not fit is dropped and reported', async () => {
    const first = await start(1)
    const id = nodeId(2n)
    // A peer that opens the stream and reads nothing.
    const socket = connect(Number(new URL(first.url).port), '127.0.0.1')
    socket.pause()
    first.transport.addPeer({ id, peerUrls: ['http://127.0.0.1:1'] })
    socket.write(streamRequest('msgapp', '2', '1'))
    await new Promise((resolve) => setTimeout(resolve, 200))
    first.host.unreachable.length = 0
    const to = { ...first, id }
    const data = new Uint8Array(1_000_000)
    const before = process.memoryUsage().arrayBuffers
    for (let round = 0; round < 300; round++) {
      first.transport.send([appendOf(first, to, round, entriesFrom(round + 1, 1, data))])
      if (round % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024)
    expect(first.host.unreachable).toEqual([id])
    socket.destroy()
  })
})

function streamRequest(kind: string, from: string, to: string): string {
  return (
    `GET /raft/stream/${kind}/${from} HTTP/1.1\r\nHost: x\r\nX-Server-From: ${from}\r\nX-Server-Version: 3.7.1\r\n` +
    `X-Min-Cluster-Version: 3.0.0\r\nX-Etcd-Cluster-ID: c1\r\nX-Raft-To: ${to}\r\n\r\n`
  )
}

describe('a snapshot', () => {
  const chunkBytes = 256 * 1024

  test('of 50 MB arrives whole while other messages pass, no faster than it is taken', async () => {
    const members = [await start(1), await start(2)]
    introduce(members)
    await untilConnected(members)
    const [first, second] = members as [TestMember, TestMember]
    let producedBytes = 0
    let consumedBytes = 0
    let aheadBytesMax = 0
    async function* produce(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < 200; at++) {
        await Promise.resolve()
        producedBytes += chunkBytes
        aheadBytesMax = Math.max(aheadBytesMax, producedBytes - consumedBytes)
        yield new Uint8Array(chunkBytes).fill(at)
      }
    }
    let isContentRight = true
    second.host.onSnapshot = async (_message, chunks) => {
      for await (const chunk of chunks) {
        for (let at = 0; at < chunk.length; at += 997) {
          const expected = Math.floor((consumedBytes + at) / chunkBytes)
          if (chunk[at] !== expected) isContentRight = false
        }
        consumedBytes += chunk.length
        if (consumedBytes % (8 * chunkBytes) < 65_536)
          await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    const message = snapshotOf(first, second, 77)
    first.transport.sendSnapshot(message, produce())
    first.transport.send([heartbeatOf(first, second, 5)])
    await until(() => second.host.received.length === 1, 'the heartbeat')
    expect(consumedBytes).toBeLessThan(50 * 1024 * 1024)
    await until(() => first.host.snapshots.length === 1, 'the snapshot', 60_000)
    expect(first.host.snapshots).toEqual([[second.id, 'delivered']])
    expect(consumedBytes).toBe(200 * chunkBytes)
    expect(isContentRight).toBe(true)
    // Socket buffers of both sides and one window of the stream, not the database.
    expect(aheadBytesMax).toBeLessThan(16 * 1024 * 1024)
    expect(second.host.received.at(-1)).toEqual(message)
  })

  test('that the receiver cannot store is reported as failed', async () => {
    const members = [await start(1), await start(2)]
    introduce(members)
    await untilConnected(members)
    const [first, second] = members as [TestMember, TestMember]
    second.host.onSnapshot = () => Promise.reject(new Error('disk full'))
    async function* produce(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < 100; at++) {
        await Promise.resolve()
        yield new Uint8Array(chunkBytes)
      }
    }
    first.transport.sendSnapshot(snapshotOf(first, second, 77), produce())
    await until(() => first.host.snapshots.length === 1, 'the outcome')
    expect(first.host.snapshots).toEqual([[second.id, 'failed']])
    expect(second.host.received).toEqual([])
  })

  test('to a peer that is down is reported as failed', async () => {
    const first = await start(1)
    const second = await start(2)
    await stop(second)
    first.transport.addPeer({ id: second.id, peerUrls: [second.url] })
    async function* produce(): AsyncGenerator<Uint8Array> {
      await Promise.resolve()
      yield new Uint8Array(10)
    }
    first.transport.sendSnapshot(snapshotOf(first, second, 1), produce())
    await until(() => first.host.snapshots.length === 1, 'the outcome')
    expect(first.host.snapshots).toEqual([[second.id, 'failed']])
  })

  test('whose source fails is reported as failed, and the receiver hears of the break', async () => {
    const members = [await start(1), await start(2)]
    introduce(members)
    await untilConnected(members)
    const [first, second] = members as [TestMember, TestMember]
    let received: unknown
    second.host.onSnapshot = async (_message, chunks) => {
      try {
        for await (const chunk of chunks) expect(chunk.length).toBeGreaterThan(0)
      } catch (error) {
        received = error
        throw error
      }
    }
    async function* produce(): AsyncGenerator<Uint8Array> {
      await Promise.resolve()
      yield new Uint8Array(100_000)
      throw new Error('the database went away')
    }
    first.transport.sendSnapshot(snapshotOf(first, second, 1), produce())
    await until(() => first.host.snapshots.length === 1, 'the outcome')
    expect(first.host.snapshots).toEqual([[second.id, 'failed']])
    await until(() => received !== undefined, 'the break')
    expect(second.host.received).toEqual([])
  })
})

describe('strangers', () => {
  test('of another cluster are refused both ways', async () => {
    const first = await start(1, { cluster: 0xc1n })
    const second = await start(2, { cluster: 0xc2n })
    introduce([first, second])
    first.transport.send([heartbeatOf(first, second, 1)])
    await until(() => first.host.unreachable.length > 0, 'the refusal')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(first.transport.activeSinceMs(second.id)).toBeUndefined()
    expect(second.transport.activeSinceMs(first.id)).toBeUndefined()
    expect(second.host.received).toEqual([])
    expect(first.host.selfRemovedCount).toBe(0)
  })

  test('of a version that does not get along are refused', async () => {
    const first = await start(1)
    const second = await start(2, { version: '2.3.8' })
    introduce([first, second])
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(first.transport.activeSinceMs(second.id)).toBeUndefined()
    expect(second.transport.activeSinceMs(first.id)).toBeUndefined()
  })

  test('of our cluster whom we do not know yet are answered through the pipeline', async () => {
    const first = await start(1)
    const port = 20_000 + Math.floor(Math.random() * 20_000)
    const second = await start(2, { port })
    second.transport.addPeer({ id: first.id, peerUrls: [first.url] })
    second.transport.send([heartbeatOf(second, first, 9)])
    await until(() => first.host.received.length === 1, 'the message')
    first.transport.send([heartbeatOf(first, second, 10)])
    await until(() => second.host.received.length === 1, 'the answer')
    expect(first.transport.activeSinceMs(second.id)).toBeUndefined()
  })
})

describe('a removed member', () => {
  test('is told so on its stream, and its messages are refused', async () => {
    const members = [await start(1), await start(2)]
    introduce(members)
    await untilConnected(members)
    const [first, second] = members as [TestMember, TestMember]
    first.host.removed.add(second.id)
    first.transport.removePeer(second.id)
    await until(() => second.host.selfRemovedCount === 1, 'the news')
    second.transport.send([heartbeatOf(second, first, 1)])
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(first.host.received).toEqual([])
    expect(second.host.selfRemovedCount).toBe(1)
  })
})

describe('the peer port', () => {
  async function ask(member: TestMember, path: string, init: RequestInit = {}) {
    const response = await fetch(`${member.url}${path}`, init)
    return { status: response.status, text: await response.text(), headers: response.headers }
  }
  const friendly = {
    'X-Server-From': '2',
    'X-Server-Version': '3.7.1',
    'X-Min-Cluster-Version': '3.0.0',
    'X-Etcd-Cluster-ID': 'c1',
    'X-Raft-To': '1',
  }

  test('answers members, version and probing as etcd does', async () => {
    const member = await start(1)
    const members = await ask(member, '/members')
    expect([members.status, members.text, members.headers.get('x-etcd-cluster-id')]).toEqual([
      200,
      '[{"id":1}]\n',
      'c1',
    ])
    expect(members.headers.get('content-type')).toBe('application/json')
    expect(JSON.parse((await ask(member, '/version')).text)).toEqual({
      etcdserver: '3.7.1',
      etcdcluster: '3.7.0',
    })
    expect((await ask(member, '/raft/probing')).text).toMatch(
      /^\{"OK":true,"Now":"\d{4}-\d\d-\d\dT[\d:.]+Z"\}\s$/,
    )
    expect((await ask(member, '/members', { method: 'POST' })).status).toBe(405)
    expect((await ask(member, '/nothing')).status).toBe(404)
  })

  test.each([
    ['POST', '/raft', {}, 412, 'incompatible version\n'],
    ['POST', '/raft', { ...friendly, 'X-Etcd-Cluster-ID': 'c2' }, 412, 'cluster ID mismatch\n'],
    ['GET', '/raft', friendly, 405, 'Method Not Allowed\n'],
    ['GET', '/raft/snapshot', friendly, 405, 'Method Not Allowed\n'],
    ['POST', '/raft/stream/message/2', friendly, 405, 'Method Not Allowed\n'],
    ['GET', '/raft/stream/message/2', {}, 412, 'incompatible version\n'],
    [
      'GET',
      '/raft/stream/message/2',
      { ...friendly, 'X-Etcd-Cluster-ID': 'c2' },
      412,
      'cluster ID mismatch\n',
    ],
    ['GET', '/raft/stream/message/zz', friendly, 404, 'invalid from\n'],
    ['GET', '/raft/stream/message/2/3', friendly, 404, 'invalid path\n'],
    ['GET', '/raft/stream/other/2', friendly, 404, 'invalid path\n'],
    ['GET', '/raft/stream/message/2', friendly, 404, 'error sender not found\n'],
    [
      'GET',
      '/raft/stream/message/2',
      { ...friendly, 'X-Raft-To': '7' },
      412,
      'to field mismatch\n',
    ],
  ])('%s %s with %o is answered %i', async (...row) => {
    const [method, path, headers, status, text] = row
    const member = await start(1)
    const answer = await ask(member, path, { method, headers: headers as Record<string, string> })
    expect([answer.status, answer.text]).toEqual([status, text])
  })

  test('answers 403 to messages of a removed member and to those for another', async () => {
    const member = await start(1)
    member.host.removed.add(nodeId(5n))
    const post = (to: number, from: number) =>
      ask(member, '/raft', {
        method: 'POST',
        headers: friendly,
        body: new Uint8Array([0x08, 8, 0x10, to, 0x18, from, 0x20, 1]),
      })
    expect((await post(1, 5)).text).toBe('{"message":"cannot process message from removed member"}')
    expect((await post(9, 2)).text).toBe('{"message":"cannot process message to mismatch member"}')
    expect((await post(1, 2)).status).toBe(204)
    expect(member.host.received.length).toBe(1)
  })

  test('survives garbage on every route', async () => {
    const members = [await start(1), await start(2)]
    introduce(members)
    await untilConnected(members)
    const [first, second] = members as [TestMember, TestMember]
    let seed = 12_345
    const garbage = (size: number): Uint8Array<ArrayBuffer> =>
      new Uint8Array(size).map(() => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) >> 16)
    const statuses = new Set<number>()
    for (let round = 0; round < 60; round++) {
      for (const path of [
        '/raft',
        '/raft/snapshot',
        '/raft/probing',
        '/members',
        '/raft/stream/message/2',
      ]) {
        const answer = await ask(first, path, {
          method: 'POST',
          headers: friendly,
          body: garbage(1 + round * 7),
        })
        statuses.add(answer.status)
      }
    }
    expect([...statuses].sort()).toEqual([200, 400, 405])
    // A length that no memory could hold, before a snapshot.
    const huge = await ask(first, '/raft/snapshot', {
      method: 'POST',
      headers: friendly,
      body: new Uint8Array([0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]),
    })
    expect([huge.status, huge.text]).toEqual([
      400,
      'failed to decode raft message (the message is too long)\n',
    ])
    // Local messages must not come from outside.
    for (const type of [0, 1, 10, 11, 12, 19, 21, 23, 99]) {
      const body = new Uint8Array([0x08, type, 0x10, 1, 0x18, 2])
      expect((await ask(first, '/raft', { method: 'POST', headers: friendly, body })).status).toBe(
        400,
      )
    }
    // Bytes that are no HTTP at all.
    for (const bytes of [
      garbage(500),
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      Buffer.from('\x16\x03\x01\x02\x00\x01'),
    ]) {
      const socket = connect(Number(new URL(first.url).port), '127.0.0.1')
      socket.on('error', () => undefined)
      socket.resume()
      socket.end(bytes)
      await new Promise((resolve) => socket.once('close', resolve))
    }
    second.transport.send([heartbeatOf(second, first, 42)])
    await until(() => commitsOf(first.host.received).includes(42), 'the message')
  })

  test('survives garbage on the streams that it dialled', async () => {
    const first = await start(1)
    let dialCount = 0
    const rude = createServer((socket) => {
      dialCount++
      socket.on('error', () => undefined)
      socket.resume()
      const garbage = Buffer.from([
        0, 0, 0, 0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff, 9, 9, 9, 9, 9, 9, 9, 9,
      ])
      const kinds = [garbage, Buffer.alloc(64, 0xff), Buffer.from('0000000000000005', 'hex')]
      const body = kinds[dialCount % kinds.length]!
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      socket.write(`${body.length.toString(16)}\r\n`)
      socket.write(body)
      socket.write('\r\n')
    })
    await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve))
    const { port } = rude.address() as { port: number }
    first.transport.addPeer({ id: nodeId(2n), peerUrls: [`http://127.0.0.1:${port}`] })
    await until(() => dialCount > 6, 'dials again')
    expect(first.host.received).toEqual([])
    await stop(first)
    await new Promise((resolve) => rude.close(resolve))
  })

  test("a port in use is the start's failure", async () => {
    const first = await start(1)
    await expect(startMember(2, { port: Number(new URL(first.url).port) })).rejects.toThrow(
      'EADDRINUSE',
    )
  })

  test('a URL that needs TLS is refused where there is no certificate', async () => {
    const transport = new HttpPeerTransport(
      { clock: systemClock, logger: silentLogger },
      {
        nodeId: nodeId(1n),
        clusterId: 1n as never,
        listenUrls: ['https://127.0.0.1:0'],
        advertisedUrls: [],
        serverVersion: '3.7.1',
        membersAnswer: () => [],
        versionAnswer: () => ({}),
      },
    )
    await expect(transport.start({} as never)).rejects.toThrow(
      'cannot listen on TLS for https://127.0.0.1:0: KeyFile and CertFile are not presented',
    )
  })
})
