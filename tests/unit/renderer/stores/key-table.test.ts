import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyColumnsOf } from '../../../../src/preload/contract/key-columns.ts'
import type { KeyRow } from '../../../../src/preload/contract/key-columns.ts'
import { keyText, textBytes } from '../../../../src/renderer/format/bytes-text.ts'
import { compareKeys } from '../../../../src/renderer/stores/key-order.ts'
import { KeyTable } from '../../../../src/renderer/stores/key-table.ts'

const row = (key: string, modRevision = 1): KeyRow => ({
  key: textBytes(key),
  value: new Uint8Array(),
  valueSizeBytes: -1,
  createRevision: 1,
  modRevision,
  version: 1,
  lease: 0n,
})
const namesOf = (table: KeyTable): readonly string[] =>
  Array.from({ length: table.length }, (_, at) => keyText(table.keyAt(at)))

describe('KeyTable', () => {
  test('keeps pages and single rows in byte order', () => {
    const table = new KeyTable()
    table.append(keyColumnsOf([row('a'), row('c')]))
    expect(table.put(row('b', 7))).toBe(true)
    table.append(keyColumnsOf([row('d')]))
    expect(namesOf(table)).toEqual(['a', 'b', 'c', 'd'])
    expect(table.rowAt(1).modRevision).toBe(7)
  })

  test('puts a row in the place of an older one with the same key', () => {
    const table = new KeyTable()
    table.append(keyColumnsOf([row('a'), row('b')]))
    expect(table.put(row('a', 9))).toBe(false)
    expect(table.length).toBe(2)
    expect(table.rowAt(0).modRevision).toBe(9)
  })

  test('takes keys out and tells whether they were there', () => {
    const table = new KeyTable()
    table.append(keyColumnsOf([row('a'), row('b')]))
    expect([table.delete(textBytes('a')), table.delete(textBytes('x'))]).toEqual([true, false])
    expect(namesOf(table)).toEqual(['b'])
  })

  test('holds what a sorted map holds after any changes', () => {
    const change = fc.record({
      isPut: fc.boolean(),
      key: fc.string({ minLength: 1, maxLength: 2, unit: fc.constantFrom('a', 'b', 'é') }),
      revision: fc.nat({ max: 1_000 }),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const table = new KeyTable()
        const model = new Map<string, number>()
        for (const { isPut, key, revision } of changes) {
          if (isPut) expect(table.put(row(key, revision))).toBe(!model.has(key))
          else expect(table.delete(textBytes(key))).toBe(model.has(key))
          if (isPut) model.set(key, revision)
          else model.delete(key)
        }
        const wanted = [...model].sort(([left], [right]) =>
          compareKeys(textBytes(left), textBytes(right)),
        )
        expect(namesOf(table)).toEqual(wanted.map(([key]) => key))
        wanted.forEach(([, revision], at) => {
          expect(table.rowAt(at).modRevision).toBe(revision)
        })
      }),
    )
  })

  test('many changes of one key leave one row', () => {
    const table = new KeyTable()
    for (let at = 0; at < 20_000; at++) table.put(row('hot', at))
    expect(table.length).toBe(1)
    expect(table.rowAt(0).modRevision).toBe(19_999)
  })

  test('a hundred thousand rows are found in their place', () => {
    const table = new KeyTable()
    for (let page = 0; page < 10; page++) {
      const rows = Array.from({ length: 10_000 }, (_, at) =>
        row(String(page * 10_000 + at).padStart(6, '0')),
      )
      table.append(keyColumnsOf(rows))
    }
    expect(table.length).toBe(100_000)
    expect(table.find(textBytes('054321'))).toEqual({ position: 54_321, isFound: true })
  })

  test('a position outside of the list is an error', () => {
    expect(() => new KeyTable().rowAt(0)).toThrow(RangeError)
  })
})
