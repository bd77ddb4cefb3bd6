/** Comparisons on stores in memory: the real algorithm, reading what the stores answer. */

import type {
  CompareSource,
  ComparedPair,
  ReplayedChange,
} from '../../src/main/compare/compare-source.ts'
import { compare } from '../../src/main/compare/comparison.ts'
import type { CompareItem, CompareRequest } from '../../src/preload/contract/compare.ts'
import { keyRowAt } from '../../src/preload/contract/key-columns.ts'
import type { KeyRange, RangeReply } from '../../src/preload/contract/kv.ts'
import type { BridgeError, StreamListener, Subscription } from '../../src/preload/contract/reply.ts'
import type { WatchChange, WatchedValue } from '../../src/preload/contract/watch.ts'
import type { FakeStore } from './fake-store.ts'

const valueBytesMax = 16_777_216

/** What a store refuses. */
class FakeRefusal extends Error {
  readonly failure: BridgeError

  constructor(failure: BridgeError) {
    super(failure.message)
    this.failure = failure
  }
}

/** A range of a store as a side of a comparison; `side` is named in what it refuses. */
export function fakeCompareSource(
  store: FakeStore,
  range: KeyRange,
  side: 'left' | 'right',
): CompareSource {
  const rangeAt = (request: {
    readonly after?: Uint8Array
    readonly limit: number
    readonly revision: number
    readonly valueBytesMax: number
  }): RangeReply => {
    refuseUnreadable(store, request.revision, side)
    return store.range({ connectionId: 'any', range, ...request })
  }
  return {
    count: async (revision) => {
      await pause()
      const { count, headRevision } = rangeAt({ limit: 1, revision, valueBytesMax: 0 })
      return { count, headRevision }
    },
    page: async ({ isKeysOnly, ...query }) => {
      await pause()
      const reply = rangeAt({ ...query, valueBytesMax: isKeysOnly ? 0 : valueBytesMax })
      const pairs = Array.from({ length: reply.columns.rowCount }, (_, row) =>
        keyRowAt(reply.columns, row),
      )
      return { kind: 'page', pairs, hasMore: reply.hasMore }
    },
    replay: async ({ fromRevision, toRevision }, onChanges) => {
      await pause()
      if (fromRevision <= store.compactedRevision) return false
      const changes = store
        .changesFrom(range, fromRevision)
        .filter((change) => change.revision <= toRevision)
      return onChanges(changes.map(replayedChangeOf), toRevision)
    },
  }
}

/** The bridge's `compare.open`. */
export function openFakeCompare(
  storeOf: (connectionId: string) => FakeStore,
  request: CompareRequest,
  listener: StreamListener<CompareItem>,
): Subscription {
  let isOpen = true
  const parts = {
    left: fakeCompareSource(storeOf(request.left.connectionId), request.left.range, 'left'),
    right: fakeCompareSource(storeOf(request.right.connectionId), request.right.range, 'right'),
    nowMs: () => performance.now(),
    push: (item: CompareItem) => {
      if (isOpen) listener({ kind: 'batch', items: [item] })
    },
  }
  compare(parts, request)
    .then(() => {
      if (isOpen) listener({ kind: 'ended' })
    })
    .catch((error: unknown) => {
      if (!(error instanceof FakeRefusal)) throw error
      if (isOpen) listener({ kind: 'ended', error: error.failure })
    })
  return {
    close: () => {
      isOpen = false
    },
  }
}

function refuseUnreadable(store: FakeStore, revision: number, side: 'left' | 'right'): void {
  const shared = { grpcStatus: 'outOfRange', isRetryable: false, isOutcomeUnknown: false }
  if (revision > store.revision) {
    throw new FakeRefusal({
      ...shared,
      code: 'futureRevision',
      message: 'etcdserver: mvcc: required revision is a future revision',
      details: { side },
    })
  }
  if (revision === 0 || revision >= store.compactedRevision) return
  throw new FakeRefusal({
    ...shared,
    code: 'compacted',
    message: 'etcdserver: mvcc: required revision has been compacted',
    details: { side, oldestRevision: store.compactedRevision },
  })
}

function replayedChangeOf(change: WatchChange): ReplayedChange {
  const { key, kind, previous, current, revision } = change
  return {
    kind,
    pair:
      current === undefined
        ? { key, value: new Uint8Array(0), modRevision: revision, lease: 0n }
        : pairOf(key, current),
    ...(previous === undefined ? {} : { previous: pairOf(key, previous) }),
  }
}

function pairOf(key: Uint8Array, value: WatchedValue): ComparedPair {
  return { key, value: value.bytes, modRevision: value.modRevision, lease: value.lease }
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 1)
  })
}
