import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../../../src/core/base/random.ts'
import type { HeaderBlock } from '../../../../../src/core/rpc/http2/hpack-encoder.ts'
import {
  frame,
  number32,
  preface,
  RawConnection,
  requestFields,
  setting,
  turn,
} from './raw-connection.ts'

const ok: HeaderBlock = [{ name: ':status', value: '200' }]
const trailers: HeaderBlock = [{ name: 'grpc-status', value: '0' }]
const data = (streamId: number, content: string | Uint8Array, flags = 0): Buffer =>
  frame(0, { flags, streamId }, Buffer.from(content as string))

async function greeted(
  options: ConstructorParameters<typeof RawConnection>[0] = {},
  ...settings: Buffer[]
): Promise<RawConnection> {
  const connection = new RawConnection(options)
  await connection.greet(...settings)
  return connection
}

const one = Uint8Array.of(1)

/** A connection whose requests are answered in the turn in which their content arrives. */
async function answering(...settings: readonly Buffer[]) {
  const connection = new RawConnection()
  await connection.greet(...settings)
  const answerAtOnce = (content: Uint8Array): void => {
    connection.onStream = (stream) => {
      stream.serve({
        dataReceived: () => {
          stream.answer([{ name: ':status', value: '200' }], content, [
            { name: 'grpc-status', value: '0' },
          ])
        },
        endReceived: () => undefined,
        drained: () => undefined,
        closed: () => undefined,
      })
    }
  }
  return { connection, answerAtOnce }
}

