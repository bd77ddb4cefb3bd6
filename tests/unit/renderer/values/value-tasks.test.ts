import { deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { decodeValue } from '../../../../src/renderer/values/decode-value.ts'
import { formatText } from '../../../../src/renderer/values/format-text.ts'
import { layOutJson } from '../../../../src/renderer/values/json-layout.ts'
import { findProblems } from '../../../../src/renderer/values/text-problems.ts'
import { findTime, findTimes } from '../../../../src/renderer/values/time-facts.ts'
import { runValueTask } from '../../../../src/renderer/values/value-tasks.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const formatted = (language: 'json' | 'yaml' | 'xml', text: string): string | undefined => {
  const reply = formatText(language, text)
  return reply.kind === 'formatted' ? reply.text : reply.reason
}

describe('JSON', () => {
  test('is laid out with every number and text as it was written', () => {
    expect(
      layOutJson('{"a":12345678901234567890,"b":[1.10,1E5,-0],"a":"x,{}\\"","c":{},"d":[]}'),
    ).toBe(
      '{\n  "a": 12345678901234567890,\n  "b": [\n    1.10,\n    1E5,\n    -0\n  ],\n  "a": "x,{}\\"",\n  "c": {},\n  "d": []\n}',
    )
    expect(layOutJson('{"a":}')).toBeUndefined()
  })

  test('lays out as the language itself does, where it can', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(layOutJson(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2))
      }),
    )
  })

  test('becomes YAML with the same content and the same digits', async () => {
    const yaml = await runValueTask({
      kind: 'toYaml',
      text: '{"a":12345678901234567890,"b":1.10,"c":"12","d":"a: b\\nc","e":"no"}',
    })
    expect(yaml).toBe('a: 12345678901234567890\nb: 1.10\nc: "12"\nd: |-\n  a: b\n  c\ne: no\n')
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ noUnicodeString: true }), async (value) => {
        const text = JSON.stringify(value)
        const made = await runValueTask({ kind: 'toYaml', text })
        expect(parse(made as string)).toEqual(JSON.parse(text))
      }),
    )
  })
})

describe('formatting', () => {
  test('line ends and the final newline stay', () => {
    expect(formatted('json', '{"a":1}\r\n')).toBe('{\r\n  "a": 1\r\n}\r\n')
    expect(formatted('json', '{\r\n"a":1}')).toBe('{\r\n  "a": 1\r\n}')
    expect(formatted('json', '{"a":1}\n')).toBe('{\n  "a": 1\n}\n')
  })

  test('YAML keeps comments, digits and several documents', () => {
    expect(formatted('yaml', '# top\na:   1e3   # one\nb:\n    - 0.12345678901234567890\n')).toBe(
      '# top\na: 1e3 # one\nb:\n  - 0.12345678901234567890\n',
    )
    expect(formatted('yaml', 'a:    1\n---\nb:   2\n')).toBe('a: 1\n---\nb: 2\n')
    expect(formatted('yaml', 'a: [1\n')).toBe('invalid')
  })

  test('XML is laid out only where white space means nothing', () => {
    expect(formatted('xml', '<a x="1&amp;2"><!-- w --><b>c</b><d/></a>')).toBe(
      '<a x="1&amp;2">\n  <!-- w -->\n  <b>c</b>\n  <d/>\n</a>',
    )
    expect(formatted('xml', '<p>words <b>bold</b> more</p>')).toBe('wouldChange')
    expect(formatted('xml', '<a><b></a>')).toBe('invalid')
  })
})

