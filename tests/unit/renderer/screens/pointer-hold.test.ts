import { describe, expect, test } from 'vitest'
import { textBytes } from '../../../../src/renderer/format/bytes-text.ts'
import { placeAfter, PointerHold } from '../../../../src/renderer/screens/keys/pointer-hold.ts'
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

describe('PointerHold', () => {
  const before = [folder('/a/'), folder('/b/'), folder('/c/')]
  const opened = [folder('/a/'), key('/a/1'), folder('/b/'), folder('/c/')]

  test('rows wait while the row under the pointer would move, until the pointer rests or leaves', () => {
    const hold = new PointerHold()
    expect(hold.waitMs(before, opened, 0)).toBe(0)
    hold.move(1, 1_000)
    expect(hold.waitMs(before, opened, 1_100)).toBe(1_400)
    expect(hold.waitMs(before, opened, 2_500)).toBe(0)
    hold.move(1, 3_000)
    hold.leave()
    expect(hold.waitMs(before, opened, 3_001)).toBe(0)
  })

  test('rows that come in below the pointer come at once', () => {
    const hold = new PointerHold()
    hold.move(0, 1_000)
    expect(hold.waitMs(before, opened, 1_000)).toBe(0)
    expect(hold.replace(before, opened, 1_000)).toBe(0)
    expect(hold.aimed(opened[0], 1_001)).toBe(opened[0])
  })

  test('a click just after rows moved under a resting pointer is meant for the row that was there', () => {
    const hold = new PointerHold()
    hold.move(1, 0)
    expect(hold.replace(before, opened, 5_000)).toBe(1)
    expect(hold.aimed(opened[1], 5_200)).toBe(before[1])
    expect(hold.aimed(opened[1], 5_400)).toBe(opened[1])
    hold.replace(before, opened, 6_000)
    hold.move(1, 6_050)
    expect(hold.aimed(opened[1], 6_100)).toBe(opened[1])
  })
})
