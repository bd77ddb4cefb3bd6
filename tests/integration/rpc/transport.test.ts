import { connect as connectSocket } from 'node:net'
import { gunzipSync, gzipSync } from 'node:zlib'
import { Client, credentials } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLogger } from '../../../src/core/base/logger.ts'
import { StoreError } from '../../../src/core/errors/store-error.ts'
import { systemClock } from '../../../src/core/io/system-clock.ts'
import { HealthCheckRequest, HealthCheckResponse } from '../../../src/core/proto/gen/health.ts'
import { ClientPort } from '../../../src/core/rpc/client-port.ts'
import { Http2Transport } from '../../../src/core/rpc/http2-transport.ts'
import { parseListenUrl } from '../../../src/core/rpc/listen-url.ts'
import { decodeStreamMessage, streamMethod, unaryMethod } from '../../../src/core/rpc/method.ts'
import type { StreamCall } from '../../../src/core/rpc/rpc-call.ts'
import { statusOfError } from '../../../src/core/rpc/status-mapping.ts'
import { frameMessage } from '../../../src/core/rpc/wire-writer.ts'
import { framed, RawGrpcClient } from '../../helpers/raw-grpc.ts'

/** A message that comes back as it went: the health request has one string. */
const message = (text: string): Uint8Array => HealthCheckRequest.encode({ service: text }).finish()
const text = (bytes: Uint8Array | undefined): string =>
  HealthCheckRequest.decode(bytes ?? new Uint8Array()).service

let port: ClientPort
let transport: Http2Transport
let client: RawGrpcClient
let openCalls: StreamCall[]
let fatalErrors: unknown[]
let endedCount: number
let cancelCount: number
let waitingCount: number

beforeEach(async () => {
  openCalls = []
  fatalErrors = []
  endedCount = 0
  cancelCount = 0
  waitingCount = 0
  const echo = unaryMethod(HealthCheckRequest, async (request, call) => {
    if (request.service === 'compacted') throw new StoreError('compacted')
    if (request.service === 'odd') throw new Error('schräg & 100%')
    if (request.service === 'wait') {
      waitingCount++
      await new Promise((_, reject) => {
        call.setCancelListener({
          canceled: () => {
            cancelCount++
            reject(new StoreError('contextCanceled'))
          },
        })
      })
    }
    return frameMessage(message(request.service))
  })
  const chat = streamMethod((call) => {
    openCalls.push(call)
    call.onEnd(() => endedCount++)
    call.read(
      (bytes) => {
        try {
          const { service } = decodeStreamMessage(HealthCheckRequest, bytes)
          if (service === 'bye') call.end(statusOfError(new StoreError('noLeader')))
          else call.send(frameMessage(message(`${service}!`)))
        } catch (error) {
          call.end(statusOfError(error))
        }
      },
      () => undefined,
    )
  })
  transport = new Http2Transport({
    clock: systemClock,
    logger: silentLogger,
    services: new Map([
      [
        'test.Talk',
        new Map([
          ['Echo', echo],
          ['Chat', chat],
        ]),
      ],
    ]),
    admit: () => undefined,
    onStreamAdmitted: () => undefined,
    messageSizeBytesMax: 2_000_000,
    concurrentStreamsMax: 4_294_967_295,
    keepaliveMinTimeMs: 5_000,
    onFatal: (error) => fatalErrors.push(error),
  })
  port = await ClientPort.bind([parseListenUrl('http://localhost:0')], { clock: systemClock })
  port.serve({
    onHttp2: (socket) => {
      transport.accept(socket)
    },
    onHttp1: (socket) => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nhttp')
    },
  })
  client = new RawGrpcClient(port.url)
})

afterEach(async () => {
  client.close()
  port.close()
  await transport.stop(statusOfError(new StoreError('stopped')), 100)
})

