import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  guessFormat,
  parseTransfer,
  writerOf,
} from '../../../../src/renderer/transfer/import-format.ts'
import { transferFormats } from '../../../../src/renderer/transfer/transfer-row.ts'
import type { TransferFormat, TransferRow } from '../../../../src/renderer/transfer/transfer-row.ts'

const encoder = new TextEncoder()

/** Arbitrary bytes, and texts that are hard on quotes, line ends and comments. */
const awkward = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 30 }).map((text) => encoder.encode(text)),
  fc
    .array(
      fc.constantFrom(
        ...[
          "'",
          '"',
          '`',
          '\\',
          '\n',
          '\r',
          '\r\n',
          '#',
          '$',
          '=',
          ' ',
          '\t',
          '\0',
          '\u2028',
          '\ufeff',
        ],
        ...[
          'key ',
          '# key x',
          ' (base64)',
          "$'",
          '\\x41',
          '- ',
          ': ',
          '|',
          '~',
          'null',
          '1e3',
          '---',
          '--',
          'é',
          '한',
        ],
      ),
      { maxLength: 12 },
    )
    .map((parts) => encoder.encode(parts.join(''))),
)
const row = fc.record({
  key: awkward.filter((key) => key.length > 0),
  value: awkward,
})
const rows = fc.array(row, { minLength: 1, maxLength: 8 })

function written(format: TransferFormat, list: readonly TransferRow[]): string {
  const writer = writerOf(format)
  const body = list.map((one, index) => writer.row(one, index)).join('')
  return writer.head({ revision: 88_120 }) + body + writer.tail(list.length)
}

function plainRows(list: readonly TransferRow[]): unknown {
  return list.map(({ key, value }) => ({ key: [...key], value: [...value] }))
}

describe.each(transferFormats)('%s', (format) => {
  test('gives back every byte of keys and values', () => {
    fc.assert(
      fc.property(rows, (list) => {
        const parsed = parseTransfer(written(format, list), format)
        expect(parsed.problems).toEqual([])
        expect(plainRows(parsed.rows)).toEqual(plainRows(list))
      }),
      { numRuns: 400 },
    )
  })

  test.each([[' \n'], [' \nx'], ['x\n  \ny'], ['x\n '], ['\n'], ['  x\ny']])(
    'gives back %j, which has spaces where a block has its indentation',
    (text) => {
      const list = [{ key: encoder.encode('k'), value: encoder.encode(text) }]
      const parsed = parseTransfer(written(format, list), format)
      expect(plainRows(parsed.rows)).toEqual(plainRows(list))
    },
  )

  test('gives back a key that ends like the mark of a value in base64', () => {
    const list = ['k (base64)', 'k\\ (base64)', 'k (base64) (base64)'].map((key) => ({
      key: encoder.encode(key),
      value: encoder.encode('plain'),
    }))
    const parsed = parseTransfer(written(format, list), format)
    expect(plainRows(parsed.rows)).toEqual(plainRows(list))
  })

  test('is recognised by its text', () => {
    const list = [{ key: encoder.encode('/app/a'), value: encoder.encode('{"a":1}') }]
    expect(guessFormat(written(format, list))).toBe(format)
  })

  test('of no keys is read as no keys', () => {
    expect(parseTransfer(written(format, []), format)).toEqual({ rows: [], problems: [] })
  })

  test('a text of anything is read or refused, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        expect(Array.isArray(parseTransfer(text, format).rows)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})
