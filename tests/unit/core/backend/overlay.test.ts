import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BucketName, ScanOptions } from '../../../../src/core/backend/backend.ts'
import { nameOfKey } from '../../../../src/core/backend/key-name.ts'
import { OverlayLayer, removed, scanMerged } from '../../../../src/core/backend/overlay.ts'

const buckets = ['key', 'head'] as const satisfies readonly BucketName[]
const keyOf = (number: number): Uint8Array => Uint8Array.of(number >> 4, number & 15)
const numberOf = (key: Uint8Array): number => ((key[0] ?? 0) << 4) | (key[1] ?? 0)

/** Mostly ascending, with steps back, as puts and a compaction write history. */
const changes = fc.array(
  fc.record({
    bucket: fc.constantFrom(...buckets),
    number: fc.nat(40),
    value: fc.option(fc.nat(255), { nil: undefined }),
    isAppended: fc.boolean(),
    endsBatch: fc.boolean(),
  }),
  { maxLength: 60 },
)
const bounds = fc.record({
  start: fc.option(fc.nat(120), { nil: undefined }),
  end: fc.option(fc.nat(120), { nil: undefined }),
  isReverse: fc.boolean(),
})

type Model = Map<number, number | undefined>

describe('a layer of changes', () => {
  it('finds, scans and lists what was set last, however batches are put on top of each other', () => {
    fc.assert(
      fc.property(changes, bounds, (made, { start, end, isReverse }) => {
        const models = { key: new Map(), head: new Map() } as Record<'key' | 'head', Model>
        const layer = new OverlayLayer()
        let batch = new OverlayLayer()
        let next = 41
        for (const { bucket, number, value, isAppended, endsBatch } of made) {
          const chosen = isAppended ? next++ : number
          models[bucket].set(chosen, value)
          const key = keyOf(chosen)
          batch.set(bucket, {
            key,
            value: value === undefined ? undefined : Uint8Array.of(value),
            ...(isAppended ? { name: nameOfKey(key) } : {}),
          })
          if (!endsBatch) continue
          layer.absorb(batch)
          batch = new OverlayLayer()
        }
        layer.absorb(batch)
        const options: ScanOptions = {
          ...(start === undefined ? {} : { start: keyOf(start) }),
          ...(end === undefined ? {} : { end: keyOf(end) }),
          isReverse,
        }
        for (const bucket of buckets) {
          const model = models[bucket]
          for (const [number, value] of model) {
            const found = layer.find(bucket, nameOfKey(keyOf(number)))
            expect(found === removed ? undefined : found?.[0]).toBe(value)
          }
          expect(layer.has(bucket)).toBe(model.size > 0)
          const within = [...model.entries()]
            .filter(([number]) => number >= (start ?? 0) && number < (end ?? Infinity))
            .sort(([left], [right]) => (isReverse ? right - left : left - right))
          const entries = [...layer.entriesWithin(bucket, options)]
          expect(entries.map(({ key, value }) => [numberOf(key), value?.[0]])).toEqual(within)
          if (within.length > 0) expect(layer.mayHaveWithin(bucket, options)).toBe(true)
          const replayed: Model = new Map()
          for (const change of layer.changes()) {
            if (change.bucket !== bucket) continue
            expect(change.entry.name).toBe(nameOfKey(change.entry.key))
            replayed.set(numberOf(change.entry.key), change.entry.value?.[0])
          }
          expect(new Map([...replayed].sort())).toEqual(new Map([...model].sort()))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('is left out of a scan that lies before its history', () => {
    const layer = new OverlayLayer()
    layer.set('key', { key: keyOf(50), value: Uint8Array.of(1) })
    const below = [{ key: keyOf(10), value: Uint8Array.of(2) }]
    const before = { start: keyOf(0), end: keyOf(50) }
    expect(layer.mayHaveWithin('key', before)).toBe(false)
    expect(scanMerged([layer], 'key', before, below)).toBe(below)
    const all = [...scanMerged([layer], 'key', {}, below)]
    expect(all.map(({ key }) => numberOf(key))).toEqual([10, 50])
  })
})