describe('unary calls', () => {
  test('a message comes back with status 0', async () => {
    const answer = await client.call('/test.Talk/Echo', framed(message('hello')))
    expect(answer).toMatchObject({ httpStatus: 200, code: 0, text: '' })
    expect(text(answer.messages[0])).toBe('hello')
    expect(answer.headers['content-type']).toBe('application/grpc')
  })

  test('a message of a megabyte comes back whole', async () => {
    const long = 'x'.repeat(1_000_000)
    const answer = await client.call('/test.Talk/Echo', framed(message(long)))
    expect(text(answer.messages[0])).toBe(long)
  })

  test('a call is answered before its client has half-closed, and a second message is ignored', async () => {
    const call = client.open('/test.Talk/Echo')
    call.write(Buffer.concat([framed(message('one')), framed(message('two'))]))
    const answer = await call.answer
    expect(answer.messages.map((each) => text(each))).toEqual(['one'])
  })

  test.each([
    [
      'a refusal',
      framed(message('compacted')),
      11,
      'etcdserver: mvcc: required revision has been compacted',
    ],
    ['an unexpected error', framed(message('odd')), 2, 'schräg & 100%'],
    ['no message', undefined, 2, 'EOF'],
    ['a truncated message', Uint8Array.of(0, 0, 0, 0, 9, 1), 2, 'unexpected EOF'],
    ['half a prefix', Uint8Array.of(0, 0), 2, 'unexpected EOF'],
    [
      'a message that is too large',
      framed(new Uint8Array(2_000_001)),
      8,
      'grpc: received message larger than max (2000001 vs. 2000000)',
    ],
    [
      'a length of 2 GiB and nothing more',
      Uint8Array.of(0, 0x80, 0, 0, 0),
      8,
      'grpc: received message larger than max (2147483648 vs. 2000000)',
    ],
    [
      'a compressed flag without encoding',
      framed(message('x'), 1),
      13,
      'grpc: compressed flag set with identity or empty encoding',
    ],
  ])('%s is told as etcd tells it', async (_name, body, code, expected) => {
    expect(await client.call('/test.Talk/Echo', body)).toMatchObject({ code, text: expected })
    expect(await client.call('/test.Talk/Echo', framed(message('ok')))).toMatchObject({ code: 0 })
  })

  test('a malformed message is an internal error', async () => {
    const answer = await client.call('/test.Talk/Echo', framed(Uint8Array.of(0x0a, 0x7f, 0x41)))
    expect(answer.code).toBe(13)
    expect(answer.text).toMatch(/^grpc: error unmarshalling request: /)
  })

  test.each([
    ['/test.Talk/Nothing', 12, 'unknown method Nothing for service test.Talk'],
    ['/test.Other/Echo', 12, 'unknown service test.Other'],
    ['/Echo', 12, 'malformed method name: "/Echo"'],
  ])('%s is unimplemented', async (path, code, expected) => {
    const answer = await client.call(path, framed(message('x')))
    expect(answer).toMatchObject({ code, text: expected, messages: [] })
  })

  test('an unknown encoding is refused, gzip is understood and answered in kind', async () => {
    expect(
      await client.call('/test.Talk/Echo', framed(message('x')), { 'grpc-encoding': 'deflate' }),
    ).toMatchObject({
      code: 12,
      text: 'grpc: Decompressor is not installed for grpc-encoding "deflate"',
    })
    const answer = await client.call('/test.Talk/Echo', framed(gzipSync(message('squeezed')), 1), {
      'grpc-encoding': 'gzip',
    })
    expect(answer.headers['grpc-encoding']).toBe('gzip')
    expect(text(gunzipSync(answer.messages[0]!))).toBe('squeezed')
  })

  test('a wrong content type is refused with HTTP status 415', async () => {
    const answer = await client.call('/test.Talk/Echo', framed(message('x')), {
      'content-type': 'text/plain',
    })
    expect(answer).toMatchObject({
      httpStatus: 415,
      code: 3,
      text: 'invalid gRPC request content-type "text/plain"',
    })
  })

  test('a malformed deadline is refused with HTTP status 400', async () => {
    const answer = await client.call('/test.Talk/Echo', framed(message('x')), {
      'grpc-timeout': '5x',
    })
    expect(answer).toMatchObject({ httpStatus: 400, code: 13, text: 'malformed grpc-timeout: 5x' })
  })

  test('a deadline that passes aborts the work and resets the stream', async () => {
    const answer = await client.call('/test.Talk/Echo', framed(message('wait')), {
      'grpc-timeout': '30m',
    })
    expect(answer).toMatchObject({ code: -1, resetCode: 8 })
    expect(cancelCount).toBe(1)
  })

  test('a client that goes away aborts the work', async () => {
    const call = client.open('/test.Talk/Echo')
    call.send(message('wait'))
    await expect.poll(() => waitingCount).toBe(1)
    call.cancel()
    await expect.poll(() => cancelCount).toBe(1)
  })
})

