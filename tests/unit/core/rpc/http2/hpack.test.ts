import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../../../src/core/base/random.ts'
import { HpackDecoder } from '../../../../../src/core/rpc/http2/hpack-decoder.ts'
import {
  HpackEncoder,
  type OutgoingField,
} from '../../../../../src/core/rpc/http2/hpack-encoder.ts'
import { DynamicTable, staticTable } from '../../../../../src/core/rpc/http2/hpack-tables.ts'
import { ConnectionError } from '../../../../../src/core/rpc/http2/http2-error.ts'
import {
  decodeHuffman,
  encodeHuffman,
  huffmanSizeBytes,
} from '../../../../../src/core/rpc/http2/huffman.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
const lines = (decoder: HpackDecoder, block: Buffer): string[] =>
  decoder.decode(block).fields.map(({ name, value }) => `${name}: ${value}`)
const decoderOf = (): HpackDecoder => new HpackDecoder(65_536)

/** RFC 7541, appendix C: blocks of one connection after another, and what they say. */
const examples: readonly [string, readonly (readonly [string, readonly string[]])[]][] = [
  [
    'C.2.1',
    [['400a637573746f6d2d6b65790d637573746f6d2d686561646572', ['custom-key: custom-header']]],
  ],
  ['C.2.2', [['040c2f73616d706c652f70617468', [':path: /sample/path']]]],
  ['C.2.3', [['100870617373776f726406736563726574', ['password: secret']]]],
  ['C.2.4', [['82', [':method: GET']]]],
  [
    'C.3',
    [
      [
        '828684410f7777772e6578616d706c652e636f6d',
        [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
      ],
      [
        '828684be58086e6f2d6361636865',
        [
          ':method: GET',
          ':scheme: http',
          ':path: /',
          ':authority: www.example.com',
          'cache-control: no-cache',
        ],
      ],
      [
        '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
        [
          ':method: GET',
          ':scheme: https',
          ':path: /index.html',
          ':authority: www.example.com',
          'custom-key: custom-value',
        ],
      ],
    ],
  ],
  [
    'C.4',
    [
      [
        '828684418cf1e3c2e5f23a6ba0ab90f4ff',
        [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
      ],
      [
        '828684be5886a8eb10649cbf',
        [
          ':method: GET',
          ':scheme: http',
          ':path: /',
          ':authority: www.example.com',
          'cache-control: no-cache',
        ],
      ],
      [
        '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
        [
          ':method: GET',
          ':scheme: https',
          ':path: /index.html',
          ':authority: www.example.com',
          'custom-key: custom-value',
        ],
      ],
    ],
  ],
]

describe('HpackDecoder', () => {
  test.each(examples)('reads the blocks of RFC 7541 %s', (_name, blocks) => {
    const decoder = decoderOf()
    for (const [block, expected] of blocks) expect(lines(decoder, hex(block))).toEqual(expected)
  })

  test.each([
    ['index 0', '80'],
    ['an index beyond the table', 'be'],
    ['a number cut short', 'ff'],
    ['a number of six bytes', 'ffffffffffff7f'],
    ['a number of more than 32 bits as a length', '007fffffffff0f'],
    ['a text that is missing', '40'],
    ['a text cut short', '400a6162'],
    ['a value that is missing', '4001 61'],
    ['padding of eight bits', '400182ffff00'],
    ['padding of zeroes', '4081 00 00'],
    ['the end mark inside a text', '4084ffffffff00'],
    ['a table size above the limit', '3fe21f'],
    ['a table size after a field', '8220'],
  ])('refuses %s', (_name, block) => {
    expect(() => decoderOf().decode(hex(block))).toThrow(ConnectionError)
  })

  test('a table of size 0 forgets what it held', () => {
    const decoder = decoderOf()
    decoder.decode(hex('400161 0162'))
    expect(lines(decoder, hex('be'))).toEqual(['a: b'])
    decoder.decode(hex('20'))
    expect(() => decoder.decode(hex('be'))).toThrow(ConnectionError)
  })

  test('storms of table sizes cost no more than their bytes', () => {
    const decoder = decoderOf()
    expect(decoder.decode(Buffer.alloc(60_000, 0x20)).fields).toEqual([])
  })

  test('a list that grows from references is counted and not kept', () => {
    const decoder = decoderOf()
    const value = 'x'.repeat(4_000)
    const fill = new HpackEncoder().encode([{ name: 'big', value, isCommon: true }])
    decoder.decode(fill)
    const { fields, isTooLarge } = decoder.decode(Buffer.alloc(60_000, 0xbe))
    expect(isTooLarge).toBe(true)
    expect(fields.length).toBe(Math.floor(65_536 / (3 + 4_000 + 32)))
    // The connection goes on with the same table.
    expect(lines(decoder, hex('be'))).toEqual([`big: ${value}`])
  })

  test('changed bytes never do more than fail as defined', () => {
    const random = seededRandom(7541)
    const seeds = examples.flatMap(([, blocks]) => blocks.map(([block]) => hex(block)))
    let refusedCount = 0
    for (let round = 0; round < 100_000; round++) {
      const block = Buffer.from(seeds[random.below(seeds.length)]!)
      for (let count = 1 + random.below(4); count > 0; count--) {
        block[random.below(block.length)] = random.below(256)
      }
      try {
        decoderOf().decode(block.subarray(0, 1 + random.below(block.length)))
      } catch (error) {
        expect(error).toBeInstanceOf(ConnectionError)
        refusedCount++
      }
    }
    expect(refusedCount).toBeGreaterThan(1_000)
  })
})

const bytesText = fc
  .uint8Array({ maxLength: 200 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'))

describe('the Huffman code', () => {
  test('the byte with the longest code and those with the shortest are as in RFC 7541, appendix B', () => {
    expect(Buffer.from(encodeHuffman('\n')).toString('hex')).toBe('fffffff3')
    expect(Buffer.from(encodeHuffman('012')).toString('hex')).toBe('0045')
  })

  test('every text comes back', () => {
    fc.assert(
      fc.property(bytesText, (text) => {
        const code = encodeHuffman(text)
        expect(code.length).toBe(huffmanSizeBytes(text))
        const target = Buffer.alloc(Math.ceil((code.length * 8) / 5))
        const written = decodeHuffman(code, { start: 0, end: code.length }, target)
        expect(target.toString('latin1', 0, written)).toBe(text)
      }),
    )
  })
})

describe('HpackEncoder', () => {
  const answer: readonly OutgoingField[] = [
    { name: ':status', value: '200', isCommon: true },
    { name: 'content-type', value: 'application/grpc', isCommon: true },
  ]

  test('a common block takes a byte a field from the second time on', () => {
    const encoder = new HpackEncoder()
    expect(encoder.encode(answer).length).toBeGreaterThan(8)
    expect(encoder.encode(answer).toString('hex')).toBe('88be')
    expect(encoder.encode(answer)).toBe(encoder.encode(answer))
  })

  test('a smaller table of the peer is told before the next block', () => {
    const encoder = new HpackEncoder()
    encoder.encode(answer)
    encoder.setTableSizeMax(0)
    encoder.setTableSizeMax(4_096)
    const block = encoder.encode(answer)
    expect(block.subarray(0, 4).toString('hex')).toBe('203fe11f')
  })

  test('whatever is encoded is decoded to the same fields, with any table size', () => {
    const field = fc.record({
      name: fc.constantFrom('grpc-status', 'content-type', 'x', ':status', 'long-name-of-a-field'),
      value: bytesText,
      isCommon: fc.boolean(),
    })
    const step = fc.oneof(
      fc.record({ sizeBytes: fc.constantFrom(0, 40, 100, 4_096, 1_000_000) }),
      fc.record({ fields: fc.array(field, { maxLength: 6 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const encoder = new HpackEncoder()
        const decoder = decoderOf()
        for (const each of steps) {
          if ('sizeBytes' in each) {
            encoder.setTableSizeMax(each.sizeBytes)
            continue
          }
          // Twice: the second time from what was kept.
          for (let count = 0; count < 2; count++) {
            const { fields } = decoder.decode(encoder.encode(each.fields))
            expect(fields).toEqual(each.fields.map(({ name, value }) => ({ name, value })))
          }
        }
      }),
    )
  })
})

describe('DynamicTable', () => {
  test('a field that is larger than the table empties it', () => {
    const table = new DynamicTable(100)
    table.add({ name: 'a', value: 'b' })
    table.add({ name: 'c', value: 'x'.repeat(100) })
    expect(table.count).toBe(0)
  })

  test('the oldest fields go first, however often it turns around', () => {
    const table = new DynamicTable(34 * 20)
    for (let count = 0; count < 1_000; count++) {
      table.add({ name: 'a', value: String.fromCharCode(count % 128) })
    }
    expect(table.count).toBe(20)
    for (let age = 0; age < 20; age++) {
      expect(table.find(age)?.value).toBe(String.fromCharCode((999 - age) % 128))
    }
    expect(table.find(20)).toBeUndefined()
  })

  test('the static table has 61 fields', () => {
    expect(staticTable.length).toBe(61)
    expect(staticTable[60]).toEqual({ name: 'www-authenticate', value: '' })
    expect(staticTable[30]).toEqual({ name: 'content-type', value: '' })
  })
})
