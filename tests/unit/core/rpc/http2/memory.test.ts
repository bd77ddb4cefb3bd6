/** Clients that make the server remember more and more. */
import { describe, expect, test } from 'vitest'
import { MessageReader } from '../../../../../src/core/rpc/message-reader.ts'
import type { ServerStream } from '../../../../../src/core/rpc/http2/server-stream.ts'
import { WaitingBytes } from '../../../../../src/core/rpc/http2/waiting-bytes.ts'
import { Http2Exchange } from '../../../../../src/core/rpc/http2-exchange.ts'
import { plainClient } from '../../../../../src/core/rpc/rpc-call.ts'
import { frame, number32, RawConnection } from './raw-connection.ts'

/** The first bytes of a message of 2 MiB. */
const beginning = Buffer.concat([Buffer.of(0), number32(2_097_152), Buffer.alloc(16_000)])

/** Keeps what arrives until it is whole, as calls do. */
function collect(stream: ServerStream): void {
  const reader = new MessageReader({ messageSizeBytesMax: 4_194_304, encoding: 'identity' })
  stream.serve({
    dataReceived: (chunk) => {
      reader.push(chunk)
      reader.next()
      reader.settle()
      stream.noteKept(reader.memoryBytes)
    },
    endReceived: () => undefined,
    drained: () => undefined,
    closed: () => undefined,
  })
}

async function collecting(): Promise<RawConnection> {
  const connection = new RawConnection({ concurrentStreamsMax: 4_294_967_295 })
  connection.onStream = collect
  await connection.greet()
  return connection
}

describe('memory for one client', () => {
  test('who begins ever more messages and ends none is disconnected', async () => {
    const connection = await collecting()
    let sentBytes = 0
    for (let streamId = 1; connection.failures.length === 0; streamId += 2) {
      const bytes = [connection.request(streamId)]
      for (let count = 0; count < 40; count++) bytes.push(frame(0, { streamId }, beginning))
      sentBytes += 40 * beginning.length
      await connection.send(...bytes)
      expect(sentBytes).toBeLessThan(300_000_000)
    }
    expect(connection.texts().at(-1)).toMatch(/^GOAWAY \d+ 11 too many incomplete requests$/)
    expect(sentBytes).toBeGreaterThan(120_000_000)
    expect(connection.server.memory.heldBytes).toBe(0)
  })

  test('whatever was kept is given back with its stream', async () => {
    const connection = await collecting()
    for (const streamId of [1, 3]) {
      await connection.send(connection.request(streamId), frame(0, { streamId }, beginning))
    }
    const heldBytes = connection.server.memory.heldBytes
    expect(heldBytes).toBe(2 * beginning.length)
    await connection.send(frame(3, { streamId: 3 }, number32(8)))
    expect(connection.server.memory.heldBytes).toBe(heldBytes / 2)
    connection.server.destroy()
    expect(connection.server.memory.heldBytes).toBe(0)
  })

  test('large heads of open streams count', async () => {
    const connection = await collecting()
    const text = Buffer.alloc(60_000, '~').toString('latin1')
    for (let streamId = 1; connection.failures.length === 0; streamId += 2) {
      // Never indexed, and not compressed: the head of each stream is its own.
      const literal = Buffer.concat([
        Buffer.of(0x10, 1, 0x78, 0x7f),
        Buffer.of(0xe1, 0xd3, 0x03),
        Buffer.from(text),
      ])
      const block = Buffer.concat([Buffer.of(0x83, 0x86, 0x84), literal])
      const first = frame(1, { streamId }, block.subarray(0, 16_384))
      const rest = [16_384, 32_768, 49_152].map((start) =>
        frame(
          9,
          { streamId, flags: start === 49_152 ? 4 : 0 },
          block.subarray(start, start + 16_384),
        ),
      )
      await connection.send(first, ...rest)
      expect(streamId).toBeLessThan(6_000)
    }
    expect(connection.failures).toEqual(['too many incomplete requests'])
  })

  test('streams at once have a limit, whatever is configured', async () => {
    const connection = new RawConnection({ concurrentStreamsMax: 4_294_967_295 })
    const streams: ServerStream[] = []
    connection.onStream = (stream) => streams.push(stream)
    await connection.greet()
    for (let streamId = 1; streamId < 200_003;) {
      const bytes: Buffer[] = []
      for (let count = 0; count < 5_000 && streamId < 200_003; count++, streamId += 2) {
        bytes.push(connection.request(streamId))
      }
      await connection.send(...bytes)
    }
    expect(streams.length).toBe(100_000)
    expect(connection.texts()).toEqual(['RST 200001 7'])
    await connection.send(frame(3, { streamId: 1 }, number32(8)), connection.request(200_003))
    expect(streams.length).toBe(100_001)
  })

  test('content that a route does not take fills its window and no more', async () => {
    const connection = new RawConnection()
    connection.onStream = (stream) => new Http2Exchange(stream, plainClient)
    await connection.greet()
    await connection.send(connection.request(1))
    const tiny = frame(0, { streamId: 1 }, Buffer.of(1))
    for (let count = 0; count < 200; count++) {
      await connection.send(...Array.from({ length: 1_000 }, () => tiny))
    }
    expect(connection.failures).toEqual([])
    const { heldBytes } = connection.server.memory
    expect(heldBytes).toBeGreaterThanOrEqual(200_000)
    expect(heldBytes).toBeLessThan(500_000)
  })
})

describe('WaitingBytes', () => {
  test('keeps the order and little more memory than twice its size', () => {
    const waiting = new WaitingBytes()
    const appended: number[] = []
    const taken: number[] = []
    for (let round = 0; round < 300; round++) {
      const bytes = Buffer.alloc(round % 7, round % 256)
      waiting.append(bytes)
      appended.push(...bytes)
      if (round % 3 === 0) taken.push(...waiting.take(Math.min(5, waiting.sizeBytes)))
    }
    taken.push(...waiting.take(waiting.sizeBytes))
    expect(taken).toEqual(appended)
    expect([waiting.sizeBytes, waiting.memoryBytes]).toEqual([0, 0])
    waiting.append(Buffer.alloc(1_000))
    waiting.append(Buffer.of(1))
    expect(waiting.memoryBytes).toBe(2_000)
  })

  test('what was taken is not written over', () => {
    const waiting = new WaitingBytes()
    waiting.append(Buffer.from('abcd'))
    const taken = waiting.take(2)
    for (let count = 0; count < 100; count++) waiting.append(Buffer.from('xyz'))
    expect(taken.toString()).toBe('ab')
  })

  test('takes no more in advance than is expected', () => {
    const waiting = new WaitingBytes()
    waiting.append(Buffer.alloc(100), 150)
    waiting.append(Buffer.alloc(10), 150)
    expect(waiting.memoryBytes).toBe(150)
  })
})
