import { describe, expect, test } from 'vitest'
import type { KeyRow } from '../../../../src/preload/contract/key-columns.ts'
import { stateOf } from '../../../../src/renderer/stores/travel-after.ts'

const row = (change: Partial<KeyRow> = {}): KeyRow => ({
  key: new TextEncoder().encode('/a'),
  value: new Uint8Array(0),
  valueSizeBytes: -1,
  createRevision: 5,
  modRevision: 9,
  version: 3,
  lease: 0n,
  ...change,
})

describe('stateOf', () => {
  test('a key with the same mod revision is unchanged', () => {
    expect(stateOf(row(), row())).toEqual({ kind: 'same' })
  })

  test('one version more names its revision at once', () => {
    expect(stateOf(row(), row({ modRevision: 20, version: 4 }))).toEqual({
      ...{ kind: 'changed', revision: 20, isDeletion: false, moreCount: 0, end: 'exists' },
    })
  })

  test('several versions more leave the first of them open', () => {
    expect(stateOf(row(), row({ modRevision: 30, version: 8 }))).toEqual({
      ...{ kind: 'changed', revision: 0, isDeletion: false, moreCount: 4, end: 'exists' },
    })
  })

  test('a key that is gone was deleted; one with another creation was created again', () => {
    expect(stateOf(row(), undefined)).toMatchObject({ isDeletion: true, end: 'deleted' })
    expect(stateOf(row(), row({ createRevision: 40, modRevision: 41, version: 1 }))).toMatchObject({
      end: 'recreated',
    })
  })
})
