import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RecordEncoder } from '../../../../src/core/wal/record-encoder.ts'
import {
  parsePlainFrame,
  parseRecord,
  readLengthWord,
} from '../../../../src/core/wal/record-frame.ts'

function framesOf(datas: readonly Uint8Array[]): Uint8Array {
  const encoder = new RecordEncoder(7)
  for (const [at, data] of datas.entries()) {
    encoder.addEntry({ index: at + 1, term: 3, kind: 'normal', data })
  }
  return encoder.bytes.slice()
}

describe('parsePlainFrame', () => {
  test('reads what the encoder writes, frame by frame, as the reader in full does', () => {
    const datas = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(datas, (values) => {
        const bytes = framesOf(values)
        let at = 0
        for (const value of values) {
          const frame = parsePlainFrame(bytes, at)
          const word = readLengthWord(bytes.subarray(at, at + 8))
          const record = parseRecord(bytes.subarray(at + 8, at + 8 + word.recordBytes))
          expect(frame).toBeDefined()
          if (frame === undefined) return
          expect(frame.kind).toBe(record?.kind)
          expect(frame.end - frame.dataStart).toBeGreaterThanOrEqual(value.length)
          expect(frame.checksum).toBe(record?.checksum)
          expect(bytes.subarray(frame.dataStart, frame.end)).toEqual(record?.data)
          expect(frame.frameEnd).toBe(at + 8 + word.recordBytes + word.paddingBytes)
          at = frame.frameEnd
        }
        expect(at).toBe(bytes.length)
      }),
    )
  })

  test('says nothing about bytes that anybody changed, unless the record reads the same', () => {
    const bytes = framesOf([new Uint8Array([1, 2, 3, 4, 5])])
    const change = fc.record({ at: fc.nat(bytes.length - 1), bit: fc.nat(7) })
    fc.assert(
      fc.property(change, ({ at, bit }) => {
        const changed = bytes.slice()
        changed[at] = (changed[at] ?? 0) ^ (1 << bit)
        const frame = parsePlainFrame(changed, 0)
        if (frame === undefined) return
        const word = readLengthWord(changed.subarray(0, 8))
        const record = parseRecord(changed.subarray(8, 8 + word.recordBytes))
        expect(word.isWellFormed).toBe(true)
        expect(frame.checksum).toBe(record?.checksum)
        expect(changed.subarray(frame.dataStart, frame.end)).toEqual(record?.data)
      }),
    )
  })

  test('wants the whole frame', () => {
    const bytes = framesOf([new Uint8Array(20)])
    for (let size = 0; size < bytes.length; size++) {
      expect(parsePlainFrame(bytes.subarray(0, size), 0)).toBeUndefined()
    }
    expect(parsePlainFrame(bytes, bytes.length)).toBeUndefined()
    expect(parsePlainFrame(bytes, -8)).toBeUndefined()
  })
})
