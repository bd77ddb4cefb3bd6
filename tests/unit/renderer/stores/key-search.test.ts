import { describe, expect, test } from 'vitest'
import { textBytes } from '../../../../src/renderer/format/bytes-text.ts'
import { keySearchOf, testOfMatch } from '../../../../src/renderer/stores/key-search.ts'

const plain = { isPattern: false, isInValues: false }
const pattern = { isPattern: true, isInValues: true }

describe('keySearchOf', () => {
  test.each([
    ['no text', '', plain],
    ['no text for a pattern', '', pattern],
    ['a pattern that is none', '(', pattern],
    ['a pattern that is too long', 'x'.repeat(2_000), pattern],
  ])('%s is no search', (_name, text, how) => {
    expect(keySearchOf(text, how)).toBeUndefined()
  })

  test('an escape stands for its byte, unless the text is a pattern', () => {
    const bytes = keySearchOf('\\xff', plain)
    expect(bytes?.match).toEqual({ kind: 'bytes', bytes: Uint8Array.of(0xff) })
    expect(keySearchOf('\\d', pattern)?.match).toEqual({ kind: 'pattern', pattern: '\\d' })
  })
})

test.each([
  [{ kind: 'bytes', bytes: textBytes('pp') }, '/app/a', true],
  [{ kind: 'bytes', bytes: textBytes('a.p') }, '/app/a', false],
  [{ kind: 'pattern', pattern: '^/a.p/' }, '/app/a', true],
  [{ kind: 'pattern', pattern: '^/A' }, '/app/a', false],
  [{ kind: 'pattern', pattern: '한$' }, '/한', true],
] as const)('%j on %s: %s', (match, key, isFound) => {
  expect(testOfMatch(match)(textBytes(key))).toBe(isFound)
})