describe('problems', () => {
  test.each([
    ['yaml', 'a: 1\nb: [2\n', 2],
    ['toml', 'a = 1\nb = \n', 2],
    ['xml', '<a>\n<b></a>', 2],
    ['ini', '[a]\nb=1\n[c\n', 3],
    ['dotenv', 'A=1\nB="two\nlines"\nno sign\n', 4],
  ] as const)('%s', (language, text, line) => {
    const [first] = findProblems(language, text)
    expect(first?.message).not.toBe('')
    expect([line, line + 1]).toContain(first?.line)
  })

  test.each([
    ['yaml', 'a: 1\n---\nb: 2\n'],
    ['toml', '[a]\nb = 12345678901234567\n'],
    ['xml', '<a/>'],
    ['ini', '; words\n[a]\nb = 1\nflag\n'],
    ['dotenv', '# words\nexport A="x"\nB=\n'],
    ['shell', 'if then'],
  ] as const)('none in good %s', (language, text) => {
    expect(findProblems(language, text)).toEqual([])
  })
})

describe('layers', () => {
  const kindsOf = async (value: Uint8Array): Promise<unknown> => {
    const { layers, innerKind, text } = await decodeValue(value)
    return [layers.map((layer) => layer.kind), innerKind, text]
  }

  test('base64 of gzip of JSON', async () => {
    const value = bytes(gzipSync('{"a":1}').toString('base64'))
    expect(await kindsOf(value)).toEqual([['base64', 'gzip'], 'json', '{\n  "a": 1\n}'])
    expect(await kindsOf(deflateSync('text that is packed, packed, packed'))).toEqual([
      ['zlib'],
      'plain',
      'text that is packed, packed, packed',
    ])
  })

  test('a small value that unpacks to a huge one stops at the bound', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024))
    const found = await decodeValue(bomb)
    expect([found.obstacle, found.layers.length]).toEqual(['tooLarge', 0])
  })

  test('packed data that is cut off says so', async () => {
    const whole = gzipSync('some text that is packed')
    expect((await decodeValue(whole.subarray(0, whole.length - 9))).obstacle).toBe('damaged')
  })

  test('a token shows its parts and times, and claims nothing about its signature', async () => {
    const part = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url')
    const token = `${part({ alg: 'HS256' })}.${part({ sub: 'ann', exp: 1_767_225_600 })}.c2ln`
    const found = await decodeValue(bytes(token))
    expect(found.token).toEqual({
      algorithm: 'HS256',
      subject: 'ann',
      expiresAtMs: 1_767_225_600_000,
    })
    expect(JSON.parse(found.text ?? '')).toEqual({
      header: { alg: 'HS256' },
      claims: { sub: 'ann', exp: 1_767_225_600 },
    })
    const broken = await decodeValue(bytes(`${part({ alg: 'HS256' })}.bm90IGpzb24.c2ln`))
    expect([broken.obstacle, broken.token]).toEqual(['damaged', undefined])
  })

  test('any bytes come to an end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (noise) => {
        await decodeValue(noise)
        await decodeValue(Uint8Array.of(0x1f, 0x8b, 8, ...noise))
        await decodeValue(bytes(Buffer.from(noise).toString('base64')))
      }),
    )
  })
})

describe('times', () => {
  test.each([
    ['1767225600', 's'],
    ['1767225600123', 'ms'],
    ['1767225600123456', 'µs'],
    ['1767225600123456789', 'ns'],
    ['019b76da-a800-7abc-8def-0123456789ab', 'uuid'],
    ['3f3a7a00-e6a1-11f0-8de9-0242ac120002', 'uuid'],
    ['01KDVDNA00ABCDEFGHJKMNPQRS', 'ulid'],
  ])('%s', (text, unit) => {
    const found = findTime(text)
    expect(found?.unit).toBe(unit)
    expect(new Date(found?.atMs ?? 0).toISOString()).toMatch(/^202[56]-(?:01|12)/u)
  })

  test('numbers that stand for none, and names of those that do', () => {
    expect(['42', '0767225600', '99999999999', 'abc'].map(findTime)).toEqual(
      Array.from({ length: 4 }),
    )
    expect(findTimes('{"updatedAt": 1767225600, "port": 2379}')).toEqual([
      { name: 'updatedAt', atMs: 1_767_225_600_000, unit: 's' },
    ])
  })
})