describe('a connection', () => {
  test('greets with its settings and acknowledges the other side', async () => {
    const connection = new RawConnection()
    await connection.send(preface, frame(4, {}))
    expect(connection.texts()).toEqual([
      'SETTINGS 000300000064000400100000000600010000',
      `WINDOW 0 ${4_194_304 - 65_535}`,
      'SETTINGS ack',
    ])
  })

  test('takes everything in single bytes', async () => {
    const connection = new RawConnection()
    const bytes = Buffer.concat([
      preface,
      frame(4, {}),
      connection.request(1),
      data(1, 'hello'),
      data(1, '', 1),
    ])
    for (const byte of bytes) connection.socket.push(Buffer.of(byte))
    await turn()
    expect(connection.streams[0]).toMatchObject({ content: 'hello', endCount: 1 })
  })

  test('answers a whole request with one write', async () => {
    const connection = await greeted()
    const before = connection.socket.writeCount
    connection.socket.push(Buffer.concat([connection.request(1), data(1, 'ask', 1)]))
    await turn()
    const { stream } = connection.streams[0]!
    stream.respond(ok)
    stream.write(Buffer.from('answer'))
    stream.finish(trailers)
    await turn()
    expect(connection.socket.writeCount).toBe(before + 1)
    expect(connection.texts()).toEqual([
      'HEADERS 1 :status=200',
      'DATA 1 6',
      'HEADERS 1 grpc-status=0 end',
    ])
    expect(connection.streams[0]?.closeCount).toBe(1)
  })

  test('an answer given while the last content is handed on stops nothing', async () => {
    const { connection, answerAtOnce } = await answering()
    answerAtOnce(Buffer.from('ab'))
    for (const streamId of [1, 3]) {
      await connection.send(connection.request(streamId), frame(0, { flags: 1, streamId }, one))
      expect(connection.texts()).toEqual([
        `HEADERS ${streamId} :status=200`,
        `DATA ${streamId} 2`,
        `HEADERS ${streamId} grpc-status=0 end`,
      ])
    }
    expect(connection.socket.writeCount).toBe(4)
  })

  test('a whole answer waits for windows like any other, behind those that came before', async () => {
    const { connection, answerAtOnce } = await answering(setting(4, 10))
    answerAtOnce(Buffer.alloc(12))
    await connection.send(connection.request(1), frame(0, { flags: 1, streamId: 1 }, one))
    expect(connection.texts()).toEqual(['HEADERS 1 :status=200', 'DATA 1 10'])
    answerAtOnce(Buffer.alloc(0))
    await connection.send(connection.request(3), frame(0, { flags: 1, streamId: 3 }, one))
    expect(connection.texts()).toEqual(['HEADERS 3 :status=200', 'HEADERS 3 grpc-status=0 end'])
    await connection.send(frame(8, { streamId: 1 }, number32(5)))
    expect(connection.texts()).toEqual(['DATA 1 2', 'HEADERS 1 grpc-status=0 end'])
  })

  test('a large answer is not copied and follows its frame heads', async () => {
    const { connection, answerAtOnce } = await answering()
    answerAtOnce(Buffer.alloc(60_000))
    await connection.send(connection.request(1), frame(0, { flags: 1, streamId: 1 }, one))
    expect(connection.texts()).toEqual([
      'HEADERS 1 :status=200',
      'DATA 1 16384',
      'DATA 1 16384',
      'DATA 1 16384',
      'DATA 1 10848',
      'HEADERS 1 grpc-status=0 end',
    ])
  })

  test('an answer before the end of the question stops the rest of it', async () => {
    const connection = await greeted()
    await connection.send(connection.request(1))
    connection.streams[0]?.stream.respondAndEnd([...ok, ...trailers])
    await turn()
    expect(connection.texts()).toEqual(['HEADERS 1 :status=200 grpc-status=0 end', 'RST 1 0'])
    // What was on its way is passed over.
    await connection.send(data(1, 'late'), data(1, 'later', 1))
    expect(connection.texts()).toEqual([])
  })

  test('padding and priority are stripped, trailers end the content', async () => {
    const connection = await greeted()
    const block = connection.encoder.encode(requestFields)
    const padded = Buffer.concat([Buffer.of(3), number32(0), Buffer.of(9), block, Buffer.alloc(3)])
    await connection.send(
      frame(1, { flags: 4 | 8 | 0x20, streamId: 1 }, padded),
      frame(0, { flags: 8, streamId: 1 }, Buffer.concat([Buffer.of(2), Buffer.from('ab\0\0')])),
      frame(1, { flags: 5, streamId: 1 }, connection.encoder.encode([{ name: 'x', value: 'y' }])),
    )
    expect(connection.streams[0]).toMatchObject({ content: 'ab', endCount: 1 })
  })

  test('a block in several frames is put together', async () => {
    const connection = await greeted()
    const block = connection.encoder.encode(requestFields)
    await connection.send(
      frame(1, { streamId: 1, flags: 1 }, block.subarray(0, 1)),
      frame(9, { streamId: 1 }, block.subarray(1, 3)),
      frame(9, { streamId: 1, flags: 4 }, block.subarray(3)),
    )
    expect(connection.streams[0]).toMatchObject({ endCount: 1 })
    expect(connection.streams[0]?.stream.head.path).toBe('/a')
  })

  test('a long text in the answer is divided into frames the client takes', async () => {
    const connection = await greeted()
    await connection.send(connection.request(1, { isEnd: true }))
    connection.streams[0]?.stream.respondAndEnd([{ name: 'text', value: '~'.repeat(40_000) }])
    await turn()
    const frames = connection.frames()
    expect(frames.map(({ type, flags }) => [type, flags])).toEqual([
      [1, 1],
      [9, 0],
      [9, 4],
    ])
  })

  test('pings come back, acknowledgements and unknown frames are passed over', async () => {
    const connection = await greeted()
    await connection.send(
      frame(6, {}, Buffer.from('12345678')),
      frame(6, { flags: 1 }, Buffer.alloc(8)),
      frame(2, { streamId: 5 }, Buffer.alloc(5)),
      frame(77, { streamId: 9 }, Buffer.alloc(5)),
      frame(8, { streamId: 0 }, number32(5)),
    )
    expect(connection.texts()).toEqual(['PING ack 12345678'])
  })

  test('a ping that is one too many ends the connection with the text for it', async () => {
    const connection = await greeted({ onPing: () => 'too_many_pings' })
    await connection.send(frame(6, {}, Buffer.alloc(8)))
    expect(connection.texts().at(-1)).toBe('GOAWAY 0 11 too_many_pings')
  })
})

