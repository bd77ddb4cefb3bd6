import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { concatBytes } from '../../../../src/core/base/bytes.ts'
import type { Backend } from '../../../../src/core/backend/backend.ts'
import { MemoryBackendFactory } from '../../../../src/core/backend/memory-backend.ts'
import { ByteArena } from '../../../../src/core/mvcc/byte-arena.ts'
import { ChecksumFold } from '../../../../src/core/mvcc/checksum-fold.ts'
import { putKeyRecord } from '../../../../src/core/mvcc/key-record.ts'
import { PairMeter, PairPacker } from '../../../../src/core/mvcc/packed-pairs.ts'
import { encodeRevisionKey } from '../../../../src/core/mvcc/revision.ts'
import { noLease } from '../../../../src/core/base/ids.ts'

const allocate = (sizeBytes: number): Uint8Array => Buffer.alloc(sizeBytes, 0xee)

let backend: Backend
beforeEach(async () => {
  backend = await new MemoryBackendFactory().open('db')
})

test('the checksum of messages in a row follows from theirs, whatever they were begun with', () => {
  const part = fc.oneof(
    fc.record({ message: fc.uint8Array({ maxLength: 6 }), seed: fc.nat(0xffff_ffff) }),
    fc.record({ byte: fc.nat(255) }),
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 1_200 }), (parts) => {
      const fold = new ChecksumFold()
      const all = parts.map((each) => {
        if ('byte' in each) {
          fold.addByte(each.byte)
          return Uint8Array.of(each.byte)
        }
        const { message, seed } = each
        fold.addMessage(message.length, crc32c(message, seed), seed)
        return message
      })
      expect(fold.checksum).toBe(crc32c(concatBytes(all)))
    }),
  )
})

test('a fold can be used again, and knows long messages', () => {
  const fold = new ChecksumFold()
  const long = new Uint8Array(1_500_001).map((_, position) => position * 31)
  fold.addByte(1)
  fold.clear()
  fold.addMessage(long.length, crc32c(long, 5), 5)
  fold.addMessage(long.length, crc32c(long, 6), 6)
  expect(fold.checksum).toBe(crc32c(concatBytes([long, long])))
})

/** Records of puts as they are stored, each with some bytes in front, and their messages. */
function recordsOf(values: readonly Uint8Array[]): {
  readonly encoded: Uint8Array
  readonly record: Uint8Array
}[] {
  const batch = backend.beginBatch()
  const arena = new ByteArena()
  const records = values.map((value, position) => {
    const version = { main: position + 2, sub: 0, isTombstone: false }
    const before = { main: 1, sub: 0, isTombstone: position % 2 === 0 }
    const { encoded } = putKeyRecord(batch, version, {
      fields: {
        key: Uint8Array.of(7, position),
        value,
        createRevision: 1,
        modRevision: position + 2,
        version: 1,
        lease: noLease,
      },
      ancestry: { previous: position % 3 === 0 ? undefined : before, jump: undefined },
      arena,
    })
    const stored = [...batch.scan('key', { start: encodeRevisionKey(position + 2, 0) })][0]
    if (stored === undefined) throw new Error('the record was put')
    return { encoded, record: concatBytes([Uint8Array.of(9, 9, 9), stored.value]) }
  })
  backend.commitBatch(batch)
  return records
}

function framed(encoded: Uint8Array): Uint8Array {
  const prefix = [0x12]
  let rest = encoded.length
  for (; rest >= 0x80; rest >>>= 7) prefix.push((rest & 0x7f) | 0x80)
  return concatBytes([Uint8Array.from([...prefix, rest]), encoded])
}

const sizes = [0, 1, 20, 31, 32, 100, 127, 128, 300, 8_000, 9_000, 16_500, 70_000, 300]

test('pairs are packed as a repeated field, from the smallest to those of several pieces', () => {
  const values = [...sizes, ...Array.from({ length: 2_000 }, (_, number) => number % 400)]
  const records = recordsOf(values.map((size, number) => new Uint8Array(size).fill(number)))
  const packer = new PairPacker(allocate)
  const meter = new PairMeter()
  for (const { record } of records) {
    packer.take(record, 3, record.length - 3)
    meter.take(record, 3, record.length - 3)
  }
  const expected = concatBytes(records.map(({ encoded }) => framed(encoded)))
  const pieces = packer.finish()
  expect(Buffer.compare(concatBytes(pieces), expected)).toBe(0)
  expect(packer.sizeBytes).toBe(expected.length)
  expect(meter.sizeBytes).toBe(expected.length)
  expect(packer.finish()).toEqual([])
})

test('a bit that is wrong anywhere in a record is noticed', () => {
  const [first, second, third] = recordsOf([
    Uint8Array.of(1, 2, 3),
    new Uint8Array(50).fill(4),
    new Uint8Array(9_000).fill(5),
  ])
  if (first === undefined || second === undefined || third === undefined) throw new Error('three')
  for (const { record } of [first, second]) {
    for (let bit = 24; bit < record.length * 8; bit++) {
      const damaged = record.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const packer = new PairPacker(allocate)
      packer.take(first.record, 3, first.record.length - 3)
      // A damaged length of the ancestry may leave no room for a message, which is noticed at once.
      expect(() => {
        packer.take(damaged, 3, damaged.length - 3)
        packer.take(third.record, 3, third.record.length - 3)
        packer.finish()
      }).toThrow('checksum')
    }
  }
})
