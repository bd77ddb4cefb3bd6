import { describe, expect, test } from 'vitest'
import { CommandError, parseCommandLine } from '../../../../src/core/bin/command-line.ts'
import { decimalSizeText } from '../../../../src/core/bin/snapshot-command.ts'

const flags = new Map([
  ['name', { kind: 'text', defaultText: 'default', help: '' }],
  ['write-out', { kind: 'text', defaultText: 'simple', help: '' }],
  ['skip', { kind: 'boolean', defaultText: 'false', help: '' }],
] as const)

describe('parseCommandLine', () => {
  test('takes flags and words in any order', () => {
    const line = parseCommandLine(
      ['file', '--name=a', '-w', 'json', '--skip', '--', '--rest'],
      flags,
    )
    expect(line.words).toEqual(['file', '--rest'])
    expect(Object.fromEntries(line.texts)).toEqual({
      name: 'a',
      'write-out': 'json',
      skip: 'true',
    })
    expect([...line.given]).toEqual(['name', 'write-out', 'skip'])
  })

  test.each([
    [['-wtable'], 'table'],
    [['-w=table'], 'table'],
    [['--write-out', 'table'], 'table'],
    [[], 'simple'],
  ])('%j has the format %s', (words, format) => {
    expect(parseCommandLine(words, flags).texts.get('write-out')).toBe(format)
  })

  test.each([
    [['--unknown'], 'unknown flag: --unknown'],
    [['--name'], 'flag needs an argument: --name'],
    [
      ['--skip=maybe'],
      'invalid argument "maybe" for "--skip" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
  ])('%j is refused', (words, message) => {
    expect(() => parseCommandLine(words, flags)).toThrow(new CommandError(message, 1))
  })
})

describe('decimalSizeText', () => {
  test.each([
    [0, '0 B'],
    [9, '9 B'],
    [512, '512 B'],
    [1_000, '1.0 kB'],
    [49_152, '49 kB'],
    [1_310_720, '1.3 MB'],
    [62_623_744, '63 MB'],
    [2_147_483_648, '2.1 GB'],
  ])('%d bytes are %s', (sizeBytes, text) => {
    expect(decimalSizeText(sizeBytes)).toBe(text)
  })
})
