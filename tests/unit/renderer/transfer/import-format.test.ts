import { expect, test } from 'vitest'
import { guessFormat, parseTransfer } from '../../../../src/renderer/transfer/import-format.ts'
import type { ImportFormat } from '../../../../src/renderer/transfer/transfer-row.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

function pairs(text: string, format: ImportFormat): unknown {
  const { rows, problems } = parseTransfer(text, format)
  const read = rows.map(({ key, value }) => [decoder.decode(key), decoder.decode(value)])
  return { read, problems }
}

test('what etcdctl prints as JSON is read', () => {
  const kvs = [{ key: btoa('/a'), value: btoa('1'), create_revision: 2, lease: 0 }]
  const text = JSON.stringify({ header: { revision: 9 }, kvs, count: 1 })
  expect(guessFormat(text)).toBe('json')
  expect(pairs(text, 'json')).toEqual({ read: [['/a', '1']], problems: [] })
})

test('an object of names and values is read, objects as their JSON', () => {
  const text = '{\n  "/a": "text",\n  "/b": {"x": 1}\n}'
  expect(pairs(text, 'json')).toEqual({
    read: [
      ['/a', 'text'],
      ['/b', '{"x":1}'],
    ],
    problems: [],
  })
  expect(guessFormat(text)).toBe('json')
})

test('an entry without a key is named by the line it stands in', () => {
  const text =
    '{"keys": [\n  {"key": "/a", "value": "1"},\n  {\n    "value": "]"\n  },\n  {"key":"","value":""}\n]}'
  expect(parseTransfer(text, 'json').problems).toEqual([
    { line: 3, reason: 'noKey' },
    { line: 6, reason: 'emptyKey' },
  ])
})

test('a fault of the whole document is named by its line', () => {
  const [problem] = parseTransfer('{\n"a": 1,\n}', 'json').problems
  expect(problem).toMatchObject({ line: 3, reason: 'notJson' })
  expect(parseTransfer('- key: a\n  value: b\n- key: [', 'yaml').problems[0]).toMatchObject({
    line: 3,
    reason: 'notYaml',
  })
})

test('plain lines are pairs as they stand', () => {
  const text = '# comment\n/app/a=1\n\n/app/b=x=y\nnothing\n=no\n\\x00k=v'
  expect(guessFormat(text)).toBe('pairs')
  const { rows, problems } = parseTransfer(text, 'pairs')
  expect(rows.map((row) => [...row.key])).toEqual([
    [...encoder.encode('/app/a')],
    [...encoder.encode('/app/b')],
    [0, 107],
  ])
  expect(problems).toEqual([
    { line: 5, reason: 'noAssignment', detail: 'nothing' },
    { line: 6, reason: 'emptyKey' },
  ])
})

test('an environment file of others is read by its names', () => {
  const text = 'export A=1\nB=\'two\nlines\'\nC="x\\ny" # why\n1 = \nnot an assignment\n'
  expect(guessFormat(text)).toBe('dotenv')
  expect(pairs(text, 'dotenv')).toEqual({
    read: [
      ['A', '1'],
      ['B', 'two\nlines'],
      ['C', 'x\ny'],
      ['1', ''],
    ],
    problems: [{ line: 6, reason: 'noAssignment', detail: 'not an assignment' }],
  })
})

test.each([
  ['etcdctl put /a 1', [['/a', '1']]],
  ['ETCDCTL_API=3 etcdctl --endpoints=http://x:1 put "/a b" \'c\'"d"', [['/a b', 'cd']]],
  ["etcdctl put -- --key $'\\x41\\n'", [['--key', 'A\n']]],
  [
    "etcdctl put /a 'two\nlines'\netcdctl put /b \\\n  x",
    [
      ['/a', 'two\nlines'],
      ['/b', 'x'],
    ],
  ],
])('the command %j is read', (text, read) => {
  expect(pairs(text, 'etcdctl')).toEqual({ read, problems: [] })
})

test.each([
  ['etcdctl del /a', { line: 1, reason: 'notAPut', detail: 'etcdctl' }],
  ['rm -rf /', { line: 1, reason: 'notAPut', detail: 'rm' }],
  ['etcdctl put /a $(id)', { line: 1, reason: 'shellSyntax', detail: 'etcdctl put /a $(id)' }],
  ['etcdctl put /a `id`', { line: 1, reason: 'shellSyntax', detail: 'etcdctl put /a `id`' }],
  ['etcdctl put /a 1 | sh', { line: 1, reason: 'shellSyntax', detail: 'etcdctl put /a 1 | sh' }],
  ['etcdctl put /a', { line: 1, reason: 'noValue' }],
  ["etcdctl put '' x", { line: 1, reason: 'emptyKey' }],
  ['etcdctl put a b c', { line: 1, reason: 'tooManyWords' }],
])('the command %j is refused and nothing is run', (text, problem) => {
  expect(parseTransfer(`${text}\netcdctl put /next 1`, 'etcdctl')).toMatchObject({
    rows: [{ key: encoder.encode('/next') }],
    problems: [problem],
  })
})

test('a quote that never ends loses only its own line', () => {
  const { rows, problems } = parseTransfer("etcdctl put a 'x\netcdctl put b y", 'etcdctl')
  expect(problems).toEqual([{ line: 1, reason: 'openQuote', detail: "etcdctl put a 'x" }])
  expect(rows).toHaveLength(1)
})
