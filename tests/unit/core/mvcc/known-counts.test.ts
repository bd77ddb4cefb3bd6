import { expect, test } from 'vitest'
import { KnownCounts } from '../../../../src/core/mvcc/known-counts.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const range = { start: bytes('a'), end: bytes('b') }

test('a count holds at its revision for ever, and at the newest one until keys come or go', () => {
  const known = new KnownCounts()
  expect(known.find(range, { revision: 5, growthNumber: 1 })).toBeUndefined()
  known.note(range, { revision: 5, growthNumber: 1 }, 7)
  expect(known.find(range, { revision: 5, growthNumber: 1 })).toBe(7)
  expect(known.find(range, { revision: 6, growthNumber: 1 })).toBe(7)
  expect(known.find(range, { revision: 6, growthNumber: 2 })).toBeUndefined()
  expect(known.find(range, { revision: 5, growthNumber: undefined })).toBe(7)
  expect(known.find(range, { revision: 4, growthNumber: undefined })).toBeUndefined()
})

test('a range without an end is another one than those with one', () => {
  const known = new KnownCounts()
  const moment = { revision: 5, growthNumber: 1 }
  known.note({ start: range.start, end: undefined }, moment, 9)
  expect(known.find(range, moment)).toBeUndefined()
  expect(known.find({ start: range.start, end: undefined }, moment)).toBe(9)
})

test('so many ranges are known and no more, and none with long ends', () => {
  const known = new KnownCounts()
  const moment = { revision: 5, growthNumber: 1 }
  const numbered = (number: number) => ({ start: bytes(String(number)), end: undefined })
  const found = () =>
    Array.from({ length: 5_000 }, (_, number) => known.find(numbered(number), moment)).filter(
      (count) => count !== undefined,
    )
  for (let number = 0; number < 5_000; number++) known.note(numbered(number), moment, number)
  expect(found()).toHaveLength(2_048)
  expect(found().at(-1)).toBe(4_999)
  const long = { start: new Uint8Array(513), end: undefined }
  known.note(long, moment, 1)
  expect(known.find(long, moment)).toBeUndefined()
})
