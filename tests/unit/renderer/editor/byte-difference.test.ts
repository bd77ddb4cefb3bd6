import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { differenceOf } from '../../../../src/renderer/editor/byte-difference.ts'
import type { DifferenceRow } from '../../../../src/renderer/editor/byte-difference.ts'

const bytesOf = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes)
const rowsOf = (original: Uint8Array, modified: Uint8Array): readonly DifferenceRow[] => {
  const difference = differenceOf(original, modified)
  return Array.from({ length: difference.rowCount }, (_, row) => difference.rowAt(row))
}

describe('differenceOf', () => {
  test('equal bytes have no changed row', () => {
    const difference = differenceOf(bytesOf(1, 2, 3), bytesOf(1, 2, 3))
    expect(difference).toMatchObject({ firstChangedRow: -1, removedBytes: 0, addedBytes: 0 })
    expect(difference.rowCount).toBe(1)
  })

  test('an insertion is the only change, and the rest stands at other offsets', () => {
    const rows = rowsOf(bytesOf(1, 2, 9, 9), bytesOf(1, 2, 7, 7, 7, 9, 9))
    expect(rows).toEqual([
      { kind: 'same', original: { start: 0, end: 2 }, modified: { start: 0, end: 2 } },
      { kind: 'changed', original: { start: 2, end: 2 }, modified: { start: 2, end: 5 } },
      { kind: 'same', original: { start: 2, end: 4 }, modified: { start: 5, end: 7 } },
    ])
  })

  test('the rows put together again are both sides, and rows called same are', () => {
    const few = fc.uint8Array({ max: 3, maxLength: 60 })
    fc.assert(
      fc.property(few, few, (original, modified) => {
        const rows = rowsOf(original, modified)
        const joined = (side: 'original' | 'modified', bytes: Uint8Array): number[] =>
          rows.flatMap((row) => [...bytes.subarray(row[side].start, row[side].end)])
        expect(joined('original', original)).toEqual([...original])
        expect(joined('modified', modified)).toEqual([...modified])
        for (const row of rows) {
          if (row.kind === 'changed') continue
          expect(original.subarray(row.original.start, row.original.end)).toEqual(
            modified.subarray(row.modified.start, row.modified.end),
          )
        }
      }),
    )
  })
})
