import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { watchColumnsOf } from '../../../../src/preload/contract/watch-columns.ts'
import type { WatchChange } from '../../../../src/preload/contract/watch.ts'
import { WatchLog } from '../../../../src/renderer/stores/watch-log.ts'
import { WatchView } from '../../../../src/renderer/stores/watch-view.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (part: Uint8Array): string => new TextDecoder().decode(part)

function put(revision: number, key: string, value = `${key}@${String(revision)}`): WatchChange {
  const watched = {
    bytes: bytes(value),
    sizeBytes: value.length,
    createRevision: 1,
    modRevision: revision,
    version: revision,
    lease: -5n,
  }
  return { kind: 'put', key: bytes(key), revision, current: watched }
}

function append(log: WatchLog, watchId: number, changes: readonly WatchChange[]): number[] {
  const source = { watchId, seenAtMs: 7, headRevision: 0, skipCount: 0 }
  return log.append(watchColumnsOf(changes), source)
}

const roomy = { rowsMax: 100_000, bytesMax: 100_000_000 }

describe('WatchLog', () => {
  test('a row comes back as it was delivered', () => {
    const log = new WatchLog(roomy)
    const before = put(3, '/a', 'old').current
    const gone: WatchChange = {
      kind: 'delete',
      key: bytes('/a'),
      revision: 9,
      ...(before === undefined ? {} : { previous: before }),
    }
    const [first, second] = append(log, 4, [put(3, '/a', 'old'), gone])
    expect(log.rowOf(first ?? -1)).toMatchObject({ op: 'put', revision: 3, version: 3, lease: -5n })
    const row = log.rowOf(second ?? -1)
    expect(row).toMatchObject({ op: 'delete', watchId: 4, hasPrevious: true, previousRevision: 3 })
    expect(text(row?.key ?? bytes(''))).toBe('/a')
    expect(text(row?.previousValue ?? bytes(''))).toBe('old')
    expect(row?.value.length).toBe(0)
  })

  test('rows of several watches stand in revision order, each once, and the oldest leave first', () => {
    const batch = fc.record({
      watchId: fc.integer({ min: 1, max: 3 }),
      steps: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 400 }),
    })
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 12 }), (batches) => {
        const log = new WatchLog({ rowsMax: 1_500, bytesMax: 400_000 })
        const view = new WatchView(log, () => undefined)
        const revisions = new Map<number, number>()
        let model: { revision: number; key: string }[] = []
        for (const { watchId, steps } of batches) {
          let revision = revisions.get(watchId) ?? watchId * 100
          const changes = steps.map((step, at) => {
            revision += step
            return put(revision, `/w${String(watchId)}/${String(at)}`)
          })
          revisions.set(watchId, revision)
          view.take(append(log, watchId, changes))
          model.push(...changes.map((one) => ({ revision: one.revision, key: text(one.key) })))
          model = model.toSorted((left, right) => left.revision - right.revision)
          const dropped = log.trim()
          view.prune()
          model = model.slice(dropped)
          expect(log.rowCount).toBeLessThanOrEqual(1_500)
          expect(log.sizeBytes).toBeLessThanOrEqual(400_000)
        }
        const rows = [...view.ids.toArray()].map((id) => log.rowOf(id))
        expect(
          rows.map((row) => ({ revision: row?.revision, key: text(row?.key ?? bytes('')) })),
        ).toEqual(model)
        expect([...log.order.toArray()]).toEqual([...view.ids.toArray()])
      }),
      { numRuns: 40 },
    )
  })

  test('the bytes of rows that left are given back', () => {
    const log = new WatchLog({ rowsMax: 100, bytesMax: 100_000_000 })
    for (let round = 0; round < 100; round++) {
      append(
        log,
        1,
        Array.from({ length: 100 }, (_, at) => put(round * 100 + at, '/k', 'v'.repeat(1_000))),
      )
      log.trim()
    }
    expect(log.rowCount).toBe(100)
    expect(log.droppedCount).toBe(9_900)
    expect(log.sizeBytes).toBeLessThan(100 * 1_200)
    const kept = [...log.order.toArray()].map((id) => log.rowOf(id)?.revision)
    expect(kept).toEqual(Array.from({ length: 100 }, (_, at) => 9_900 + at))
  })

  test('a seam stands between what came before it and what comes after', () => {
    const log = new WatchLog(roomy)
    append(log, 1, [put(5, '/a')])
    log.appendSeam(1, 5.5, { seam: { kind: 'interrupted', reason: 'gone' }, seenAtMs: 1 })
    append(log, 1, [put(6, '/a')])
    append(log, 2, [put(4, '/b'), put(6, '/b')])
    const kinds = [...log.order.toArray()].map((id) => log.rowOf(id)?.revision ?? 'seam')
    expect(kinds).toEqual([4, 5, 'seam', 6, 6])
  })
})
