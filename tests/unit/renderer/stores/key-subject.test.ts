import { describe, expect, test } from 'vitest'
import { textBytes } from '../../../../src/renderer/format/bytes-text.ts'
import { rangeOfSubject, subjectOf } from '../../../../src/renderer/stores/key-subject.ts'

describe('a range as text', () => {
  test('a prefix that looks like a range comes back as the prefix it is', () => {
    const range = { kind: 'prefix', prefix: textBytes('/a … b') } as const
    expect(subjectOf(range)).toBe(String.raw`/a \u2026 b`)
    expect(rangeOfSubject(subjectOf(range))).toEqual(range)
  })

  test('ends of a range that hold what stands between them are told apart', () => {
    const range = { kind: 'interval', start: textBytes('a … b'), end: textBytes('c … d') } as const
    expect(subjectOf(range)).toBe(String.raw`a \u2026 b … c \u2026 d`)
    expect(subjectOf(rangeOfSubject(subjectOf(range)))).toBe(subjectOf(range))
  })
})
