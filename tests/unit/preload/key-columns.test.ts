import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyColumnsOf, keyRowAt } from '../../../src/preload/contract/key-columns.ts'

const number = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const row = fc.record({
  key: fc.uint8Array({ maxLength: 20 }),
  value: fc.uint8Array({ maxLength: 20 }),
  valueSizeBytes: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  createRevision: number,
  modRevision: number,
  version: number,
  lease: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
})

describe('keyColumnsOf', () => {
  test('every row comes back as it was', () => {
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const columns = structuredClone(keyColumnsOf(rows))
        expect(rows.map((_, index) => keyRowAt(columns, index))).toEqual(rows)
      }),
    )
  })

  test.each([-1, 1, 0.5])('there is no row %s among one', (index) => {
    const columns = keyColumnsOf([
      {
        key: new Uint8Array(1),
        value: new Uint8Array(),
        valueSizeBytes: -1,
        createRevision: 1,
        modRevision: 1,
        version: 1,
        lease: 0n,
      },
    ])
    expect(() => keyRowAt(columns, index)).toThrow(RangeError)
  })
})
