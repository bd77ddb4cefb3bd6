/** Bytes and frames as chance gives them: the connection goes on or ends, and nothing is left of it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MessageReader } from '../../../../../src/core/rpc/message-reader.ts'
import type { ServerStream } from '../../../../../src/core/rpc/http2/server-stream.ts'
import { frame, number32, preface, RawConnection, setting, turn } from './raw-connection.ts'

const runs = { numRuns: 60 }
/** What a connection may send for a few kilobytes of input, with all its answers. */
const sentBytesMax = 4_000_000
const ok = [{ name: ':status', value: '200' }]
const trailers = [{ name: 'grpc-status', value: '0' }]

interface Counts {
  opened: number
  closed: number
}

/** Serves each stream as calls do: messages are collected, paused, and answered in one way or another. */
function serve(connection: RawConnection, counts: Counts): void {
  connection.onStream = (stream) => {
    counts.opened++
    const reader = new MessageReader({ messageSizeBytesMax: 100_000, encoding: 'identity' })
    stream.serve({
      dataReceived: (chunk) => {
        reader.push(chunk)
        reader.settle()
        stream.noteKept(reader.memoryBytes)
        if (stream.id % 8 === 1) stream.pause()
        if (stream.id % 8 === 3) stream.answer(ok, Buffer.alloc(70_000), trailers)
      },
      endReceived: () => {
        answer(stream)
      },
      drained: () => undefined,
      closed: () => counts.closed++,
    })
  }
}

function answer(stream: ServerStream): void {
  if (stream.id % 8 === 5) stream.reset(8)
  else if (stream.id % 8 === 7) stream.respondAndEnd(trailers)
  else stream.answer(ok, Buffer.alloc(10_000), trailers)
}

/** Feeds chunks to a connection and ends it. Whatever goes wrong inside fails the test. */
async function survive(chunks: readonly Buffer[]): Promise<void> {
  const connection = new RawConnection({ concurrentStreamsMax: 20 })
  const counts: Counts = { opened: 0, closed: 0 }
  serve(connection, counts)
  for (const chunk of chunks) {
    if (connection.socket.destroyed || chunk.length === 0) break
    // Not by way of the stream's own buffer: an exception shall come out here.
    connection.socket.emit('data', chunk)
  }
  await turn()
  const sentBytes = connection.socket.written.reduce((total, bytes) => total + bytes.length, 0)
  expect(sentBytes).toBeLessThan(sentBytesMax)
  connection.server.destroy()
  await turn()
  expect(connection.closeCount).toBe(1)
  expect(counts.closed).toBe(counts.opened)
  expect(connection.server.memory.heldBytes).toBe(0)
  expect(connection.clock.waitingCount).toBe(0)
}

/** Cuts bytes where `cuts` say, again and again. */
function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  for (let offset = 0, index = 0; offset < bytes.length; index++) {
    const sizeBytes = cuts[index % cuts.length] ?? 1
    chunks.push(bytes.subarray(offset, offset + sizeBytes))
    offset += sizeBytes
  }
  return chunks
}

const greeting = Buffer.concat([preface, frame(4, {})])
const cutsOf = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 6 })

