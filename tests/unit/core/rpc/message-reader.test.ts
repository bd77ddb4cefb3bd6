import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { MessageReader } from '../../../../src/core/rpc/message-reader.ts'
import { framed } from '../../../helpers/raw-grpc.ts'

const identity = { messageSizeBytesMax: 1_000, encoding: 'identity' } as const

describe('MessageReader', () => {
  test('messages come out whole however the bytes were cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        (messages, cuts) => {
          const stream = Buffer.concat(messages.map((message) => framed(message)))
          const reader = new MessageReader(identity)
          const received: number[][] = []
          for (let offset = 0, cut = 0; offset < stream.length; cut++) {
            const sizeBytes = cuts[cut % cuts.length] ?? 1
            reader.push(stream.subarray(offset, offset + sizeBytes))
            offset += sizeBytes
            for (let next = reader.next(); next !== undefined; next = reader.next()) {
              received.push([...next])
            }
          }
          expect(received).toEqual(messages.map((message) => [...message]))
          expect(reader.bufferedBytes).toBe(0)
        },
      ),
    )
  })

  test('a length over the limit is refused before the message has arrived', () => {
    const reader = new MessageReader(identity)
    reader.push(Uint8Array.of(0, 0x80, 0, 0, 0))
    expect(() => reader.next()).toThrow(
      'grpc: received message larger than max (2147483648 vs. 1000)',
    )
  })

  test('a message of exactly the limit passes', () => {
    const reader = new MessageReader(identity)
    reader.push(framed(new Uint8Array(1_000)))
    expect(reader.next()?.length).toBe(1_000)
  })

  test('a compressed message is unpacked', () => {
    const reader = new MessageReader({ ...identity, encoding: 'gzip' })
    reader.push(framed(gzipSync(Buffer.from('value')), 1))
    expect(Buffer.from(reader.next() ?? []).toString()).toBe('value')
  })

  test('a compression bomb is refused', () => {
    const reader = new MessageReader({ messageSizeBytesMax: 10_000, encoding: 'gzip' })
    reader.push(framed(gzipSync(Buffer.alloc(5_000_000)), 1))
    expect(() => reader.next()).toThrow('grpc: message after decompression larger than max 10000')
  })

  test('bytes that are not gzip though flagged so are refused', () => {
    const reader = new MessageReader({ ...identity, encoding: 'gzip' })
    reader.push(framed(Buffer.from('plain'), 1))
    expect(() => reader.next()).toThrow('grpc: failed to decompress the received message')
  })

  test('the compressed flag without an encoding is refused', () => {
    const reader = new MessageReader(identity)
    reader.push(framed(Buffer.from('plain'), 1))
    expect(() => reader.next()).toThrow('grpc: compressed flag set with identity or empty encoding')
  })
})