describe('streams', () => {
  test('both directions stay open until the server ends the call', async () => {
    const call = client.open('/test.Talk/Chat')
    call.send(message('a'))
    expect(text(await call.next())).toBe('a!')
    call.send(message('b'))
    expect(text(await call.next())).toBe('b!')
    call.send(message('bye'))
    expect(await call.answer).toMatchObject({ code: 14, text: 'etcdserver: no leader' })
    expect(endedCount).toBe(1)
  })

  test('the client may half-close and go on listening', async () => {
    const call = client.open('/test.Talk/Chat')
    call.end(framed(message('last')))
    expect(text(await call.next())).toBe('last!')
    await new Promise((resolve) => setImmediate(resolve))
    expect(openCalls[0]?.hasEnded).toBe(false)
    openCalls[0]?.send(frameMessage(message('more')))
    expect(text(await call.next())).toBe('more')
  })

  test('a malformed message ends the stream', async () => {
    const call = client.open('/test.Talk/Chat')
    call.send(Uint8Array.of(0x0a, 0x7f, 0x41))
    const answer = await call.answer
    expect(answer.code).toBe(13)
    expect(answer.text).toMatch(/^grpc: failed to unmarshal the received message: /)
  })

  test('what a client does not read is counted, and told when it has been taken', async () => {
    const call = client.open('/test.Talk/Chat')
    call.send(message('start'))
    await call.next()
    call.pause()
    const [served] = openCalls
    let drainCount = 0
    served?.onDrain(() => drainCount++)
    const big = frameMessage(message('x'.repeat(500_000)))
    for (let count = 0; count < 20; count++) served?.send(big)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(served?.queuedBytes).toBeGreaterThan(8_000_000)
    expect(drainCount).toBe(0)
    call.resume()
    await expect.poll(() => served?.queuedBytes).toBe(0)
    expect(drainCount).toBe(1)
  })

  test('a paused call does not deliver', async () => {
    const call = client.open('/test.Talk/Chat')
    call.send(message('a'))
    await call.next()
    openCalls[0]?.setReading(false)
    call.send(message('b'))
    call.send(message('c'))
    await new Promise((resolve) => setTimeout(resolve, 30))
    openCalls[0]?.setReading(true)
    expect([text(await call.next()), text(await call.next())]).toEqual(['b!', 'c!'])
  })

  test('stopping ends streams with a status and closes the connection', async () => {
    const call = client.open('/test.Talk/Chat')
    call.send(message('a'))
    await call.next()
    await transport.stop(statusOfError(new StoreError('stopped')), 1_000)
    expect(await call.answer).toMatchObject({ code: 14, text: 'etcdserver: server stopped' })
  })
})

describe('connections', () => {
  test('pings in quick succession are a flood', async () => {
    await client.call('/test.Talk/Echo', framed(message('x')))
    for (let count = 0; count < 5; count++) client.ping()
    expect(await client.goaway).toEqual({ code: 11, text: 'too_many_pings' })
  })

  test('another protocol on the same port is told by its first bytes', async () => {
    const answer = await fetch(`${port.url}/anything`)
    expect(await answer.text()).toBe('http')
  })

  test('a preface in single bytes is recognised', async () => {
    const socket = connectSocket(Number(new URL(port.url).port), '127.0.0.1')
    socket.setNoDelay(true)
    const received: Buffer[] = []
    socket.on('data', (chunk) => received.push(chunk))
    const preface = Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    ])
    for (const byte of preface) {
      socket.write(Uint8Array.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await expect.poll(() => Buffer.concat(received)[3]).toBe(4)
    socket.destroy()
  })

  test('a thousand streams opened and reset do no harm', async () => {
    for (let count = 0; count < 1_000; count++) {
      const call = client.open('/test.Talk/Chat')
      call.send(message('x'))
      call.cancel()
    }
    expect(await client.call('/test.Talk/Echo', framed(message('ok')))).toMatchObject({ code: 0 })
    await expect.poll(() => openCalls.length - endedCount).toBe(0)
  })

  test('the usual gRPC library is served', async () => {
    const library = new Client(new URL(port.url).host, credentials.createInsecure())
    const answer = await new Promise<string>((resolve, reject) => {
      library.makeUnaryRequest(
        '/test.Talk/Echo',
        (value: string) => Buffer.from(message(value)),
        (bytes) => HealthCheckRequest.decode(bytes).service,
        'library',
        (error, value) => {
          if (error !== null) reject(error)
          else resolve(value ?? '')
        },
      )
    })
    library.close()
    expect(answer).toBe('library')
    expect(HealthCheckResponse.create().status).toBe(0)
  })
})
