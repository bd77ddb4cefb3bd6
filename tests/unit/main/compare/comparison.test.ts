import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compare } from '../../../../src/main/compare/comparison.ts'
import {
  differenceKinds,
  leftLeaseBit,
  rightKeyOf,
  rightLeaseBit,
  type CompareItem,
  type CompareRequest,
} from '../../../../src/preload/contract/compare.ts'
import type { KeyRange, KeyValue } from '../../../../src/preload/contract/kv.ts'
import { fakeCompareSource } from '../../../helpers/fake-compare.ts'
import { FakeStore, isIn, nameOf } from '../../../helpers/fake-store.ts'

const encoder = new TextEncoder()

/** A row as a test reads it. */
type Row = readonly [key: string, kind: string, leftMod: number, rightMod: number, leases: number]

interface Outcome {
  readonly rows: readonly Row[]
  readonly finished: Extract<CompareItem, { kind: 'finished' }>
  readonly methods: readonly string[]
}

const all: KeyRange = { kind: 'all' }
const prefix = (text: string): KeyRange => ({ kind: 'prefix', prefix: encoder.encode(text) })

function requestOf(change: Partial<CompareRequest>): CompareRequest {
  return {
    left: { connectionId: 'a', range: all, revision: 0 },
    right: { connectionId: 'a', range: all, revision: 0 },
    by: 'revision',
    ignoresValues: false,
    ignoresLeases: false,
    rowsMax: 1_000,
    ...change,
  }
}

async function run(
  stores: Readonly<Record<string, FakeStore>>,
  request: CompareRequest,
): Promise<Outcome> {
  const items: CompareItem[] = []
  const sourceOf = (side: 'left' | 'right') =>
    fakeCompareSource(
      stores[request[side].connectionId] ?? new FakeStore(),
      request[side].range,
      side,
    )
  await compare(
    {
      left: sourceOf('left'),
      right: sourceOf('right'),
      push: (item) => items.push(item),
      nowMs: () => 0,
    },
    request,
  )
  const finished = items.at(-1)
  if (finished?.kind !== 'finished') throw new Error('the comparison did not finish')
  return {
    rows: items.flatMap((item) => (item.kind === 'rows' ? rowsOf(item) : [])),
    finished,
    methods: items.flatMap((item) => (item.kind === 'started' ? [item.method] : [])),
  }
}

function rowsOf({ columns }: Extract<CompareItem, { kind: 'rows' }>): readonly Row[] {
  return Array.from({ length: columns.rowCount }, (_, row) => [
    nameOf(columns.keyBytes.subarray(columns.keyOffsets[row], columns.keyOffsets[row + 1])),
    differenceKinds[columns.kinds[row] ?? -1] ?? 'none',
    columns.leftModRevisions[row] ?? -1,
    columns.rightModRevisions[row] ?? -1,
    columns.leases[row] ?? -1,
  ])
}

/** What a comparison should say, found by looking at every key that the stores ever had. */
function modelOf(
  stores: Readonly<Record<string, FakeStore>>,
  names: readonly string[],
  request: CompareRequest,
): readonly Row[] {
  const { left, right } = request
  const find = (side: CompareRequest['left'], key: Uint8Array): KeyValue | undefined =>
    isIn(side.range, key) ? stores[side.connectionId]?.find(key, side.revision) : undefined
  const isByRevision =
    request.by === 'revision' &&
    left.connectionId === right.connectionId &&
    JSON.stringify(left.range) === JSON.stringify(right.range)
  return [...names].sort().flatMap((name): Row[] => {
    const key = encoder.encode(name)
    if (!isIn(left.range, key)) return []
    const one = find(left, key)
    const other = find(right, rightKeyOf({ left: left.range, right: right.range }, key))
    const leases = (one?.lease ? leftLeaseBit : 0) | (other?.lease ? rightLeaseBit : 0)
    const figures = [one?.modRevision ?? 0, other?.modRevision ?? 0, leases] as const
    if (one === undefined) return other === undefined ? [] : [[name, 'added', ...figures]]
    if (other === undefined) return [[name, 'removed', ...figures]]
    const isSame =
      request.ignoresValues ||
      (isByRevision
        ? one.modRevision === other.modRevision
        : nameOf(one.value) === nameOf(other.value) &&
          (request.ignoresLeases || (one.lease === 0n) === (other.lease === 0n)))
    return isSame ? [] : [[name, 'changed', ...figures]]
  })
}

