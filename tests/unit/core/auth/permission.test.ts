import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes } from '../../../../src/core/base/bytes.ts'
import {
  CoveredRanges,
  isValidPermission,
  permissionTypes,
  type Permission,
} from '../../../../src/core/auth/permission.ts'

const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
const permission = (key: string, rangeEnd = ''): Permission => ({
  type: permissionTypes.readWrite,
  key: ascii(key),
  rangeEnd: ascii(rangeEnd),
})

describe('ranges that roles cover together', () => {
  test('neighbouring ranges cover what spans them', () => {
    const covered = new CoveredRanges([permission('b', 'c'), permission('a', 'b')])
    expect(covered.covers(ascii('a'), ascii('c'))).toBe(true)
    expect(covered.covers(ascii('a'), ascii('d'))).toBe(false)
  })

  test('a gap is not covered', () => {
    const covered = new CoveredRanges([permission('a', 'b'), permission('b1', 'c')])
    expect(covered.covers(ascii('a'), ascii('c'))).toBe(false)
    expect(covered.covers(ascii('b'), ascii(''))).toBe(false)
  })

  test('a range is not taken for its first key', () => {
    const covered = new CoveredRanges([permission('a')])
    expect(covered.covers(ascii('a'), ascii(''))).toBe(true)
    expect(covered.covers(ascii('a'), ascii('b'))).toBe(false)
  })

  test('what is asked without an end needs a permission without an end', () => {
    expect(new CoveredRanges([permission('a', 'z')]).covers(ascii('b'), ascii('\0'))).toBe(false)
    expect(new CoveredRanges([permission('a', '\0')]).covers(ascii('b'), ascii('\0'))).toBe(true)
    expect(new CoveredRanges([permission('a', '\0')]).covers(ascii('A'), ascii('\0'))).toBe(false)
  })

  test('any union decides as asking for every key by itself does', () => {
    const letter = fc.integer({ min: 1, max: 6 })
    const range = fc.record({ start: letter, length: fc.integer({ min: 0, max: 4 }) })
    const bounds = ({ start, length }: { start: number; length: number }): Permission => ({
      type: 0,
      key: Uint8Array.of(start),
      rangeEnd:
        length === 0
          ? new Uint8Array(0)
          : length === 4
            ? Uint8Array.of(0)
            : Uint8Array.of(start + length),
    })
    // The points of the model: each letter, and something just behind each letter.
    const points = Array.from({ length: 24 }, (_, number) =>
      number % 2 === 0 ? Uint8Array.of(1 + number / 2) : Uint8Array.of(1 + (number - 1) / 2, 7),
    )
    const holds = (held: Permission, point: Uint8Array): boolean => {
      if (held.rangeEnd.length === 0) return compareBytes(held.key, point) === 0
      if (compareBytes(point, held.key) < 0) return false
      return held.rangeEnd[0] === 0 || compareBytes(point, held.rangeEnd) < 0
    }
    fc.assert(
      fc.property(fc.array(range, { maxLength: 5 }), range, (granted, asked) => {
        const permissions = granted.map(bounds)
        const wanted = bounds(asked)
        const expected = points
          .filter((point) => holds(wanted, point))
          .every((point) => permissions.some((held) => holds(held, point)))
        expect(new CoveredRanges(permissions).covers(wanted.key, wanted.rangeEnd)).toBe(expected)
      }),
    )
  })
})

describe('permissions that can be granted', () => {
  test.each([
    ['a', '', true],
    ['a', 'b', true],
    ['a', '\0', true],
    ['', '', false],
    ['', '\0', false],
    ['b', 'a', false],
    ['b', 'b', false],
  ])('%j to %j: %s', (key, rangeEnd, isValid) => {
    expect(isValidPermission(permission(key, rangeEnd))).toBe(isValid)
  })
})
