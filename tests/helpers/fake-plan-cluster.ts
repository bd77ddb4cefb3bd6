/**
 * The calls that plans and the bin make, answered by a store in memory: what runs above is the app's own code. Limits are
 * those of an etcd, and a test may lower them, lose an answer, or write between two steps.
 */

import type { Clock } from '../../src/core/base/clock.ts'
import { clusterId, leaseId, nodeId } from '../../src/core/base/ids.ts'
import { StoreError } from '../../src/core/errors/store-error.ts'
import type { KeyInterval, KeyValue } from '../../src/core/client/key-value.ts'
import type {
  Compare,
  RangeOptions,
  RangeResult,
  Txn,
  TxnOperation,
  TxnOperationResult,
  TxnResult,
} from '../../src/core/client/kv-client.ts'
import type { WatchEvent, WatchListener, WatchOptions } from '../../src/core/client/watch-client.ts'
import type { BinWatch } from '../../src/main/bin/deleted-keys.ts'
import type { PlanCluster } from '../../src/main/plans/plan-reading.ts'
import { keyRowAt } from '../../src/preload/contract/key-columns.ts'
import type { KeyRange, KeyValue as ContractPair } from '../../src/preload/contract/kv.ts'
import type { WatchChange, WatchedValue } from '../../src/preload/contract/watch.ts'
import { isIn, type FakeStore } from './fake-store.ts'

/** Far above what a test keeps. */
const wholeValue = 16_777_216

/** What a test may do to the cluster. */
export interface FakeFaults {
  operationsMax: number
  requestSizeBytesMax: number
  /** Called before each transaction that writes; may throw, or return what is thrown after it was applied. */
  beforeWrite: ((txn: Txn) => StoreError | undefined) | undefined
  /** Keys that nobody may write. */
  isForbidden: (key: Uint8Array) => boolean
}

export class FakePlanCluster implements PlanCluster {
  readonly store: FakeStore
  readonly faults: FakeFaults = {
    operationsMax: 128,
    requestSizeBytesMax: 1_572_864,
    beforeWrite: undefined,
    isForbidden: () => false,
  }
  /** Transactions that wrote something. */
  writeCount = 0
  largestWrite = 0

  constructor(store: FakeStore) {
    this.store = store
  }

  async range(interval: KeyInterval, options: RangeOptions = {}): Promise<RangeResult> {
    await nextTurn()
    this.assertKept(options.revision ?? 0, options.signal)
    return { header: this.header(), ...this.rangeNow(interval, options) }
  }

  async txn(txn: Txn, options: { readonly signal?: AbortSignal } = {}): Promise<TxnResult> {
    await nextTurn()
    if (options.signal?.aborted === true) throw new StoreError('contextCanceled')
    const operations = [...txn.thenOperations, ...txn.elseOperations]
    const isWrite = operations.some(({ kind }) => kind !== 'range')
    this.assertAllowed(txn)
    for (const operation of operations) {
      if (operation.kind === 'range') this.assertKept(operation.revision ?? 0)
    }
    const lost = isWrite ? this.faults.beforeWrite?.(txn) : undefined
    const hasSucceeded = txn.compares.every((compare) => this.holds(compare))
    const branch = hasSucceeded ? txn.thenOperations : txn.elseOperations
    const results = this.store.inOneRevision(() => branch.map((one) => this.execute(one)))
    if (isWrite && hasSucceeded) {
      this.writeCount++
      this.largestWrite = Math.max(this.largestWrite, branch.length)
    }
    if (lost !== undefined) throw lost
    return { header: this.header(), hasSucceeded, results }
  }

  /** A watch that delivers the past first and then what comes. */
  watch(clock: Clock, options: WatchOptions, listener: WatchListener): BinWatch {
    const { store } = this
    const range = rangeOf(options.interval)
    const eventsOf = (changes: readonly WatchChange[]): readonly WatchEvent[] =>
      changes
        .filter(({ key, kind }) => isIn(range, key) && isWanted(options, kind))
        .map((change) => eventOf(change, options.needsPrevious))
    let hasStarted = false
    const deliver = (changes: readonly WatchChange[]): void => {
      // What comes before the start is part of the past that the start delivers.
      if (!hasStarted) return
      const events = eventsOf(changes)
      if (events.length > 0) listener.onEvents(events)
    }
    const stop = store.listen(deliver)
    const timer = clock.setTimer(1, () => {
      hasStarted = true
      const startRevision = options.startRevision
      listener.onStarted({ startRevision, endpoint: 'http://127.0.0.1:2379', isResumed: false })
      if (startRevision < store.compactedRevision) {
        listener.onGap({ fromRevision: startRevision, toRevision: store.compactedRevision - 1 })
      }
      deliver(store.changesFrom(range, Math.max(startRevision, store.compactedRevision)))
    })
    return {
      pause: () => undefined,
      resume: () => undefined,
      requestProgress: () => {
        listener.onProgress({ revision: store.revision, isProven: false })
      },
      dispose: () => {
        stop()
        timer.cancel()
      },
    }
  }