const suffixes = ['', '1', '2', '1/x', '1/y', 'z', '\u0000', '~']
const names = suffixes.flatMap((suffix) => [`p/${suffix}`, `q/${suffix}`])
const step = fc.record({
  name: fc.constantFrom(...names),
  value: fc.option(fc.constantFrom('', 'one', 'two'), { nil: undefined, freq: 3 }),
  lease: fc.constantFrom(0n, 0n, 7n),
  store: fc.constantFrom('a', 'b'),
})
const side = fc.record({
  connectionId: fc.constantFrom('a', 'b'),
  range: fc.constantFrom(all, prefix('p/'), prefix('q/'), prefix('p/1')),
  place: fc.double({ min: 0, max: 1, noNaN: true }),
})

describe('compare', () => {
  test('finds what a look at every key finds, over random pasts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        side,
        side,
        fc.record({
          isSamePlace: fc.boolean(),
          by: fc.constantFrom('revision' as const, 'value' as const),
          ignoresValues: fc.boolean(),
          ignoresLeases: fc.boolean(),
        }),
        async (steps, leftSide, rightSide, { isSamePlace, ...options }) => {
          const stores = { a: new FakeStore(), b: new FakeStore() }
          for (const { store, name, value, lease } of steps) {
            const key = encoder.encode(name)
            if (value === undefined) stores[store].delete([key])
            else stores[store].put(key, encoder.encode(value), lease)
          }
          const pinned = ({ connectionId, range, place }: typeof leftSide) => ({
            connectionId,
            range,
            revision: 1 + Math.floor(place * (stores[connectionId].revision - 1)),
          })
          const left = pinned(leftSide)
          const right = pinned(isSamePlace ? { ...leftSide, place: rightSide.place } : rightSide)
          // Ranges of different kinds hold different keys; names that stand for each other need two prefixes.
          fc.pre((left.range.kind === 'all') === (right.range.kind === 'all'))
          const request = requestOf({ left, right, ...options })
          const allNames = [
            ...new Set([...names, ...names.map((name) => leftNameOf(request, name))]),
          ]
          const model = modelOf(stores, allNames, request)
          const { rows, finished } = await run(stores, request)
          expect(rows).toEqual(model)
          const { added, removed, changed } = finished.counts
          expect(added + removed + changed).toBe(model.length)
        },
      ),
      { numRuns: 300 },
    )
  }, 60_000)

  test('replays what was written between two revisions when that is less than all keys', async () => {
    const store = new FakeStore()
    store.load(Array.from({ length: 500 }, (_, at) => [`k${String(at).padStart(4, '0')}`, 'v']))
    const before = store.revision
    store.put(encoder.encode('k0001'), encoder.encode('w'))
    store.delete([encoder.encode('k0002')])
    const sides = (revision: number) => ({ connectionId: 'a', range: all, revision })
    const forward = await run({ a: store }, requestOf({ left: sides(before), right: sides(0) }))
    expect(forward.methods).toEqual(['replay'])
    expect(forward.rows.map(([key, kind]) => [key, kind])).toEqual([
      ['k0001', 'changed'],
      ['k0002', 'removed'],
    ])
    expect(forward.finished.counts).toEqual({ added: 0, removed: 1, changed: 1, same: 498 })
    const backward = await run({ a: store }, requestOf({ left: sides(0), right: sides(before) }))
    expect(backward.rows.map(([key, kind]) => [key, kind])).toEqual([
      ['k0001', 'changed'],
      ['k0002', 'added'],
    ])
    expect(backward.finished.counts).toEqual({ added: 1, removed: 0, changed: 1, same: 498 })
  })

  test('counts exactly beyond the rows that it delivers', async () => {
    const store = new FakeStore()
    const before = store.revision
    store.load(Array.from({ length: 5_000 }, (_, at) => [`k${String(at).padStart(5, '0')}`, 'v']))
    const { rows, finished } = await run(
      { a: store },
      requestOf({
        left: { connectionId: 'a', range: all, revision: before },
        right: { connectionId: 'a', range: all, revision: 0 },
        rowsMax: 10,
      }),
    )
    expect(rows).toHaveLength(10)
    expect(finished).toMatchObject({ isCut: true, counts: { added: 5_000, removed: 0 } })
  })

  test('says which side is compacted, and the oldest revision that is not', async () => {
    const store = new FakeStore()
    store.load([
      ['a', '1'],
      ['b', '2'],
    ])
    store.compactedRevision = 3
    await expect(
      run({ a: store }, requestOf({ right: { connectionId: 'a', range: all, revision: 2 } })),
    ).rejects.toMatchObject({
      failure: { code: 'compacted', details: { side: 'right', oldestRevision: 3 } },
    })
  })
})

/** The name on the left of a key that the right has. */
function leftNameOf({ left, right }: CompareRequest, name: string): string {
  if (left.range.kind !== 'prefix' || right.range.kind !== 'prefix') return name
  const mine = nameOf(right.range.prefix)
  return name.startsWith(mine) ? nameOf(left.range.prefix) + name.slice(mine.length) : name
}
