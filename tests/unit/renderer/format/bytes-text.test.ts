import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  base64Text,
  hexDumpRow,
  keyText,
  parseKeyText,
  previewText,
  shellText,
  textBytes,
} from '../../../../src/renderer/format/bytes-text.ts'

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)

describe('keyText', () => {
  test.each([
    ['/app/키', textBytes('/app/키')],
    ['a\\x0ab', textBytes('a\nb')],
    ['\\u202egnp.exe', textBytes('\u202egnp.exe')],
    ['\\u061cexe\\u00ad', textBytes('\u061cexe\u00ad')],
    ['a\\xf3\\xa0\\x81\\x81', textBytes('a\u{e0041}')],
    ['a\\xff\\x00', bytes(0x61, 0xff, 0x00)],
    ['\\xc3', bytes(0xc3)],
  ])('shows %s', (text, key) => {
    expect(keyText(key)).toBe(text)
  })

  test('never shows a control character', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (key) => !/\p{Cc}/u.test(keyText(key))))
  })
})

describe('parseKeyText', () => {
  test('reads escapes as bytes and everything else as UTF-8', () => {
    expect(parseKeyText('a\\xff\\\\é')).toEqual(bytes(0x61, 0xff, 0x5c, 0xc3, 0xa9))
  })

  test('reads back the very bytes that keyText shows', () => {
    const ordinary = ['a', '/', '\\', 'x', 'u', '4', '1', '키', '😀']
    const hiding = ['\u0085', '\u061c', '\u202e', '\u{e0041}', '\n']
    const text = fc.string({ unit: fc.constantFrom(...ordinary, ...hiding) })
    const key = fc.oneof(fc.uint8Array({ maxLength: 40 }), text.map(textBytes))
    fc.assert(
      fc.property(key, (bytesOfKey) => {
        expect(parseKeyText(keyText(bytesOfKey))).toEqual(bytesOfKey)
      }),
      { numRuns: 2_000 },
    )
  })

  test('leaves a backslash that escapes nothing as it is', () => {
    expect(parseKeyText('C:\\temp')).toEqual(textBytes('C:\\temp'))
  })
})

describe('previewText', () => {
  test('is one line and cuts inside of no character', () => {
    expect(previewText(textBytes('{\n  "a": 1\n}'))).toBe('{ "a": 1 }')
    expect(previewText(textBytes('é'.repeat(100)), 10)).toBe('é'.repeat(10))
  })

  test('shows bytes that are not text in hexadecimal', () => {
    expect(previewText(bytes(0, 1, 255))).toBe('00 01 ff')
  })
})

describe('shellText', () => {
  test.each([
    ['/app/flags', '/app/flags'],
    ["'it'\\''s here'", "it's here"],
    ["'$HOME'", '$HOME'],
  ])('writes %s', (command, key) => {
    expect(shellText(textBytes(key))).toBe(command)
  })

  test('writes bytes that are not text, and line ends, as escapes', () => {
    expect(shellText(bytes(0x61, 0xff))).toBe("$'a\\xff'")
    expect(shellText(textBytes('a\nb'))).toBe("$'a\\x0ab'")
  })
})

test('base64Text encodes more than one chunk', () => {
  const value = Uint8Array.from({ length: 100_000 }, (_, at) => at & 0xff)
  expect(base64Text(value)).toBe(Buffer.from(value).toString('base64'))
})

test('hexDumpRow shows offset, bytes and printable characters', () => {
  expect(hexDumpRow(textBytes('0123456789abcdefXY\u0000'), 1)).toEqual({
    offset: '00000010',
    hex: '58 59 00  ',
    text: 'XY·',
  })
})
