import { describe, expect, test } from 'vitest'
import { textBytes } from '../../../../src/renderer/format/bytes-text.ts'
import { placeAfter } from '../../../../src/renderer/screens/keys/use-steady-rows.ts'
import type { TreeRow } from '../../../../src/renderer/stores/key-tree.ts'

const folder = (path: string, count?: number): TreeRow => ({
  ...{ kind: 'folder', path: textBytes(path), name: path, isFolder: true, isAlsoKey: false },
  ...{ count, depth: 0 },
})
const key = (path: string): TreeRow => ({
  ...{ kind: 'key', path: textBytes(path), name: path, isFolder: false, isAlsoKey: false },
  ...{ count: 1, depth: 0 },
})

describe('placeAfter', () => {
  test('a row is followed to where it stands among others', () => {
    const before = [folder('/a/'), folder('/b/')]
    const after = [folder('/a/'), key('/a/1'), key('/a/2'), folder('/b/')]
    expect(placeAfter(before, after, 1)).toBe(3)
    expect(placeAfter(before, after, 0)).toBe(0)
  })

  test('a count is no move, a row that is gone has no place, and a key is no folder of its name', () => {
    expect(placeAfter([folder('/a/')], [folder('/a/', 7)], 0)).toBe(0)
    expect(placeAfter([folder('/a/')], [folder('/b/')], 0)).toBeUndefined()
    expect(placeAfter([key('/a')], [folder('/a')], 0)).toBeUndefined()
    expect(placeAfter([], [folder('/a/')], 0)).toBeUndefined()
  })
})
