/** A naive multi-version map, held whole in memory, and a store beside it that is driven through the same steps. */

import { hexOf } from '../../../../src/core/base/bytes.ts'
import { noLease } from '../../../../src/core/base/ids.ts'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import type { Clock } from '../../../../src/core/base/clock.ts'
import {
  MemoryBackendFactory,
  type MemoryBackend,
} from '../../../../src/core/backend/memory-backend.ts'
import type { RevisionChanges } from '../../../../src/core/mvcc/change.ts'
import { isInRange, type KeyRange } from '../../../../src/core/mvcc/key-range.ts'
import { MvccStore, type WriteView } from '../../../../src/core/mvcc/mvcc-store.ts'
import type { StoredKeyValue } from '../../../../src/core/mvcc/stored-key-value.ts'

/** Never moves and calls back in the next microtask: enough for a store, which only yields. */
export const stillClock: Clock = {
  monotonicMs: () => 0,
  wallMs: () => 0,
  setTimer: () => ({ cancel: () => undefined }),
  nextTurn: (callback) => void Promise.resolve().then(callback),
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const textOf = (value: Uint8Array): string => new TextDecoder().decode(value)

/** One change as the model keeps it. */
export interface ModelChange {
  readonly main: number
  readonly sub: number
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
  readonly created: number
  readonly version: number
}

export type Operation =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly range: KeyRange }

/** Every change ever made, in order; nothing is forgotten. */
export class StoreModel {
  readonly changes: ModelChange[] = []
  revision = 1

  write(operations: readonly Operation[]): void {
    const main = this.revision + 1
    let sub = 0
    for (const operation of operations) {
      if (operation.kind === 'put') {
        const previous = this.newest(operation.key, main)
        const isAlive = previous?.value !== undefined
        this.changes.push({
          main,
          sub: sub++,
          key: operation.key,
          value: operation.value,
          created: isAlive ? previous.created : main,
          version: isAlive ? previous.version + 1 : 1,
        })
      } else {
        for (const { key } of this.alive(operation.range, main)) {
          this.changes.push({ main, sub: sub++, key, value: undefined, created: 0, version: 0 })
        }
      }
    }
    if (sub > 0) this.revision = main
  }

  newest(key: Uint8Array, revision: number): ModelChange | undefined {
    return this.changes.findLast(
      (change) => change.main <= revision && hexOf(change.key) === hexOf(key),
    )
  }

  alive(range: KeyRange, revision: number): ModelChange[] {
    const newest = new Map<string, ModelChange>()
    for (const change of this.changes) {
      if (change.main <= revision && isInRange(range, change.key))
        newest.set(hexOf(change.key), change)
    }
    return [...newest.entries()]
      .filter(([, change]) => change.value !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, change]) => change)
  }
}

/** A pair in a form that tests compare. */
export function describePair(pair: StoredKeyValue): string {
  return `${hexOf(pair.key)}=${hexOf(pair.value)} c${pair.createRevision} m${pair.modRevision} v${pair.version}`
}

export function describeModelPair(change: ModelChange): string {
  return `${hexOf(change.key)}=${hexOf(change.value ?? bytes(''))} c${change.created} m${change.main} v${change.version}`
}

export function describeChanges(revisions: readonly RevisionChanges[]): string[] {
  return revisions.map(({ revision, changes }) =>
    [
      `${revision}:`,
      ...changes.map(({ kind, keyValue, sub }) => `${sub} ${kind} ${describePair(keyValue)}`),
    ].join(' '),
  )
}

export function describeModelChanges(changes: readonly ModelChange[]): string[] {
  const revisions = new Map<number, string[]>()
  for (const change of changes) {
    const parts = revisions.get(change.main) ?? [`${change.main}:`]
    revisions.set(change.main, parts)
    parts.push(
      `${change.sub} ${change.value === undefined ? 'delete' : 'put'} ${describeModelPair(change)}`,
    )
  }
  return [...revisions.values()].map((parts) => parts.join(' '))
}

/** A store on an in-memory disk whose flushes the test holds back, with the applier's turn around each write. */
export class StoreUnderTest {
  readonly factory: MemoryBackendFactory
  backend: MemoryBackend
  store: MvccStore
  private readonly heldFlushes: (() => void)[]

  private constructor(factory: MemoryBackendFactory, backend: MemoryBackend, held: (() => void)[]) {
    this.factory = factory
    this.backend = backend
    this.heldFlushes = held
    this.store = StoreUnderTest.openStore(backend)
  }

  static async make(): Promise<StoreUnderTest> {
    const held: (() => void)[] = []
    const factory = new MemoryBackendFactory({ scheduleFlush: (flush) => held.push(flush) })
    return new StoreUnderTest(factory, await factory.open('disk'), held)
  }

  private static openStore(backend: MemoryBackend): MvccStore {
    return MvccStore.open(backend, { clock: stillClock, logger: silentLogger })
  }

  turn<Result>(write: (view: WriteView) => Result): Result {
    const batch = this.backend.beginBatch()
    const view = this.store.beginWrite(batch)
    const result = write(view)
    view.end()
    this.backend.commitBatch(batch)
    this.store.publish()
    return result
  }

  put(key: string, value: string): void {
    this.turn((view) => view.put(bytes(key), bytes(value), noLease))
  }

  remove(key: string): void {
    this.turn((view) => view.deleteRange({ start: bytes(key), end: undefined }))
  }

  write(operations: readonly Operation[]): RevisionChanges | undefined {
    const batch = this.backend.beginBatch()
    const view = this.store.beginWrite(batch)
    for (const operation of operations) {
      if (operation.kind === 'put') view.put(operation.key, operation.value, noLease)
      else view.deleteRange(operation.range)
    }
    const changes = view.end()
    this.backend.commitBatch(batch)
    this.store.publish()
    return changes
  }

  schedule(revision: number): void {
    const batch = this.backend.beginBatch()
    try {
      this.store.scheduleCompaction(batch, revision)
    } finally {
      this.backend.commitBatch(batch)
    }
  }

  step(revisionCountMax: number): 'done' | 'more' {
    const batch = this.backend.beginBatch()
    const result = this.store.runCompactionStep(batch, revisionCountMax)
    this.backend.commitBatch(batch)
    return result
  }

  compact(revision: number): void {
    this.schedule(revision)
    while (this.step(1_000) === 'more');
  }

  runFlushes(): void {
    for (const flush of this.heldFlushes.splice(0)) flush()
  }

  async crash(keptBatchCount: number): Promise<void> {
    this.heldFlushes.splice(0)
    this.backend.crash({ keptBatchCount })
    this.backend = await this.factory.open('disk')
    this.store = StoreUnderTest.openStore(this.backend)
  }

  /** Keys of the `key` bucket as `main.sub` and a `t` for tombstones. */
  recordNames(): string[] {
    return [...this.backend.scan('key', {})].map(({ key }) => {
      const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
      const sub = Number(view.getBigUint64(9))
      return `${Number(view.getBigUint64(0))}${sub === 0 ? '' : `.${sub}`}${key.length === 18 ? 't' : ''}`
    })
  }

  sizeOf(bucket: 'key' | 'head' | 'longkey' | 'count'): number {
    return [...this.backend.scan(bucket, {})].length
  }
}
