import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hexOf } from '../../../../src/core/base/bytes.ts'
import { leaseId } from '../../../../src/core/base/ids.ts'
import {
  deletedKeyValue,
  encodeKeyValue,
  storedKeyValueOf,
} from '../../../../src/core/mvcc/stored-key-value.ts'
import { KeyValue } from '../../../../src/core/proto/gen/kv.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const whole = {
  key: bytes('k'),
  createRevision: 2,
  modRevision: 300,
  version: 1,
  value: bytes('v'),
  lease: leaseId(0n),
}

describe('stored pairs', () => {
  test('are the bytes that etcd writes: fields by number, zero fields left out', () => {
    expect(hexOf(encodeKeyValue(whole))).toBe('0a016b' + '1002' + '18ac02' + '2001' + '2a0176')
    expect(hexOf(encodeKeyValue({ ...whole, value: bytes('') }))).toBe(
      '0a016b' + '1002' + '18ac02' + '2001',
    )
    expect(hexOf(encodeKeyValue({ ...whole, lease: leaseId(5n) }))).toBe(
      '0a016b100218ac0220012a0176' + '3005',
    )
    expect(hexOf(deletedKeyValue(bytes('k'), 300).encoded)).toBe('0a016b' + '18ac02')
  })

  test('a lease with its highest bit set takes ten bytes, as a negative number does', () => {
    const encoded = encodeKeyValue({ ...whole, lease: leaseId(0x8000_0000_0000_0001n) })
    expect(hexOf(encoded).slice(-22)).toBe('30' + '81808080808080808001')
    expect(storedKeyValueOf(encoded).lease).toBe(-0x7fff_ffff_ffff_ffffn)
  })

  test('are read and written as the generated codec does', () => {
    fc.assert(
      fc.property(
        fc.record({
          key: fc.uint8Array({ minLength: 1, maxLength: 300 }),
          createRevision: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
          modRevision: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
          version: fc.nat(),
          value: fc.uint8Array({ maxLength: 300 }),
          lease: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(leaseId),
        }),
        (fields) => {
          const encoded = encodeKeyValue(fields)
          const generated = KeyValue.encode({
            key: fields.key,
            createRevision: BigInt(fields.createRevision),
            modRevision: BigInt(fields.modRevision),
            version: BigInt(fields.version),
            value: fields.value,
            lease: fields.lease,
          }).finish()
          expect(hexOf(encoded)).toBe(hexOf(generated))
          const { key, createRevision, modRevision, version, value, lease } =
            storedKeyValueOf(encoded)
          expect({ key, createRevision, modRevision, version, value, lease }).toEqual(fields)
        },
      ),
    )
  })
})