  private rangeNow(interval: KeyInterval, options: RangeOptions): Omit<RangeResult, 'header'> {
    const page = this.store.range({
      connectionId: 'fake',
      range: rangeOf(interval),
      limit: options.limit === undefined || options.limit === 0 ? wholeValue : options.limit,
      revision: options.revision ?? 0,
      valueBytesMax: options.isKeysOnly === true ? 0 : wholeValue,
    })
    const rows = options.isCountOnly === true ? 0 : page.columns.rowCount
    const pairs = Array.from({ length: rows }, (_, row) =>
      clientPairOf(keyRowAt(page.columns, row)),
    )
    return { pairs, hasMore: options.isCountOnly !== true && page.hasMore, count: page.count }
  }

  private execute(operation: TxnOperation): TxnOperationResult {
    switch (operation.kind) {
      case 'range':
        return { kind: 'range', ...this.rangeNow(operation.interval, operation) }
      case 'put': {
        const { key, value, lease } = operation
        const previous = this.store.find(key)
        if (lease === undefined && previous === undefined) throw new StoreError('leaseNotFound')
        this.store.put(key, Uint8Array.from(value), lease ?? previous?.lease ?? 0n)
        return {
          kind: 'put',
          ...(previous === undefined ? {} : { previous: clientPairOf(previous) }),
        }
      }
      case 'delete': {
        const deleted = this.store.delete([operation.interval.start]).map(clientPairOf)
        return { kind: 'delete', deletedCount: deleted.length, previous: deleted }
      }
      case 'txn':
        throw new StoreError('unrecognized', { serverText: 'no nested transactions here' })
    }
  }

  private holds({ key, operand }: Compare): boolean {
    if (operand.kind !== 'modRevision') throw new StoreError('unrecognized')
    return (this.store.find(key)?.modRevision ?? 0) === operand.modRevision
  }

  private assertAllowed(txn: Txn): void {
    const { operationsMax, requestSizeBytesMax, isForbidden } = this.faults
    const longest = Math.max(
      txn.compares.length,
      txn.thenOperations.length,
      txn.elseOperations.length,
    )
    if (longest > operationsMax) throw new StoreError('tooManyOps')
    let sizeBytes = 0
    for (const operation of txn.thenOperations) {
      if (operation.kind === 'put') sizeBytes += operation.key.length + operation.value.length
      const key = operation.kind === 'delete' ? operation.interval.start : undefined
      const written = operation.kind === 'put' ? operation.key : key
      if (written !== undefined && isForbidden(written)) throw new StoreError('permissionDenied')
    }
    if (sizeBytes > requestSizeBytesMax) throw new StoreError('requestTooLarge')
  }

  private assertKept(revision: number, signal?: AbortSignal): void {
    if (signal?.aborted === true) throw new StoreError('contextCanceled')
    if (revision > 0 && revision < this.store.compactedRevision) throw new StoreError('compacted')
    if (revision > this.store.revision) throw new StoreError('futureRevision')
  }

  private header(): TxnResult['header'] {
    return {
      clusterId: clusterId(1n),
      memberId: nodeId(1n),
      revision: this.store.revision,
      term: 2,
    }
  }
}

function rangeOf({ start, end }: KeyInterval): KeyRange {
  if (end === undefined) return { kind: 'key', key: start }
  return end === 'toLastKey' ? { kind: 'from', start } : { kind: 'interval', start, end }
}

function isWanted(options: WatchOptions, kind: 'put' | 'delete'): boolean {
  return kind === 'put' ? options.isWithoutPuts !== true : options.isWithoutDeletes !== true
}

function eventOf(change: WatchChange, needsPrevious: boolean): WatchEvent {
  const { key, revision, current, previous } = change
  const none: WatchedValue = {
    ...{ bytes: new Uint8Array(0), sizeBytes: 0, createRevision: 0, version: 0, lease: 0n },
    modRevision: revision,
  }
  return {
    kind: change.kind,
    pair: pairOf(key, current ?? none),
    ...(needsPrevious && previous !== undefined ? { previous: pairOf(key, previous) } : {}),
  }
}

function pairOf(key: Uint8Array, { bytes, ...facts }: WatchedValue): KeyValue {
  return clientPairOf({ key, value: bytes, ...facts })
}

function clientPairOf(pair: ContractPair): KeyValue {
  const { key, value, createRevision, modRevision, version, lease } = pair
  return { key, value, createRevision, modRevision, version, lease: leaseId(lease) }
}

/** An answer never comes in the turn that asked. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0)
  })
}