describe('flow control', () => {
  test('an answer follows the windows of stream and connection', async () => {
    const connection = await greeted({}, setting(4, 10))
    await connection.send(connection.request(1, { isEnd: true }))
    const [record] = connection.streams
    record?.stream.respond(ok)
    record?.stream.write(Buffer.alloc(100_000))
    record?.stream.finish(trailers)
    await turn()
    expect(connection.texts()).toEqual(['HEADERS 1 :status=200', 'DATA 1 10'])
    expect(record?.stream.queuedBytes).toBe(99_990)
    await connection.send(frame(8, { streamId: 1 }, number32(99_990)))
    // 65,535 bytes of the connection's window in frames of 16 KiB.
    expect(connection.texts()).toEqual([
      'DATA 1 16384',
      'DATA 1 16384',
      'DATA 1 16384',
      'DATA 1 16373',
    ])
    await connection.send(frame(8, {}, number32(100_000)))
    expect(connection.texts().slice(-2)).toEqual(['DATA 1 1697', 'HEADERS 1 grpc-status=0 end'])
    expect(record).toMatchObject({ closeCount: 1, drainCount: 0 })
  })

  test('streams take turns, and are told when all has been taken', async () => {
    const connection = await greeted()
    await connection.send(...[1, 3, 5].map((id) => connection.request(id, { isEnd: true })))
    const sizesBytes = [65_535, 30_000, 30_000]
    for (const [position, { stream }] of connection.streams.entries()) {
      stream.respond(ok)
      stream.write(Buffer.alloc(sizesBytes[position]!))
    }
    await turn()
    connection.frames()
    await connection.send(frame(8, {}, number32(60_000)))
    expect(connection.texts()).toEqual([
      'DATA 3 16384',
      'DATA 5 16384',
      'DATA 3 13616',
      'DATA 5 13616',
    ])
    expect(connection.streams.map(({ drainCount }) => drainCount)).toEqual([0, 1, 1])
  })

  test('a window made smaller may be negative and opens again', async () => {
    const connection = await greeted({}, setting(4, 100))
    await connection.send(connection.request(1, { isEnd: true }))
    const stream = connection.streams[0]!.stream
    stream.respond(ok)
    stream.write(Buffer.alloc(100))
    await connection.send(frame(4, {}, setting(4, 10)))
    expect(stream.sendWindowBytes).toBe(-90)
    stream.write(Buffer.alloc(50))
    await connection.send(frame(8, { streamId: 1 }, number32(90)))
    expect(stream.queuedBytes).toBe(50)
    await connection.send(frame(8, { streamId: 1 }, number32(50)))
    expect(stream.queuedBytes).toBe(0)
  })

  test('a socket that is full holds data back, and lets it go on', async () => {
    const connection = await greeted({}, setting(4, 10_000_000))
    await connection.send(
      frame(8, {}, number32(10_000_000)),
      connection.request(1, { isEnd: true }),
    )
    connection.socket.isTaking = false
    const record = connection.streams[0]!
    record.stream.respond(ok)
    for (let count = 0; count < 50; count++) record.stream.write(Buffer.alloc(100_000))
    await turn()
    expect(record.stream.queuedBytes).toBeGreaterThan(4_000_000)
    connection.socket.takeAll()
    await turn()
    await turn()
    for (let count = 0; count < 100 && record.stream.queuedBytes > 0; count++) await turn()
    expect(record).toMatchObject({ drainCount: 1 })
    expect(record.stream.queuedBytes).toBe(0)
  })

  test('what is read is given back in large steps, what waits is not', async () => {
    const connection = await greeted()
    await connection.send(connection.request(1))
    const record = connection.streams[0]!
    const piece = data(1, Buffer.alloc(16_384))
    await connection.send(...Array.from({ length: 32 }, () => piece))
    expect(connection.texts()).toEqual([`WINDOW 1 ${32 * 16_384}`])
    record.stream.pause()
    await connection.send(...Array.from({ length: 32 }, () => piece))
    expect(record.chunks.length).toBe(32)
    expect(connection.texts()).toEqual([])
    await connection.send(data(1, '', 1))
    expect(record.endCount).toBe(0)
    record.stream.resume()
    expect(record).toMatchObject({ endCount: 1 })
    expect(record.content.length).toBe(64 * 16_384)
  })

  test('the connection window is given back at half', async () => {
    const connection = await greeted()
    await connection.send(connection.request(1), connection.request(3), connection.request(5))
    for (let count = 0; count < 128; count++) {
      await connection.send(data([1, 3, 5][count % 3]!, Buffer.alloc(16_384)))
    }
    expect(connection.texts()).toContain('WINDOW 0 2097152')
  })
})

