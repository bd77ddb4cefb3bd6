import { describe, expect, test } from 'vitest'
import { emptyConfState } from '../../../../src/core/raft/conf-change.ts'
import { MemoryLogStorage } from '../../../../src/core/raft/memory-log-storage.ts'
import type { Entry } from '../../../../src/core/raft/message.ts'

function entry(index: number, sizeBytes: number, term = 1): Entry {
  return { index, term, kind: 'normal', data: new Uint8Array(sizeBytes) }
}

describe('MemoryLogStorage', () => {
  test('knows how many bytes it holds, whatever is added, replaced and dropped', () => {
    const storage = new MemoryLogStorage()
    storage.append([entry(1, 10), entry(2, 20), entry(3, 30), entry(4, 40)])
    expect(storage.heldSizeBytes).toBe(100)
    storage.append([entry(3, 5, 2)])
    expect(storage.heldSizeBytes).toBe(35)
    storage.compact(1)
    expect(storage.heldSizeBytes).toBe(25)
    storage.append([entry(1, 1_000), entry(2, 20), entry(3, 7)])
    expect(storage.heldSizeBytes).toBe(27)
    storage.applySnapshot({
      metadata: { index: 9, term: 2, confState: emptyConfState },
      data: new Uint8Array(0),
    })
    expect(storage.heldSizeBytes).toBe(0)
  })

  test('says up to where entries must go so that the rest fits', () => {
    const storage = new MemoryLogStorage()
    storage.append([entry(1, 10), entry(2, 20), entry(3, 30), entry(4, 40)])
    expect(storage.indexBefore(1_000)).toBe(0)
    expect(storage.indexBefore(100)).toBe(0)
    expect(storage.indexBefore(99)).toBe(1)
    expect(storage.indexBefore(70)).toBe(2)
    expect(storage.indexBefore(0)).toBe(4)
    storage.compact(2)
    expect(storage.indexBefore(40)).toBe(3)
  })
})
