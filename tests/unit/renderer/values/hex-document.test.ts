import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  findBytes,
  HexDocument,
  parseOffset,
  searchedBytes,
} from '../../../../src/renderer/values/hex-document.ts'

const change = fc.record({
  at: fc.nat(40),
  removed: fc.nat(5),
  inserted: fc.uint8Array({ maxLength: 5 }),
})

describe('HexDocument', () => {
  test('any changes equal those of a plain list, and all of them can be undone and done again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(change), (start, changes) => {
        const document = new HexDocument(start)
        const model = [...start]
        const states = [[...start]]
        for (const { at, removed, inserted } of changes) {
          document.replace(at, removed, inserted)
          model.splice(at, removed, ...inserted)
          if (String(states.at(-1)) !== String(model) || inserted.length > 0)
            states.push([...model])
          expect([...document.bytes]).toEqual(model)
        }
        while (document.undo() !== undefined) expect(states).toContainEqual([...document.bytes])
        expect([...document.bytes]).toEqual([...start])
        while (document.redo() !== undefined) expect(states).toContainEqual([...document.bytes])
        expect([...document.bytes]).toEqual(model)
      }),
    )
  })

  test('what it was given is never changed', () => {
    const given = Uint8Array.of(1, 2, 3)
    const document = new HexDocument(given)
    document.replace(0, 1, Uint8Array.of(9))
    expect([...given]).toEqual([1, 2, 3])
  })
})

describe('finding', () => {
  test('finds where a text search would, forwards and backwards, and goes round', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 30 })
    fc.assert(
      fc.property(
        text,
        text.filter((one) => one.length > 0),
        fc.nat(29),
        (whole, wanted, from) => {
          const latin = (value: string): Uint8Array => new TextEncoder().encode(value)
          const places = whole.length - wanted.length + 1
          const start = places > 0 ? from % places : 0
          const next = whole.indexOf(wanted, start)
          const forwards = next >= 0 ? next : whole.indexOf(wanted)
          const last = whole.lastIndexOf(wanted, start)
          const backwards = last >= 0 ? last : whole.lastIndexOf(wanted)
          expect(findBytes(latin(whole), latin(wanted), from, 1)).toBe(forwards)
          expect(findBytes(latin(whole), latin(wanted), from, -1)).toBe(backwards)
        },
      ),
    )
  })

  test('what is looked for is text, or hexadecimal that says so', () => {
    expect([...searchedBytes('0xDEad')]).toEqual([0xde, 0xad])
    expect([...searchedBytes('de ad')]).toEqual([0xde, 0xad])
    expect([...searchedBytes('dead')]).toEqual([...Buffer.from('dead')])
    expect([...searchedBytes('0xdea')]).toEqual([...Buffer.from('0xdea')])
  })

  test('places', () => {
    expect(['0x10', ' 16 ', 'x', '-1', ''].map(parseOffset)).toEqual([
      16,
      16,
      undefined,
      undefined,
      undefined,
    ])
  })
})
