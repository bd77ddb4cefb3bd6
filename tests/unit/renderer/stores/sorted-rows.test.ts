import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KeyRow } from '../../../../src/preload/contract/key-columns.ts'
import type { WatchChange } from '../../../../src/preload/contract/watch.ts'
import { keyText, textBytes } from '../../../../src/renderer/format/bytes-text.ts'
import { compareKeys, includesBytes } from '../../../../src/renderer/stores/key-order.ts'
import { SortedRows } from '../../../../src/renderer/stores/sorted-rows.ts'
import type { ListOrder } from '../../../../src/renderer/stores/sorted-rows.ts'

/** A key space that says what each write changed. */
class Model {
  revision = 0
  readonly rows = new Map<string, KeyRow>()

  put(name: string, sizeBytes: number): WatchChange {
    this.revision++
    const before = this.rows.get(name)
    const value = {
      createRevision: before?.createRevision ?? this.revision,
      modRevision: this.revision,
      version: (before?.version ?? 0) + 1,
      lease: 0n,
    }
    const key = textBytes(name)
    this.rows.set(name, { key, value: new Uint8Array(0), valueSizeBytes: sizeBytes, ...value })
    const current = { bytes: new Uint8Array(0), sizeBytes, ...value }
    return { kind: 'put', key, revision: this.revision, current }
  }

  delete(name: string): WatchChange | undefined {
    if (!this.rows.delete(name)) return undefined
    this.revision++
    return { kind: 'delete', key: textBytes(name), revision: this.revision }
  }

  /** All rows of a list as they ought to stand. */
  sorted({ by, isDescending }: ListOrder, contains: Uint8Array): readonly KeyRow[] {
    const sign = isDescending ? -1 : 1
    const field = by === 'size' ? 'valueSizeBytes' : by
    return [...this.rows.values()]
      .filter(({ key }) => includesBytes(key, contains))
      .sort((left, right) =>
        field === 'key'
          ? compareKeys(left.key, right.key) * sign
          : (left[field] - right[field]) * sign || compareKeys(left.key, right.key),
      )
  }
}

const orders = fc.record({
  by: fc.constantFrom('key', 'createRevision', 'modRevision', 'version', 'size'),
  isDescending: fc.boolean(),
}) as fc.Arbitrary<ListOrder>
const writes = fc.array(
  fc.record({
    name: fc.constantFrom('a', 'ab', 'b', 'ba', 'c', 'ca', 'cb', 'd', 'e', 'f'),
    sizeBytes: fc.nat(5),
    isDelete: fc.boolean(),
  }),
  { maxLength: 60 },
)

function texts(rows: SortedRows): readonly string[] {
  const shown: string[] = []
  rows.each((row) => shown.push(`${keyText(row.key)}@${String(row.modRevision)}`))
  return shown
}

function nameAt(row: KeyRow): string {
  return `${keyText(row.key)}@${String(row.modRevision)}`
}

function opened(model: Model, order: ListOrder, rowsMax: number, text: string): SortedRows {
  const contains = textBytes(text)
  const accepts = (key: Uint8Array): boolean => includesBytes(key, contains)
  const rows = new SortedRows({ order, rowsMax, accepts })
  const all = model.sorted(order, contains)
  rows.replace(all.slice(0, rowsMax))
  rows.close(all.length, model.revision)
  return rows
}

describe('SortedRows', () => {
  test('a list that is not cut equals the sort of the store after any changes', () => {
    fc.assert(
      fc.property(
        orders,
        writes,
        writes,
        fc.constantFrom('', 'a', 'b'),
        (order, before, then, text) => {
          const model = new Model()
          for (const one of before) act(model, one)
          const rows = opened(model, order, 100, text)
          for (const one of then) {
            const change = act(model, one)
            if (change !== undefined) rows.apply(change)
          }
          const wanted = model.sorted(order, textBytes(text))
          expect(texts(rows)).toEqual(wanted.map(nameAt))
          expect(rows.count).toBe(wanted.length)
          wanted.forEach((row, position) => {
            expect(rows.find(row.key)).toBe(position)
          })
        },
      ),
    )
  })

  test('a list that is cut stays a beginning of the sort, and its count exact', () => {
    fc.assert(
      fc.property(
        orders,
        writes,
        writes,
        fc.integer({ min: 1, max: 5 }),
        (order, before, then, rowsMax) => {
          const model = new Model()
          for (const one of before) act(model, one)
          const rows = opened(model, order, rowsMax, '')
          for (const one of then) {
            const change = act(model, one)
            if (change !== undefined) rows.apply(change)
          }
          const wanted = model.sorted(order, new Uint8Array(0))
          expect(texts(rows)).toEqual(wanted.slice(0, rows.length).map(nameAt))
          expect(rows.length).toBeLessThanOrEqual(rowsMax)
          expect(rows.count).toBe(wanted.length)
        },
      ),
    )
  })

  test('rows that were read newer than the watch has come are not made older by it', () => {
    const model = new Model()
    model.put('a', 1)
    const order = { by: 'modRevision', isDescending: true } as const
    const rows = opened(model, order, 10, '')
    const changes = [model.put('b', 1), model.put('a', 2), model.put('a', 3)]
    const newest = model.rows.get('a')
    if (newest !== undefined) rows.putValue(newest)
    for (const change of changes) rows.apply(change)
    expect(texts(rows)).toEqual(['a@4', 'b@2'])
    expect(rows.count).toBe(2)
  })

  test('changes up to the revision that was read are known', () => {
    const model = new Model()
    const change = model.put('a', 1)
    const rows = opened(model, { by: 'size', isDescending: false }, 10, '')
    expect(rows.apply(change)).toBe(false)
    expect(rows.count).toBe(1)
  })

  test('a list that lost a quarter of its rows wants what follows', () => {
    const model = new Model()
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) model.put(name, 1)
    const rows = opened(model, { by: 'version', isDescending: false }, 4, '')
    for (const name of ['a', 'b']) rows.apply(model.put(name, 1))
    expect(texts(rows)).toEqual(['c@3', 'd@4'])
    expect(rows.isWanting).toBe(true)
    expect(rows.isCut).toBe(true)
  })
})

function act(
  model: Model,
  { name, sizeBytes, isDelete }: { name: string; sizeBytes: number; isDelete: boolean },
): WatchChange | undefined {
  return isDelete ? model.delete(name) : model.put(name, sizeBytes)
}
