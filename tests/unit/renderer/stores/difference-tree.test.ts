import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DifferenceColumns } from '../../../../src/preload/contract/compare.ts'
import { keyText, textBytes } from '../../../../src/renderer/format/bytes-text.ts'
import { sortedJson } from '../../../../src/renderer/format/sorted-json.ts'
import { DifferenceTable } from '../../../../src/renderer/stores/difference-table.ts'
import { DifferenceTree } from '../../../../src/renderer/stores/difference-tree.ts'
import { DifferenceView } from '../../../../src/renderer/stores/difference-view.ts'

function columnsOf(keys: readonly string[]): DifferenceColumns {
  const bytes = keys.map((key) => textBytes(key))
  const keyOffsets = new Uint32Array(keys.length + 1)
  bytes.forEach((key, at) => {
    keyOffsets[at + 1] = (keyOffsets[at] ?? 0) + key.length
  })
  return {
    rowCount: keys.length,
    keyBytes: Uint8Array.from(bytes.flatMap((key) => [...key])),
    keyOffsets,
    kinds: Uint8Array.from(keys, (_, at) => at % 3),
    leftModRevisions: new Float64Array(keys.length),
    rightModRevisions: new Float64Array(keys.length),
    leftSizesBytes: new Int32Array(keys.length).fill(-1),
    rightSizesBytes: new Int32Array(keys.length).fill(-1),
    leases: new Uint8Array(keys.length),
  }
}

/** Lines as text: depth, name, and counts of a folder. */
function linesOf(tree: DifferenceTree, table: DifferenceTable): readonly string[] {
  return Array.from({ length: tree.lineCount }, (_, index) => {
    const line = tree.findLine(index)
    if (line === undefined) return 'nothing'
    const indent = '  '.repeat(line.depth)
    if (line.kind === 'key') return indent + keyText(table.keyAt(line.row).subarray(line.nameAt))
    const { added, changed, removed } = line.counts
    return `${indent}${keyText(line.path.subarray(line.nameAt))} +${String(added)} ~${String(changed)} -${String(removed)}`
  })
}

describe('DifferenceTree', () => {
  test('shows folders with counts, and folders of one folder as one', () => {
    const table = new DifferenceTable()
    const view = new DifferenceView(table, { kind: 'all', contains: new Uint8Array(0) })
    const tree = new DifferenceTree(view, textBytes('/'), new Set())
    table.append(columnsOf(['/app/', '/app/x/1', '/app/x/2', '/app/y']))
    view.extend(1_000)
    tree.layOut()
    expect(linesOf(tree, table)).toEqual(['/app/ +2 ~1 -1'])
    table.append(columnsOf(['/reg/a/b/1', '/reg/a/b/2']))
    view.extend(1_000)
    tree.openAll()
    expect(linesOf(tree, table)).toEqual([
      '/app/ +2 ~1 -1',
      '  ',
      '  x/ +0 ~1 -1',
      '    1',
      '    2',
      '  y',
      '/reg/a/b/ +1 ~0 -1',
      '  1',
      '  2',
    ])
    tree.toggle(textBytes('/app/x/'))
    expect(tree.lineCount).toBe(7)
  })

  test('holds every key once, in order, however the rows came in', () => {
    const key = fc.array(fc.constantFrom('a', 'b', '/', '//', 'c'), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(fc.array(key, { maxLength: 40 }), fc.nat(40), (parts, cut) => {
        const keys = [...new Set(parts.map((one) => one.join('')))].sort()
        const table = new DifferenceTable()
        const view = new DifferenceView(table, { kind: 'all', contains: new Uint8Array(0) })
        const tree = new DifferenceTree(view, textBytes('/'), new Set())
        for (const part of [keys.slice(0, cut), keys.slice(cut)]) {
          table.append(columnsOf(part))
          view.extend(1_000)
          tree.layOut()
        }
        tree.openAll()
        const rows = Array.from({ length: tree.lineCount }, (_, at) => tree.findLine(at))
        const found = rows.flatMap((line) => (line?.kind === 'key' ? [line.row] : []))
        expect(found).toEqual(keys.map((_, at) => at))
      }),
    )
  })
})

describe('sortedJson', () => {
  test('sorts names and keeps numbers and texts as they were written', () => {
    expect(sortedJson('{"b":12345678901234567890,"a":[1.0,{"z":"\\u0041","y":{}}]}')).toBe(
      '{\n  "a": [\n    1.0,\n    {\n      "y": {},\n      "z": "\\u0041"\n    }\n  ],\n  "b": 12345678901234567890\n}',
    )
    expect(sortedJson('{"a":')).toBeUndefined()
  })

  test('means the same as before', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(JSON.parse(sortedJson(text) ?? '')).toEqual(JSON.parse(text))
      }),
    )
  })
})