/** What a client does wrong, and the code it is told. */
type Mistake = readonly [string, (connection: RawConnection) => Buffer[]]
const opened = (connection: RawConnection): Buffer => connection.request(1)
const ended = (connection: RawConnection): Buffer => connection.request(1, { isEnd: true })

describe('mistakes that end the connection', () => {
  const cases: readonly [number, Mistake][] = [
    [1, ['headers without a stream', () => [frame(1, { flags: 4 })]]],
    [1, ['a stream of even number', (connection) => [connection.request(2)]]],
    [1, ['a stream id that was passed over', (c) => [Buffer.concat([c.request(3), c.request(1)])]]],
    [1, ['data without a stream', () => [frame(0, {}, Buffer.of(1))]]],
    [1, ['data of a stream never opened', () => [data(7, 'x')]]],
    [1, ['a reset of a stream never opened', () => [frame(3, { streamId: 7 }, number32(8))]]],
    [1, ['a window of a stream never opened', () => [frame(8, { streamId: 7 }, number32(8))]]],
    [1, ['a promise', () => [frame(5, { streamId: 1 }, number32(2))]]],
    [1, ['a continuation of nothing', () => [frame(9, { streamId: 1, flags: 4 })]]],
    [
      1,
      [
        'a continuation of another stream',
        () => [frame(1, { streamId: 1 }), frame(9, { streamId: 3, flags: 4 })],
      ],
    ],
    [
      1,
      ['a frame inside a block', () => [frame(1, { streamId: 1 }), frame(6, {}, Buffer.alloc(8))]],
    ],
    [
      1,
      [
        'padding longer than the data',
        (connection) => [opened(connection), frame(0, { flags: 8, streamId: 1 }, Buffer.of(5, 1))],
      ],
    ],
    [
      1,
      ['padding longer than the block', () => [frame(1, { flags: 12, streamId: 1 }, Buffer.of(9))]],
    ],
    [1, ['padding without a length', () => [frame(1, { flags: 12, streamId: 1 })]]],
    [1, ['a priority cut short', () => [frame(1, { flags: 0x24, streamId: 1 }, Buffer.of(9))]]],
    [
      1,
      [
        'a stream that depends on itself',
        (c) => [
          frame(
            1,
            { flags: 0x24, streamId: 1 },
            Buffer.concat([number32(1), Buffer.of(0), c.encoder.encode(requestFields)]),
          ),
        ],
      ],
    ],
    [
      1,
      [
        'a priority of a stream on itself',
        () => [frame(2, { streamId: 1 }, Buffer.concat([number32(1), Buffer.of(0)]))],
      ],
    ],
    [1, ['a priority without a stream', () => [frame(2, {}, Buffer.alloc(5))]]],
    [6, ['a priority of four bytes', () => [frame(2, { streamId: 1 }, Buffer.alloc(4))]]],
    [
      6,
      [
        'a reset of three bytes',
        (connection) => [opened(connection), frame(3, { streamId: 1 }, Buffer.alloc(3))],
      ],
    ],
    [6, ['a ping of seven bytes', () => [frame(6, {}, Buffer.alloc(7))]]],
    [1, ['a ping on a stream', () => [frame(6, { streamId: 1 }, Buffer.alloc(8))]]],
    [1, ['settings on a stream', () => [frame(4, { streamId: 1 })]]],
    [6, ['settings of seven bytes', () => [frame(4, {}, Buffer.alloc(7))]]],
    [6, ['an acknowledgement with content', () => [frame(4, { flags: 1 }, Buffer.alloc(6))]]],
    [1, ['a push setting of 2', () => [frame(4, {}, setting(2, 2))]]],
    [3, ['an initial window of 2^31', () => [frame(4, {}, setting(4, 0x8000_0000))]]],
    [1, ['a frame size below the smallest', () => [frame(4, {}, setting(5, 16_383))]]],
    [1, ['a frame size above the largest', () => [frame(4, {}, setting(5, 0x100_0000))]]],
    [11, ['a hundred settings at once', () => [frame(4, {}, Buffer.alloc(600))]]],
    [1, ['a window increment of 0', () => [frame(8, {}, number32(0))]]],
    [6, ['a window increment of five bytes', () => [frame(8, {}, Buffer.alloc(5))]]],
    [3, ['a connection window above 2^31', () => [frame(8, {}, number32(0x7fff_ffff))]]],
    [
      3,
      [
        'a stream window above 2^31 by settings',
        (connection) => [
          opened(connection),
          frame(8, { streamId: 1 }, number32(0x7fff_0000)),
          frame(4, {}, setting(4, 0x7fff_ffff)),
        ],
      ],
    ],
    [6, ['a frame above 16 KiB', () => [frame(0, { streamId: 1 }, Buffer.alloc(16_385))]]],
    [
      9,
      [
        'a block that cannot be decoded',
        () => [frame(1, { flags: 4, streamId: 1 }, Buffer.of(0x80))],
      ],
    ],
    [1, ['a goodbye on a stream', () => [frame(7, { streamId: 1 }, Buffer.alloc(8))]]],
    [
      3,
      [
        'more data than the window of the stream',
        (connection) => [
          opened(connection),
          ...Array.from({ length: 65 }, () => data(1, Buffer.alloc(16_384))),
        ],
      ],
    ],
  ]

  test.each(cases.map(([code, [name, bytes]]) => ({ code, name, bytes })))(
    '$name: code $code',
    async ({ code, bytes }) => {
      const connection = await greeted()
      const frames = bytes(connection)
      await connection.send(frames[0]!)
      connection.streams[0]?.stream.pause()
      if (frames.length > 1) await connection.send(...frames.slice(1))
      const goaway = connection.texts().at(-1)
      expect(goaway).toMatch(new RegExp(`^GOAWAY \\d+ ${code} .`))
      expect(connection.failures.length).toBe(1)
      expect(connection.streams.every(({ closeCount }) => closeCount === 1)).toBe(true)
      // A client that does not go by itself is disconnected.
      connection.clock.advance(1_000)
      await turn()
      expect(connection).toMatchObject({ closeCount: 1 })
      expect(connection.clock.waitingCount).toBe(0)
    },
  )

  test.each([
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['something else than settings first', Buffer.concat([preface, frame(6, {}, Buffer.alloc(8))])],
    ['an acknowledgement first', Buffer.concat([preface, frame(4, { flags: 1 })])],
  ])('%s is refused at once', async (_name, bytes) => {
    const connection = new RawConnection()
    await connection.send(bytes)
    expect(connection.texts().at(-1)).toMatch(/^GOAWAY 0 1 /)
  })
})

