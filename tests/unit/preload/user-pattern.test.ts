import { describe, expect, test } from 'vitest'
import { patternSchema, patternTestOf } from '../../../src/preload/contract/key-match.ts'
import { compilePattern, isPattern } from '../../../src/preload/contract/user-pattern.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('compilePattern', () => {
  test.each([
    ['^/registry/.*pods', '/registry/core/pods', true],
    ['^/registry/.*pods', '/app/registry/pods', false],
    ['한$', '/한', true],
    ['\\d{3}', 'a123', true],
    ['\\p{Lu}', 'aBc', true],
    ['\\u{1F600}', '\u{1F600}', true],
    ['(?<name>a)b', 'ab', true],
    ['a/b\\/c', 'a/b/c', true],
    ['ABC', 'abc', false],
    ['(?i)ABC', 'abc', true],
    ['', 'anything', true],
  ])('%s on %s: %s', (pattern, text, isFound) => {
    const compiled = compilePattern(pattern)
    expect(compiled?.test(text)).toBe(isFound)
    expect(compiled?.test(bytesOf(text))).toBe(isFound)
  })

  test('may ignore case', () => {
    expect(compilePattern('straße', { ignoresCase: true })?.test('STRAßE')).toBe(true)
  })

  test('takes bytes that are no text', () => {
    const test = patternTestOf('b.d')
    expect(test(Uint8Array.of(0xff, 0xfe, 0x62, 0x80, 0x64))).toBe(true)
    expect(test(Uint8Array.of(0xff, 0xfe))).toBe(false)
  })

  test.each(['(', '[a', '*', 'a{2,1}', '(?=a)b', '(a)\\1', '(?<!a)b', '('.repeat(1_000)])(
    'refuses %s',
    (pattern) => {
      expect(compilePattern(pattern)).toBeUndefined()
      expect(isPattern(pattern)).toBe(false)
      expect(patternSchema.safeParse(pattern).success).toBe(false)
    },
  )

  // Each of these takes an engine that tries one way after the other longer than a test may last.
  test.each([
    ['(a+)+$', `${'a'.repeat(60_000)}b`],
    ['(a|a)*c', 'a'.repeat(60_000)],
    ['(a|aa)+$', `${'a'.repeat(60_000)}b`],
    ['(.*)*x', 'y'.repeat(60_000)],
    ['(.*a){20}b', 'a'.repeat(60_000)],
    ['(\\w+\\s?)*$', `${'word '.repeat(12_000)}!`],
  ])('answers %s', (pattern, text) => {
    const compiled = compilePattern(pattern)
    expect(typeof compiled?.test(text)).toBe('boolean')
    expect(compiled?.test(bytesOf(text))).toBe(compiled?.test(text))
  })
})
