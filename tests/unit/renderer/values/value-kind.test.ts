import { deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { detectValueKind } from '../../../../src/renderer/values/value-kind.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const kindOf = (text: string): string => detectValueKind(bytes(text)).kind
const encoded = (value: Uint8Array | string): string => Buffer.from(value).toString('base64')

describe('text', () => {
  test.each([
    ['json', '{"a": 1}'],
    ['json', '\n [1, 2]'],
    ['plain', '{not json}'],
    ['badJson', '{"a": 1, "b": [1, 2,}'],
    ['badJson', '[{"a": 1}'],
    ['plain', '{"a":1}\n{"a":2}\n'],
    ['plain', '{{ .Values.name }}'],
    ['plain', '42'],
    ['plain', 'hello world'],
    ['plain', 'Note: see below\nand then go on.'],
    ['plain', 'https://example.test:2379/path'],
    ['plain', '10.0.0.1:2379'],
    ['plain', 'deadbeefdeadbeefdeadbeefdeadbeef'],
    ['plain', 'averylongwordwithoutanyspace'],
    ['plain', '/registry/pods/default/abcd'],
    ['plain', '<3 you'],
    ['plain', '<!DOCTYPE html><html></html>'],
    ['yaml', '---\nanything'],
    ['yaml', 'kind: Pod\nmetadata:\n  name: a\n  labels: {a: b}\n'],
    ['yaml', '- one\n- two\n'],
    ['yaml', '# words\nkey: |\n  some text\n  more\n'],
    ['yaml', 'command:\n  - etcd\n  - --data-dir=/var/lib/etcd\n  - --name=n1\n'],
    [
      'yaml',
      'data:\n  app.properties: |\n    a=b\n\n    c=d\n  run.sh: |-\n    if [ -f x ]; then\n    fi\n',
    ],
    ['yaml', 'script:\n  - |\n    A=1\n    B=2\n  - echo $A\n'],
    ['plain', 'a | b\nc=d'],
    ['toml', '[[products]]\nname = "x"\n'],
    ['shell', 'set -euo pipefail\nif [ -f x ]; then\n  echo hi\nfi\n'],
    ['shell', 'A=1\nstart() {\n  exec etcd --name "$A"\n}\nstart\n'],
    ['plain', 'done\nand dusted'],
    ['plain', 'for all in need\nof help'],
    ['toml', '[a]\nb = "c"\nd = 1\n'],
    ['toml', 'hosts = [\n  "a",\n  "b",\n]\n'],
    ['ini', '[a]\nb=c\n; words\nd = e f\n'],
    ['dotenv', 'A=1\nexport B_C="two"\n# words\n'],
    ['shell', '#!/bin/sh\necho hi\n'],
    ['shell', '#!/usr/bin/env bash\n'],
    ['xml', '<?xml version="1.0"?>\n<a><b/></a>'],
    ['xml', '<a x="1">b</a>\n'],
    ['svg', '<svg xmlns="http://www.w3.org/2000/svg"></svg>'],
    ['svg', '<?xml version="1.0"?><svg:svg xmlns:svg="x"></svg:svg>'],
    ['empty', ''],
  ])('%s', (kind, text) => {
    expect(kindOf(text)).toBe(kind)
  })

  test('a token of three parts is a JWT only if its header is one', () => {
    const part = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url')
    expect(kindOf(`${part({ alg: 'HS256' })}.${part({ sub: 'a' })}.c2ln`)).toBe('jwt')
    expect(kindOf(`${part({ alg: 'none' })}.${part({ sub: 'a' })}.`)).toBe('jwt')
    expect(kindOf('first-part-of.second-part.third')).toBe('plain')
  })

  test('large JSON is told by its head, without parsing it', () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => ({ index, name: 'row' }))
    expect(kindOf(JSON.stringify(rows))).toBe('json')
  })
})

describe('base64', () => {
  test.each([
    ['json', encoded('{"name":"a value"}')],
    ['plain', encoded('user:password is here')],
    ['plain', encoded('안녕하세요 세계')],
    ['plain', encoded('한'.repeat(20_000))],
    ['gzip', encoded(gzipSync('some text that is packed'))],
    ['png', encoded(Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'))],
    ['base64', encoded(encoded('{"name":"a value"}'))],
  ])('of %s', (inner, text) => {
    const found = detectValueKind(bytes(text))
    expect([found.kind, found.inner?.kind]).toEqual(['base64', inner])
  })

  test('the url alphabet without padding, and lines', () => {
    const url = Buffer.from('{"name":"a>>>value???"}').toString('base64url')
    expect(detectValueKind(bytes(url)).inner?.kind).toBe('json')
    const lines = encoded('{"name":"a value", "more": true}').replaceAll(/.{20}/gu, '$&\n')
    expect(detectValueKind(bytes(lines)).inner?.kind).toBe('json')
  })
})

describe('bytes', () => {
  test.each([
    ['gzip', gzipSync('text')],
    ['zlib', deflateSync(Buffer.alloc(400, 7))],
    ['png', Buffer.from('89504e470d0a1a0a0000', 'hex')],
    ['jpeg', Buffer.from('ffd8ffe000104a464946', 'hex')],
    ['gif', Buffer.from('4749463839610100010080000000000000', 'hex')],
    ['webp', Buffer.from('524946461a000000574542505650384c', 'hex')],
    ['kubernetes', Buffer.from('6b3873000a0b', 'hex')],
    ['binary', Buffer.from([0xff, 0xfe, 1, 2])],
    ['binary', Buffer.from('text with\0zero')],
  ])('%s', (kind, value) => {
    expect(detectValueKind(value)).toEqual({ kind, isText: false })
  })

  test('only what the editor can write back unchanged counts as text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (value) => {
        const { isText, kind } = detectValueKind(value)
        const isWhole = Buffer.from(Buffer.from(value).toString('utf8')).equals(value)
        if (isText) expect(isWhole && !value.includes(0)).toBe(true)
        else if (kind === 'binary') expect(isWhole && !value.includes(0)).toBe(false)
      }),
    )
  })

  test('every text is recognised without failing, and what JSON writes is JSON', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        detectValueKind(bytes(text))
      }),
    )
    fc.assert(
      fc.property(
        fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue())),
        (value) => {
          expect(kindOf(JSON.stringify(value))).toBe('json')
        },
      ),
    )
  })

  test('characters cut by the end of the head do not make a long text binary', () => {
    const text = `x${'한'.repeat(60_000)}`
    expect(detectValueKind(bytes(text))).toEqual({ kind: 'plain', isText: true })
  })
})