describe('mistakes that end one stream', () => {
  const cases: readonly [string, string, (connection: RawConnection) => Buffer[]][] = [
    [
      'a malformed request',
      'RST 1 1',
      (c) => [c.request(1, { extra: [{ name: 'Te', value: 'x' }] })],
    ],
    [
      'a header list above the limit',
      'RST 1 11',
      (c) => {
        c.encoder.encode([{ name: 'x', value: 'y'.repeat(3_900), isCommon: true }])
        const adding = frame(
          1,
          { flags: 5, streamId: 1 },
          Buffer.concat([
            c.encoder.encode(requestFields),
            // A long field enters the table and is repeated from there.
            Buffer.concat([
              Buffer.from('40017a7f9d1e', 'hex'),
              Buffer.alloc(3_996, 'y'),
              Buffer.alloc(30, 0xbe),
            ]),
          ]),
        )
        return [adding]
      },
    ],
    [
      'more data than told',
      'RST 1 1',
      (c) => [c.request(1, { extra: [{ name: 'content-length', value: '2' }] }), data(1, 'abc')],
    ],
    [
      'less data than told',
      'RST 1 1',
      (c) => [c.request(1, { extra: [{ name: 'content-length', value: '9' }] }), data(1, 'abc', 1)],
    ],
    [
      'no data though told',
      'RST 1 1',
      (c) => [c.request(1, { isEnd: true, extra: [{ name: 'content-length', value: '9' }] })],
    ],
    ['data after the end', 'RST 1 5', (c) => [ended(c), data(1, 'x')]],
    ['headers after the end', 'RST 1 5', (c) => [ended(c), c.request(1)]],
    [
      'trailers that do not end',
      'RST 1 1',
      (c) => [
        opened(c),
        frame(1, { flags: 4, streamId: 1 }, c.encoder.encode([{ name: 'x', value: 'y' }])),
      ],
    ],
    ['trailers with pseudo fields', 'RST 1 1', (c) => [opened(c), c.request(1, { isEnd: true })]],
    [
      'a stream window increment of 0',
      'RST 1 1',
      (c) => [opened(c), frame(8, { streamId: 1 }, number32(0))],
    ],
    [
      'a stream window above 2^31',
      'RST 1 3',
      (c) => [opened(c), frame(8, { streamId: 1 }, number32(0x7fff_ffff))],
    ],
  ]

  test.each(cases)('%s: %s', async (_name, expected, bytes) => {
    const connection = await greeted()
    await connection.send(...bytes(connection))
    expect(connection.texts()).toContain(expected)
    await connection.send(connection.request(101, { isEnd: true }))
    expect(connection.streams.at(-1)?.stream.id).toBe(101)
    expect(connection.failures).toEqual([])
  })

  test('streams above the limit are refused, and taken again when one has ended', async () => {
    const connection = await greeted({ concurrentStreamsMax: 1 })
    await connection.send(connection.request(1, { isEnd: true }), connection.request(3))
    expect(connection.texts()).toEqual(['RST 3 7'])
    connection.streams[0]?.stream.respondAndEnd(ok)
    await connection.send(connection.request(5))
    expect(connection.streams.map(({ stream }) => stream.id)).toEqual([1, 5])
  })
})

