import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mergeTexts } from '../../../../src/renderer/merge/three-way-merge.ts'

test('lines that one side changed are taken over', () => {
  const base = 'a\nb\nc\nd\n'
  const merge = mergeTexts({ base, mine: 'A\nb\nc\nd\n', theirs: 'a\nb\nc\nD\n' })
  expect(merge.conflicts).toEqual([])
  expect(merge.textFor([])).toBe('A\nb\nc\nD\n')
})

test('a line that both changed is a conflict, and each choice is followed', () => {
  const merge = mergeTexts({ base: 'x\ny\nz', mine: 'x\n1\nz', theirs: 'x\n2\nz' })
  expect(merge.conflicts).toEqual([{ place: { line: 2 }, base: 'y\n', mine: '1\n', theirs: '2\n' }])
  expect(merge.textFor([])).toBe('x\n1\nz')
  expect(merge.textFor(['theirs'])).toBe('x\n2\nz')
  expect(merge.textFor(['both'])).toBe('x\n1\n2\nz')
})

test('fields of a JSON line are merged', () => {
  const merge = mergeTexts({
    base: '{"a":1,"b":1}',
    mine: '{"a":2,"b":1,"c":true}',
    theirs: '{"a":1,"b":3}',
  })
  expect(merge.way).toBe('fields')
  expect(merge.conflicts).toEqual([])
  expect(merge.textFor([])).toBe('{"a":2,"b":3,"c":true}')
})

test('a field that both changed is a conflict by its path; a deleted field may be one', () => {
  const merge = mergeTexts({
    base: '{"a":{"x":1,"y":1}}',
    mine: '{"a":{"x":2}}',
    theirs: '{"a":{"x":3,"y":2}}',
  })
  expect(merge.conflicts).toEqual([
    { place: { path: '/a/x' }, base: '1', mine: '2', theirs: '3' },
    { place: { path: '/a/y' }, base: '1', mine: '', theirs: '2' },
  ])
  expect(merge.textFor(['theirs', 'mine'])).toBe('{"a":{"x":3}}')
  expect(merge.textFor([undefined, 'theirs'])).toBe('{"a":{"x":2,"y":2}}')
})

test('numbers that JavaScript would change are merged as lines only', () => {
  const merge = mergeTexts({
    base: '{"a":12345678901234567890}',
    mine: '{"a":12345678901234567891}',
    theirs: '{"a":12345678901234567892}',
  })
  expect(merge.way).toBe('lines')
  expect(merge.textFor(['theirs'])).toBe('{"a":12345678901234567892}')
})

test('a document keeps its layout', () => {
  const merge = mergeTexts({
    base: '{\n  "a": 1,\n  "b": 1\n}\n',
    mine: '{\n  "a": 2,\n  "b": 1\n}\n',
    theirs: '{\n  "a": 1,\n  "b": 2\n}\n',
  })
  expect(merge.conflicts).toEqual([])
  expect(merge.textFor([])).toBe('{\n  "a": 2,\n  "b": 2\n}\n')
})

const lines = fc
  .array(fc.constantFrom('a', 'b', 'c', '', 'long line', '{', '"x": 1'), { maxLength: 8 })
  .map((list) => list.join('\n'))
const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value))

test.each([
  ['lines', lines],
  ['JSON', json],
])('%s: one side alone is taken whole, and the choice of a side gives it back', (_name, texts) => {
  fc.assert(
    fc.property(texts, texts, texts, (base, mine, theirs) => {
      expect(mergeTexts({ base, mine, theirs: base }).textFor([])).toBe(mine)
      expect(mergeTexts({ base, mine: base, theirs }).textFor([])).toBe(theirs)
      const same = mergeTexts({ base, mine, theirs: mine })
      expect(same.conflicts).toEqual([])
      expect(same.textFor([])).toBe(mine)
    }),
    { numRuns: 500 },
  )
})
