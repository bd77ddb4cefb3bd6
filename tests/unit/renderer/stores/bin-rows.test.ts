import { expect, test } from 'vitest'
import { binRowsOf } from '../../../../src/renderer/stores/bin-rows.ts'

const encoder = new TextEncoder()

function rowsOf(texts: readonly string[], options: { prefix?: string; open?: readonly string[] }) {
  const entries = texts.map((text, number) => ({
    ...{ key: encoder.encode(text), text, deletedRevision: number + 1, valueSizeBytes: 1 },
    ...{ lease: 0n, createRevision: 1, version: 1 },
  }))
  const { prefix = '', open = [] } = options
  const rows = binRowsOf(entries, { separator: '/', prefix, expanded: new Set(open) })
  return rows.map((row) => {
    const label = `${' '.repeat(row.depth)}${row.label}`
    return row.kind === 'key'
      ? label
      : `${label} ${String(row.count)} r${String(row.newestRevision)}`
  })
}

test('closed folders count their keys and name the newest deletion', () => {
  expect(rowsOf(['/a/x', '/b', '/a/c/y', 'z'], {})).toEqual(['/a/ 2 r3', '/b', 'z'])
})

test('open folders show what is in them', () => {
  const open = ['/a/', '/a/c/']
  expect(rowsOf(['/a/x', '/b', '/a/c/y'], { open })).toEqual([
    '/a/ 2 r3',
    ' c/ 1 r3',
    '  y',
    ' x',
    '/b',
  ])
})

test('under a prefix the tree begins behind its last separator', () => {
  expect(rowsOf(['/a/b/1', '/a/b/2', '/a/bc'], { prefix: '/a/b' })).toEqual(['b/ 2 r2', 'bc'])
})

test('a key that is a folder, too, stands beside it; empty parts of a name stay visible', () => {
  expect(rowsOf(['a', 'a/', 'a//b'], { open: ['a/'] })).toEqual(['a', 'a/ 2 r3', ' ', ' /b'])
})