describe('floods', () => {
  const floods: readonly [string, (connection: RawConnection, number: number) => Buffer][] = [
    ['settings', () => frame(4, {})],
    ['priorities', () => frame(2, { streamId: 1 }, Buffer.alloc(5))],
    ['empty data', (c, number) => (number === 0 ? c.request(1) : data(1, ''))],
    ['unknown frames', () => frame(99, {})],
    ['acknowledged pings', () => frame(6, { flags: 1 }, Buffer.alloc(8))],
    [
      'streams opened and reset',
      (c, number) =>
        Buffer.concat([
          c.request(number * 2 + 1),
          frame(3, { streamId: number * 2 + 1 }, number32(8)),
        ]),
    ],
    [
      'malformed requests',
      (c, number) => c.request(number * 2 + 1, { extra: [{ name: 'A', value: '' }] }),
    ],
    ['empty continuations', (_c, number) => frame(number === 0 ? 1 : 9, { streamId: 1 })],
    [
      'an endless block',
      (_c, number) => frame(number === 0 ? 1 : 9, { streamId: 1 }, Buffer.alloc(16_000, 0x20)),
    ],
  ]

  test.each(floods)('%s end the connection', async (_name, make) => {
    const connection = await greeted()
    let sentCount = 0
    while (sentCount < 10_000 && connection.failures.length === 0) {
      await connection.send(...Array.from({ length: 50 }, () => make(connection, sentCount++)))
    }
    expect(sentCount).toBeLessThan(7_000)
    expect(connection.texts().at(-1)).toMatch(/^GOAWAY \d+ 11 /)
  })

  test('an orderly pace is no flood', async () => {
    const connection = await greeted()
    for (let number = 0; number < 5_000; number++) {
      const id = number * 2 + 1
      connection.socket.push(
        Buffer.concat([connection.request(id), frame(3, { streamId: id }, number32(8))]),
      )
      connection.clock.advance(10)
    }
    await turn()
    expect(connection.failures).toEqual([])
  })

  test('a client that asks and does not read is not read either, and goes in the end', async () => {
    const connection = await greeted()
    connection.socket.isTaking = false
    let sentCount = 0
    for (; sentCount < 100_000 && !connection.socket.isPaused(); sentCount++) {
      await connection.send(...Array.from({ length: 1_000 }, () => frame(6, {}, Buffer.alloc(8))))
    }
    expect(connection.socket.isPaused()).toBe(true)
    expect(sentCount).toBeLessThan(100)
    connection.clock.advance(120_000)
    expect(connection.failures).toEqual(['stalled'])
  })

  test('an answer that nobody takes ends the connection, an open stream does not', async () => {
    const connection = await greeted({}, setting(4, 10))
    await connection.send(connection.request(1, { isEnd: true }))
    const stream = connection.streams[0]!.stream
    stream.respond(ok)
    stream.write(Buffer.alloc(100))
    connection.clock.advance(10_000_000)
    expect(connection.failures).toEqual([])
    stream.finish(trailers)
    connection.clock.advance(120_000)
    expect(connection.failures).toEqual(['stalled'])
  })
})

