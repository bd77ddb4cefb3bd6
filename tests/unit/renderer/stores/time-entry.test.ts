import { describe, expect, test } from 'vitest'
import { parseTime } from '../../../../src/renderer/stores/time-entry.ts'

const now = new Date(2026, 4, 4, 14, 3, 22, 500).getTime()
const at = (...parts: readonly [number, number, number, number, number, number, number]): number =>
  new Date(...parts).getTime()

describe('parseTime', () => {
  test.each([
    ['14:03', at(2026, 4, 4, 14, 3, 0, 0)],
    ['14:03:22', at(2026, 4, 4, 14, 3, 22, 0)],
    [' 9:05:01.25 ', at(2026, 4, 4, 9, 5, 1, 250)],
    ['14:04', at(2026, 4, 3, 14, 4, 0, 0)],
    ['2026-02-28 23:59:59', at(2026, 1, 28, 23, 59, 59, 0)],
    ['2024-02-29T00:00', at(2024, 1, 29, 0, 0, 0, 0)],
    ['2031-01-01 00:00', at(2031, 0, 1, 0, 0, 0, 0)],
  ])('%s is a moment', (text, moment) => {
    expect(parseTime(text, now)).toBe(moment)
  })

  test.each([
    '',
    '84210',
    'r84210',
    '24:00',
    '12:60',
    '12',
    '2026-02-30 10:00',
    '2026-13-01 10:00',
  ])('%s is none', (text) => {
    expect(parseTime(text, now)).toBeUndefined()
  })
})
