import { describe, expect, test } from 'vitest'
import { RequestDecoder } from '../../../../../src/core/rpc/http2/request-decoder.ts'
import { HpackEncoder } from '../../../../../src/core/rpc/http2/hpack-encoder.ts'
import {
  areTrailersValid,
  parseRequestHead,
} from '../../../../../src/core/rpc/http2/request-head.ts'

type Pair = readonly [string, string]
const fieldsOf = (pairs: readonly Pair[]): { name: string; value: string }[] =>
  pairs.map(([name, value]) => ({ name, value }))
const good: readonly Pair[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/a'],
]
const withPair = (pair: Pair): readonly Pair[] => [...good, pair]

describe('parseRequestHead', () => {
  test('an authority with a scheme is taken, as etcdctl sends it', () => {
    const head = parseRequestHead(
      fieldsOf([...good, [':authority', 'http://127.0.0.1:2379'], ['te', 'trailers']]),
    )
    expect(head).toEqual({
      method: 'POST',
      path: '/a',
      authority: 'http://127.0.0.1:2379',
      fields: new Map([['te', 'trailers']]),
      contentLengthBytes: -1,
    })
  })

  test('of repeated fields the first counts', () => {
    const head = parseRequestHead(fieldsOf([...good, ['token', 'a'], ['token', 'b']]))
    expect(head?.fields.get('token')).toBe('a')
  })

  test.each<[string, readonly Pair[]]>([
    ['no method', good.slice(1)],
    ['no scheme', [good[0]!, good[2]!]],
    ['no path', good.slice(0, 2)],
    ['an empty path', [good[0]!, good[1]!, [':path', '']]],
    ['a pseudo field twice', withPair([':path', '/b'])],
    ['an unknown pseudo field', withPair([':status', '200'])],
    ['a pseudo field after others', [['a', 'b'], ...good]],
    ['a name in upper case', withPair(['Te', 'trailers'])],
    ['an empty name', withPair(['', 'x'])],
    ['a name with a space', withPair(['a b', 'x'])],
    ['a value with a line feed', withPair(['a', 'x\ny'])],
    ['a value with a carriage return', withPair(['a', 'x\ry'])],
    ['a value with a zero', withPair(['a', 'x\0y'])],
    ['a path with a line feed', [good[0]!, good[1]!, [':path', '/\n']]],
    ['connection', withPair(['connection', 'close'])],
    ['transfer-encoding', withPair(['transfer-encoding', 'chunked'])],
    ['te other than trailers', withPair(['te', 'gzip'])],
    ['a length that is no number', withPair(['content-length', '-1'])],
    ['a length of a thousand digits', withPair(['content-length', '9'.repeat(1_000)])],
  ])('%s is malformed', (_name, pairs) => {
    expect(parseRequestHead(fieldsOf(pairs))).toBeUndefined()
  })

  test('trailers have no pseudo fields', () => {
    expect(areTrailersValid(fieldsOf([['a', 'b']]))).toBe(true)
    expect(areTrailersValid(fieldsOf([[':path', '/']]))).toBe(false)
  })
})

describe('RequestDecoder', () => {
  test('equal blocks share a head until the table changes', () => {
    const encoder = new HpackEncoder()
    const decoder = new RequestDecoder()
    const request = good.map(([name, value]) => ({ name, value, isCommon: true }))
    const first = decoder.decodeRequest(encoder.encode(request))
    const second = decoder.decodeRequest(encoder.encode(request))
    expect(second).toEqual(first)
    expect(decoder.decodeRequest(encoder.encode(request))).toBe(second)
    // After another entry the same bytes would mean something else.
    const other = request.map((field) =>
      field.name === ':path' ? { ...field, value: '/b' } : field,
    )
    expect(decoder.decodeRequest(encoder.encode(other))).toMatchObject({ path: '/b' })
    expect(decoder.decodeRequest(encoder.encode(request))).toMatchObject({ path: '/a' })
    expect(decoder.decodeRequest(encoder.encode(other))).toMatchObject({ path: '/b' })
  })

  test('a list above the limit is told apart from a malformed one', () => {
    const encoder = new HpackEncoder()
    const decoder = new RequestDecoder()
    const huge = { name: 'token', value: 'x'.repeat(70_000) }
    expect(decoder.decodeRequest(encoder.encode([...fieldsOf(good), huge]))).toBe('tooLarge')
    expect(decoder.decodeRequest(encoder.encode(fieldsOf(good.slice(1))))).toBe('malformed')
  })
})