describe('time', () => {
  test.each([
    ['silence', (): Buffer => Buffer.alloc(0)],
    ['half a preface', (): Buffer => preface.subarray(0, 10)],
    ['a preface without settings', (): Buffer => preface],
    ['half a frame head', (): Buffer => Buffer.concat([preface, frame(4, {}), Buffer.alloc(5)])],
    [
      'half a frame',
      (): Buffer =>
        Buffer.concat([preface, frame(4, {}), frame(0, {}, Buffer.alloc(9)).subarray(0, 12)]),
    ],
    [
      'half a block',
      (): Buffer => Buffer.concat([preface, frame(4, {}), frame(1, { streamId: 1 })]),
    ],
  ])('%s for ten seconds ends the connection', async (_name, bytes) => {
    const connection = new RawConnection()
    if (bytes().length > 0) await connection.send(bytes())
    connection.clock.advance(20_001)
    expect(connection.failures).toEqual(['incomplete frame'])
  })

  test('a connection without calls stays and costs no timer', async () => {
    const connection = await greeted()
    connection.clock.advance(86_400_000)
    expect(connection.failures).toEqual([])
    expect(connection.clock.waitingCount).toBe(0)
  })
})

describe('signs of life', () => {
  const keepalive = { intervalMs: 60_000, timeoutMs: 20_000 }
  const alivePing = `PING ${'\0'.repeat(8)}`

  test('a client that was silent is pinged, and one that does not answer is given up', async () => {
    const connection = await greeted({ keepalive })
    // Its settings came within the first of the two intervals.
    connection.clock.advance(119_999)
    await turn()
    expect(connection.texts()).toEqual([])
    connection.clock.advance(1)
    await turn()
    expect(connection.texts()).toEqual([alivePing])
    connection.clock.advance(19_999)
    expect(connection.failures).toEqual([])
    connection.clock.advance(1)
    expect(connection.failures).toEqual(['no answer to a ping'])
    connection.clock.advance(1_000)
    expect(connection.clock.waitingCount).toBe(0)
  })

  test('a client that answers, or speaks by itself, stays', async () => {
    const connection = await greeted({ keepalive })
    for (let round = 0; round < 10; round++) {
      connection.clock.advance(60_000)
      await connection.send(frame(6, { flags: 1 }, Buffer.alloc(8)))
      connection.clock.advance(20_000)
    }
    await connection.send(connection.request(1))
    connection.texts()
    connection.clock.advance(60_000)
    await turn()
    expect(connection.texts()).toEqual([])
    expect(connection.failures).toEqual([])
  })

  test.each([0, 2 ** 31])('an interval of %i ms asks nobody', async (intervalMs) => {
    const connection = await greeted({ keepalive: { intervalMs, timeoutMs: 1 } })
    connection.clock.advance(10_000)
    expect(connection.clock.waitingCount).toBe(0)
  })
})

