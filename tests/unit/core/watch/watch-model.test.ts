import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hexOf } from '../../../../src/core/base/bytes.ts'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import { isInRange, type KeyRange } from '../../../../src/core/mvcc/key-range.ts'
import type { EventBatch } from '../../../../src/core/watch/event-batch.ts'
import { WatchHub } from '../../../../src/core/watch/watch-hub.ts'
import type { WatchRequest, WatchSink, Watcher } from '../../../../src/core/watch/watcher.ts'
import {
  describeModelPair,
  describePair,
  StoreModel,
  StoreUnderTest,
  type ModelChange,
  type Operation,
} from '../mvcc/store-model.ts'
import { TurnClock } from './turn-clock.ts'

const keys = [
  Uint8Array.of(1),
  Uint8Array.of(1, 0),
  Uint8Array.of(2),
  Uint8Array.of(3),
  Uint8Array.of(3, 9),
]
const keyArbitrary = fc.constantFrom(...keys)
const rangeArbitrary: fc.Arbitrary<KeyRange> = fc.oneof(
  fc.record({ start: keyArbitrary, end: fc.constant(undefined) }),
  fc.record({ start: keyArbitrary, end: fc.constant('unbounded' as const) }),
  fc.constant({ start: keys[0]!, end: keys[2]! }),
)
const operationArbitrary: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key: keyArbitrary,
      value: fc.uint8Array({ maxLength: 2 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('delete' as const), range: rangeArbitrary }),
  },
)
const stepArbitrary = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      turn: fc.array(fc.array(operationArbitrary, { minLength: 1, maxLength: 3 }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('watch' as const),
      range: rangeArbitrary,
      back: fc.integer({ min: -3, max: 12 }),
      noPut: fc.boolean(),
      noDelete: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('fill' as const), watcher: fc.nat({ max: 20 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('resume' as const), watcher: fc.nat({ max: 20 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('cancel' as const), watcher: fc.nat({ max: 20 }) }),
  },
  { weight: 6, arbitrary: fc.constant({ kind: 'turn' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('compact' as const),
      back: fc.nat({ max: 4 }),
      isFinished: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reset' as const }) },
)

/** As the API demands: within a request no key is put twice, nor put and deleted. */
function withoutRepeatedKeys(operations: readonly Operation[]): Operation[] {
  const kept: Operation[] = []
  const touches = (operation: Operation, key: Uint8Array): boolean =>
    operation.kind === 'put' ? hexOf(operation.key) === hexOf(key) : isInRange(operation.range, key)
  for (const operation of operations) {
    const isRepeated = keys.some(
      (key) => touches(operation, key) && kept.some((earlier) => touches(earlier, key)),
    )
    if (!isRepeated) kept.push(operation)
  }
  return kept
}

/** A client: what it asked for and what it was given. */
class Client implements WatchSink {
  readonly request: WatchRequest
  readonly firstRevision: number
  readonly batches: EventBatch[] = []
  watcher: Watcher | undefined
  isFull = false
  isOver = false
  compactedAt: number | undefined

  constructor(request: WatchRequest, currentRevision: number) {
    this.request = request
    this.firstRevision = request.startRevision === 0 ? currentRevision + 1 : request.startRevision
  }

  offer(batch: EventBatch): boolean {
    expect(this.isOver).toBe(false)
    if (this.isFull) return false
    this.batches.push(batch)
    return true
  }

  compacted(compactedRevision: number): boolean {
    expect(this.isOver).toBe(false)
    if (this.isFull) return false
    this.compactedAt = compactedRevision
    this.isOver = true
    return true
  }

  /** What the model says this client wants of the revisions below the bound. */
  expected(model: StoreModel, below: number): ModelChange[] {
    const { range, filters } = this.request
    return model.changes.filter(
      ({ main, key, value }) =>
        main >= this.firstRevision &&
        main < below &&
        isInRange(range, key) &&
        !(value === undefined ? filters.noDelete : filters.noPut),
    )
  }

  /** Ordered, complete, unique, and whole revisions only. */
  check(model: StoreModel, below: number): void {
    const given = this.batches.flatMap(({ changes }) => changes)
    expect(given.map(({ sub, keyValue }) => `${sub} ${describePair(keyValue)}`)).toEqual(
      this.expected(model, below).map((change) => `${change.sub} ${describeModelPair(change)}`),
    )
    let revision = 0
    for (const batch of this.batches) {
      const first = batch.changes[0]!.keyValue.modRevision
      const last = batch.changes.at(-1)!.keyValue.modRevision
      // A batch begins behind all that earlier ones were complete up to, and is complete up to its own revision.
      expect(first).toBeGreaterThan(revision)
      expect(last).toBeLessThanOrEqual(batch.revision)
      revision = batch.revision
    }
  }
}

describe('WatchHub beside a model', () => {
  test('every stream equals the history of its range, whatever is slow, compacted or replaced meanwhile', async () => {
    const seen = { compacted: 0, blocked: 0, caughtUp: 0 }
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { minLength: 5, maxLength: 60 }), async (steps) => {
        const subject = await StoreUnderTest.make()
        const model = new StoreModel()
        const clock = new TurnClock()
        const hub = new WatchHub(subject.store, { clock, logger: silentLogger })
        const clients: Client[] = []
        const clientOf = (position: number): Client | undefined =>
          clients[position % Math.max(clients.length, 1)]
        for (const step of steps) {
          if (step.kind === 'write') {
            const batch = subject.backend.beginBatch()
            const revisions = step.turn.map(withoutRepeatedKeys).flatMap((operations) => {
              model.write(operations)
              const view = subject.store.beginWrite(batch)
              for (const operation of operations) {
                if (operation.kind === 'put') view.put(operation.key, operation.value, 0n as never)
                else view.deleteRange(operation.range)
              }
              return view.end() ?? []
            })
            subject.backend.commitBatch(batch)
            subject.store.publish()
            hub.notify(revisions)
          } else if (step.kind === 'watch') {
            const startRevision = Math.max(model.revision - step.back, 0)
            const filters = { noPut: step.noPut, noDelete: step.noDelete }
            const client = new Client({ range: step.range, startRevision, filters }, model.revision)
            client.watcher = hub.watch(client.request, client)
            if (!client.watcher.isSynced) seen.caughtUp++
            clients.push(client)
          } else if (step.kind === 'fill') {
            const client = clientOf(step.watcher)
            if (client !== undefined) client.isFull = true
          } else if (step.kind === 'resume') {
            const client = clientOf(step.watcher)
            if (client === undefined) continue
            client.isFull = false
            client.watcher?.resume()
          } else if (step.kind === 'cancel') {
            const client = clientOf(step.watcher)
            if (client === undefined) continue
            client.isOver = true
            client.watcher?.cancel()
          } else if (step.kind === 'turn') clock.runTurn()
          else if (step.kind === 'compact') {
            const revision = model.revision - step.back
            if (revision <= subject.store.compactedRevision) continue
            subject.schedule(revision)
            while (step.isFinished && subject.store.hasCompactionWork) subject.step(3)
          } else hub.reset(subject.store)
          for (const client of clients) {
            if (client.isOver || client.watcher === undefined) continue
            if (client.isFull && !client.watcher.isSynced) seen.blocked++
            client.check(model, client.watcher.minRevision)
            const progress = hub.progressOf([client.watcher])
            if (progress !== undefined) client.check(model, progress + 1)
          }
        }
        for (const client of clients) {
          client.isFull = false
          client.watcher?.resume()
        }
        clock.settle()
        for (const client of clients) {
          if (client.compactedAt !== undefined) {
            seen.compacted++
            expect(client.watcher?.isCompacted).toBe(!client.isOver || client.watcher?.isCompacted)
            expect(client.watcher!.minRevision).toBeLessThan(client.compactedAt)
            client.check(model, client.watcher!.minRevision)
          } else if (!client.isOver) {
            expect(client.watcher?.isSynced).toBe(true)
            client.check(model, model.revision + 1)
          }
        }
        hub.dispose()
        expect(hub.watcherCount).toBe(0)
      }),
      { numRuns: 300 },
    )
    // A run in which nothing was ever slow or compacted would prove little.
    expect(Math.min(seen.compacted, seen.blocked, seen.caughtUp)).toBeGreaterThan(5)
  })
})
