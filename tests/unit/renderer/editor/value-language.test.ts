import { describe, expect, test } from 'vitest'
import { hasMixedLineEnds, valueKindOf } from '../../../../src/renderer/editor/value-language.ts'
import { textBytes } from '../../../../src/renderer/format/bytes-text.ts'

describe('valueKindOf', () => {
  test('JSON on one line is laid out, JSON with lines is left alone', () => {
    expect(valueKindOf(textBytes('{"a":[1]}')).formatted).toBe('{\n  "a": [\n    1\n  ]\n}')
    expect(valueKindOf(textBytes('{\n"a":1}\n')).formatted).toBe('{\n"a":1}\n')
  })

  test('a number of more digits than JavaScript keeps is shown as it is stored', () => {
    const text = '{"id":12345678901234567890}'
    expect(valueKindOf(textBytes(text)).formatted).toBe('{\n  "id": 12345678901234567890\n}')
  })

  test.each([
    ['binary', Uint8Array.of(0, 1)],
    ['binary', Uint8Array.of(0xff)],
    ['text', textBytes('')],
    ['text', textBytes('{not json')],
    ['text', textBytes('42')],
    ['yaml', textBytes('owner: kim\n')],
    ['json', textBytes(' []')],
  ])('recognises %s', (kind, value) => {
    expect(valueKindOf(value).kind).toBe(kind)
  })
})

test('mixed line ends are noticed', () => {
  expect(['a\nb\r\n', 'a\r\nb\r\n', 'a\nb\n', 'a'].map(hasMixedLineEnds)).toEqual([
    true,
    false,
    false,
    false,
  ])
})