describe('the end', () => {
  test('a stream that has ended cannot be asked again', async () => {
    const connection = await greeted()
    await connection.send(connection.request(1, { isEnd: true }))
    connection.streams[0]?.stream.respondAndEnd(ok)
    await turn()
    // The client had ended its side, so there is nothing to reset.
    expect(connection.texts()).toEqual(['HEADERS 1 :status=200 end'])
    await connection.send(connection.request(1, { isEnd: true }))
    expect(connection.texts()).toEqual(['GOAWAY 1 5 HEADERS of a stream that has ended'])
  })

  test('closing lets streams finish and refuses new ones', async () => {
    const connection = await greeted()
    await connection.send(connection.request(1, { isEnd: true }))
    connection.server.close()
    await connection.send(connection.request(3))
    expect(connection.texts()).toEqual(['GOAWAY 1 0 ', 'RST 3 7'])
    expect(connection.closeCount).toBe(0)
    connection.streams[0]?.stream.respondAndEnd(ok)
    await turn()
    expect(connection.texts()).toEqual(['HEADERS 1 :status=200 end'])
    expect(connection.socket.writableEnded).toBe(true)
    connection.clock.advance(1_000)
    await turn()
    expect(connection.closeCount).toBe(1)
  })

  test('a client that leaves closes its streams', async () => {
    const connection = await greeted()
    await connection.send(connection.request(1))
    connection.socket.push(null)
    await turn()
    await turn()
    expect(connection.streams[0]?.closeCount).toBe(1)
    expect(connection.closeCount).toBe(1)
  })

  test('a client that says goodbye gets its answers first', async () => {
    const connection = await greeted()
    await connection.send(connection.request(1, { isEnd: true }), frame(7, {}, Buffer.alloc(8)))
    connection.streams[0]?.stream.respondAndEnd(ok)
    await turn()
    expect(connection.texts()).toEqual(['GOAWAY 1 0 ', 'HEADERS 1 :status=200 end'])
  })

  test('destroying ends everything at once', async () => {
    const connection = await greeted()
    await connection.send(connection.request(1))
    connection.server.destroy()
    expect(connection.streams[0]?.closeCount).toBe(1)
    expect(connection.closeCount).toBe(1)
    await turn()
    expect(connection.closeCount).toBe(1)
  })

  test('nothing happens to a stream after its end', async () => {
    const connection = await greeted()
    await connection.send(connection.request(1))
    const stream = connection.streams[0]!.stream
    stream.reset(8)
    stream.respond(ok)
    stream.write(Buffer.alloc(5))
    stream.finish(trailers)
    stream.respondAndEnd(ok)
    stream.reset(8)
    await turn()
    expect(connection.texts()).toEqual(['RST 1 8'])
    expect(connection.streams[0]?.closeCount).toBe(1)
  })
})

describe('garbage', () => {
  test('changed bytes end the connection as defined, or nothing', async () => {
    const random = seededRandom(9113)
    let failureCount = 0
    for (let round = 0; round < 2_000; round++) {
      const connection = new RawConnection()
      const bytes = Buffer.concat([
        preface,
        frame(4, {}, setting(4, 1_000)),
        connection.request(1),
        data(1, 'some content', 1),
        frame(6, {}, Buffer.alloc(8)),
        frame(8, { streamId: 1 }, number32(5)),
        connection.request(3, { isEnd: true }),
        frame(3, { streamId: 3 }, number32(8)),
      ])
      for (let count = 1 + random.below(4); count > 0; count--) {
        bytes[24 + random.below(bytes.length - 24)] = random.below(256)
      }
      connection.socket.push(bytes)
      await turn()
      failureCount += connection.failures.length
      connection.server.destroy()
      expect(connection.streams.every(({ closeCount }) => closeCount === 1)).toBe(true)
      expect(connection.clock.waitingCount).toBeLessThanOrEqual(1)
    }
    expect(failureCount).toBeGreaterThan(100)
  })
})