/** Frames that are right by themselves, on a few streams, and some whose lengths or flags are not. */
const anyFrame: fc.Arbitrary<Buffer> = (() => {
  const { encoder } = new RawConnection()
  const block = encoder.encode([
    { name: ':method', value: 'POST' },
    { name: ':scheme', value: 'http' },
    { name: ':path', value: '/etcdserverpb.KV/Put' },
    { name: 'content-type', value: 'application/grpc' },
  ])
  const streamId = fc.integer({ min: 0, max: 15 })
  const of = (type: number, payload: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Buffer> =>
    fc
      .record({ streamId, payload, flags: fc.constantFrom(0, 1, 4, 5, 8, 0x20, 0xff) })
      .map(({ streamId: id, payload: content, flags }) =>
        frame(type, { flags, streamId: id }, content),
      )
  const bytes = fc.uint8Array({ maxLength: 60 })
  const window = fc.constantFrom(0, 1, 65_535, 0x7fff_ffff).map(number32)
  const settings = fc
    .record({
      id: fc.integer({ min: 0, max: 8 }),
      value: fc.constantFrom(0, 1, 100, 65_535, 2 ** 31),
    })
    .map(({ id, value }) => setting(id, value))
  return fc.oneof(
    { weight: 4, arbitrary: of(1, fc.constant(block)) },
    { weight: 1, arbitrary: of(1, bytes) },
    { weight: 6, arbitrary: of(0, bytes) },
    { weight: 2, arbitrary: of(0, fc.constant(Buffer.alloc(16_000))) },
    of(
      2,
      fc.constant(number32(0x0100_0000)).map((start) => Buffer.concat([start, Buffer.of(1)])),
    ),
    of(3, fc.constant(number32(8))),
    of(4, settings),
    of(6, fc.constant(Buffer.alloc(8))),
    of(7, bytes),
    of(8, window),
    of(9, fc.constant(block)),
    fc.integer({ min: 10, max: 255 }).chain((type) => of(type, bytes)),
  )
})()

/** What a client of etcd sends: some calls, one of them in several frames, a window, a cancellation. */
function conversation(): Buffer {
  const client = new RawConnection()
  const message = Buffer.concat([Buffer.of(0), number32(20_000), Buffer.alloc(20_000, 7)])
  const parts = [preface, frame(4, {}, setting(4, 4_000_000)), frame(8, {}, number32(1_000_000))]
  for (let streamId = 1; streamId < 17; streamId += 2) {
    parts.push(client.request(streamId, { extra: [{ name: 'token', value: `a${streamId}` }] }))
    parts.push(frame(0, { streamId }, message.subarray(0, 16_384)))
  }
  parts.push(frame(6, {}, Buffer.from('abcdefgh')), frame(4, { flags: 1 }))
  for (let streamId = 1; streamId < 17; streamId += 2) {
    parts.push(frame(0, { streamId, flags: 1 }, message.subarray(16_384)))
  }
  parts.push(frame(3, { streamId: 9 }, number32(8)), frame(7, {}, Buffer.alloc(8)))
  return Buffer.concat(parts)
}

describe('a connection under chance', () => {
  test('random bytes after a good beginning', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), cutsOf, async (bytes, cuts) => {
        await survive(cut(Buffer.concat([greeting, bytes]), cuts))
      }),
      runs,
    )
  })

  test('good and bad frames in any order on a few streams', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyFrame, { maxLength: 60 }), cutsOf, async (frames, cuts) => {
        await survive(cut(Buffer.concat([greeting, ...frames]), cuts))
      }),
      { numRuns: 300 },
    )
  })

  test('a conversation that breaks off anywhere', async () => {
    const whole = conversation()
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), cutsOf, async (sizeBytes, cuts) => {
        await survive(cut(whole.subarray(0, sizeBytes), cuts))
      }),
      runs,
    )
  })

  test('a conversation with changed bits', async () => {
    const whole = conversation()
    const change = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 5 }),
        cutsOf,
        async (changes, cuts) => {
          const bytes = Buffer.from(whole)
          for (const [at, bits] of changes) bytes[at] = (bytes[at] ?? 0) ^ bits
          await survive(cut(bytes, cuts))
        },
      ),
      { numRuns: 150 },
    )
  })

  test('heads with changed bits', async () => {
    const head = conversation().subarray(0, 300)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 24, max: 299 }), fc.nat(255)), { maxLength: 4 }),
        async (changes) => {
          const bytes = Buffer.from(head)
          for (const [at, value] of changes) bytes[at] = value
          await survive([bytes])
        },
      ),
      { numRuns: 300 },
    )
  })
})
