/** The environment files that are read mean the same as they mean to programs that load them. */

import { parse } from 'dotenv'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDotenv } from '../../../../src/renderer/transfer/dotenv-format.ts'

function pairs(text: string): Record<string, string> {
  const decoder = new TextDecoder()
  const { rows, problems } = parseDotenv(text)
  expect(problems).toEqual([])
  return Object.fromEntries(
    rows.map(({ key, value }) => [decoder.decode(key), decoder.decode(value)]),
  )
}

test.each([
  'A=1',
  'export A=two words # a comment',
  `A='it costs $5 # no comment' # a comment`,
  'A="first\\nsecond\\tthird"',
  `A='first\nsecond'\nB=2`,
  'A=`says "it\'s"`',
  'A=',
  'A: yes',
  '  A  =  1  ',
  `A='ends with \\'`,
  `A=half'quoted`,
])('%j is read as programs read it', (text) => {
  expect(pairs(text)).toEqual(parse(text))
})

test('assignments of any words are read as programs read them', () => {
  const word = fc.stringMatching(/^(?:[\w $#."'`\\=:/-]{0,12}\w)?$/u)
  const value = fc.oneof(
    fc.stringMatching(/^[\w $.=:/-]{0,12}$/u),
    word.map((text) => `'${text.replaceAll("'", '')}'`),
    word.map((text) => `"${text.replaceAll('"', '')}"`),
    word.map((text) => `\`${text.replaceAll('`', '')}\``),
  )
  const line = fc.tuple(fc.stringMatching(/^[A-Za-z_][\w.-]{0,5}$/u), value)
  fc.assert(
    fc.property(fc.uniqueArray(line, { selector: ([name]) => name, maxLength: 5 }), (lines) => {
      const text = lines.map(([name, written]) => `${name}=${written}\n`).join('')
      expect(pairs(text)).toEqual(parse(text))
    }),
  )
})
