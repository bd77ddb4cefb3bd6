import { describe, expect, test } from 'vitest'
import {
  durationText,
  preciseTimeText,
  timeText,
} from '../../../../src/renderer/format/duration-text.ts'
import {
  countText,
  idText,
  rateText,
  revisionText,
  shortIdText,
  sizeChangeText,
  sizeText,
} from '../../../../src/renderer/format/quantity-text.ts'

describe('sizeText', () => {
  test.each([
    [0, '0 B'],
    [394, '394 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [1_049_000, '1.00 MiB'],
    [2_308_544_922, '2.15 GiB'],
    [-602, '−602 B'],
  ])('writes %d bytes as %s', (sizeBytes, text) => {
    expect(sizeText(sizeBytes)).toBe(text)
  })

  test('a change has its sign', () => {
    expect([18, 0, -19].map(sizeChangeText)).toEqual(['+18 B', '0 B', '−19 B'])
  })
})

describe('durationText', () => {
  test.each([
    [0.85, '850 µs'],
    [1.8, '1.8 ms'],
    [12.4, '12.4 ms'],
    [850, '850 ms'],
    [3_240, '3.2 s'],
    [31_900, '31 s'],
    [245_000, '4 min 05 s'],
    [7_800_000, '2 h 10 min'],
    [273_600_000, '3 d 4 h'],
  ])('writes %d ms as %s', (durationMs, text) => {
    expect(durationText(durationMs)).toBe(text)
  })
})

test('times are local, 24 hours, with seconds', () => {
  const time = new Date(2026, 4, 4, 4, 3, 9, 7)
  expect(timeText(time)).toBe('04:03:09')
  expect(preciseTimeText(time)).toBe('04:03:09.007')
})

test('counts have groups, revisions have none, ids have sixteen digits', () => {
  expect(countText(1_204_331)).toBe('1,204,331')
  expect(revisionText(88_120)).toBe('r88120')
  expect(idText(-1n)).toBe('ffffffffffffffff')
  expect(idText(0x8e9e05c52164694dn)).toBe('8e9e05c52164694d')
  expect(shortIdText(0x694d8a31f0c2e417n)).toBe('694d…e417')
})

test.each([
  [0, '0'],
  [0.1, '0.1'],
  [2.04, '2.0'],
  [1_240.4, '1,240'],
])('a rate of %d is written %s', (rate, text) => {
  expect(rateText(rate)).toBe(text)
})
