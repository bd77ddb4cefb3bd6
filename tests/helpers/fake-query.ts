/** Transactions and questions to single members, as the fake cluster answers them. */

import { keyColumnsOf, keyRowAt } from '../../src/preload/contract/key-columns.ts'
import type {
  Compare,
  KeyRange,
  KeyValue,
  TxnOperation,
  TxnOperationReply,
  TxnReply,
  TxnRequest,
} from '../../src/preload/contract/kv.ts'
import type { QueryRangeReply, QueryRangeRequest } from '../../src/preload/contract/query.ts'
import type { BridgeError, Reply } from '../../src/preload/contract/reply.ts'
import type { FakeCluster } from './fake-cluster.ts'
import { nameOf, type FakeStore } from './fake-store.ts'

/** Far above what a test keeps. */
const everyRow = 1_000_000

type TxnParts = Pick<TxnRequest, 'compares' | 'thenOperations' | 'elseOperations'>

/** Runs one branch in one revision, as a cluster does. */
export function runFakeTxn(
  store: FakeStore,
  cluster: FakeCluster,
  request: TxnRequest,
): Promise<Reply<TxnReply>> {
  if (!cluster.hasQuorum) return refused('noLeader', 'etcdserver: no leader')
  const outcome = store.inOneRevision(() => runBranch(store, request))
  return done({
    ...outcome,
    revision: store.revision,
    memberId: leaderId(cluster),
    term: cluster.term,
  })
}

/** One range from the leader, or from a member that must be running. */
export function fakeQueryRange(
  store: FakeStore,
  cluster: FakeCluster,
  request: QueryRangeRequest,
): Promise<Reply<QueryRangeReply>> {
  const { target } = request
  const asked = target.kind === 'member' ? target.memberId : leaderId(cluster)
  const member = cluster.snapshot().members.find((one) => one.id === asked)
  if (member?.reachability.kind !== 'reachable') {
    return refused('unreachable', 'no endpoint of the cluster answers')
  }
  if (!request.isSerializable && !cluster.hasQuorum) {
    return refused('noLeader', 'etcdserver: no leader')
  }
  const revision = request.revision === 0 ? store.revision : request.revision
  if (revision > store.revision) {
    return refused('futureRevision', 'etcdserver: mvcc: required revision is a future revision')
  }
  const all = pairsOf(store, request.range, request.revision)
  const pairs = sorted(
    all.filter((pair) => isWithin(pair, request)),
    request.sort,
  )
  const shown = request.isCountOnly ? [] : pairs.slice(0, request.limit)
  return done({
    memberId: asked,
    headRevision: store.revision,
    term: cluster.term,
    revision,
    count: all.length,
    hasMore: !request.isCountOnly && pairs.length > shown.length,
    durationMs: 1.4,
    columns: keyColumnsOf(
      shown.map((pair) => ({
        ...pair,
        value: request.isKeysOnly
          ? new Uint8Array(0)
          : pair.value.subarray(0, request.valueBytesMax),
        valueSizeBytes: request.isKeysOnly ? -1 : pair.value.length,
      })),
    ),
  })
}

function runBranch(store: FakeStore, txn: TxnParts): Pick<TxnReply, 'hasSucceeded' | 'replies'> {
  const hasSucceeded = txn.compares.every((compare) => holds(store, compare))
  const operations = hasSucceeded ? txn.thenOperations : txn.elseOperations
  return { hasSucceeded, replies: operations.map((operation) => run(store, operation)) }
}

function run(store: FakeStore, operation: TxnOperation): TxnOperationReply {
  switch (operation.kind) {
    case 'put': {
      const previous = store.find(operation.key)
      const kept = operation.keepsLease === true ? previous?.lease : operation.lease
      store.put(operation.key, operation.value, kept ?? 0n)
      return { kind: 'put', ...(previous === undefined ? {} : { previous }) }
    }
    case 'delete': {
      const deleted = store.delete(pairsOf(store, operation.range, 0).map(({ key }) => key))
      const isShown = operation.needsPrevious !== false
      return { kind: 'delete', deletedCount: deleted.length, deleted: isShown ? deleted : [] }
    }
    case 'range': {
      const all = pairsOf(store, operation.range, operation.revision ?? 0)
      const within = all.filter((pair) => isWithin(pair, operation))
      const isCount = operation.isCountOnly === true
      const pairs = isCount ? [] : sorted(within, operation.sort).slice(0, operation.limit)
      const hasMore = !isCount && within.length > pairs.length
      return { kind: 'range', count: all.length, hasMore, pairs }
    }
    case 'txn':
      return { kind: 'txn', ...runBranch(store, operation) }
  }
}

function holds(store: FakeStore, compare: Compare): boolean {
  const { key, end, operand } = compare
  const range: KeyRange =
    end === undefined
      ? { kind: 'key', key }
      : end === 'toLastKey'
        ? { kind: 'from', start: key }
        : { kind: 'interval', start: key, end }
  const pairs = pairsOf(store, range, 0)
  if (pairs.length === 0) return operand.kind !== 'value' && isMet(compare, undefined)
  return pairs.every((pair) => isMet(compare, pair))
}

function isMet({ relation, operand }: Compare, pair: KeyValue | undefined): boolean {
  const [left, right] = sidesOf(operand, pair)
  const order = left < right ? -1 : left > right ? 1 : 0
  switch (relation) {
    case 'equal':
      return order === 0
    case 'notEqual':
      return order !== 0
    case 'greater':
      return order > 0
    case 'less':
      return order < 0
  }
}

function sidesOf(
  operand: Compare['operand'],
  pair: KeyValue | undefined,
): readonly [string | number | bigint, string | number | bigint] {
  switch (operand.kind) {
    case 'value':
      return [nameOf(pair?.value ?? new Uint8Array(0)), nameOf(operand.value)]
    case 'version':
      return [pair?.version ?? 0, operand.version]
    case 'createRevision':
      return [pair?.createRevision ?? 0, operand.createRevision]
    case 'modRevision':
      return [pair?.modRevision ?? 0, operand.modRevision]
    case 'lease':
      return [pair?.lease ?? 0n, operand.lease]
  }
}

function pairsOf(store: FakeStore, range: KeyRange, revision: number): readonly KeyValue[] {
  const { columns } = store.range({
    ...{ connectionId: 'playground', range, revision },
    ...{ limit: everyRow, valueBytesMax: everyRow },
  })
  return Array.from({ length: columns.rowCount }, (_, at) => {
    const { key, value, createRevision, modRevision, version, lease } = keyRowAt(columns, at)
    return { key, value, createRevision, modRevision, version, lease }
  })
}

function isWithin(
  pair: KeyValue,
  bounds: Pick<
    QueryRangeRequest,
    'minModRevision' | 'maxModRevision' | 'minCreateRevision' | 'maxCreateRevision'
  >,
): boolean {
  const { minModRevision = 0, maxModRevision = 0 } = bounds
  const { minCreateRevision = 0, maxCreateRevision = 0 } = bounds
  return (
    pair.modRevision >= minModRevision &&
    (maxModRevision === 0 || pair.modRevision <= maxModRevision) &&
    pair.createRevision >= minCreateRevision &&
    (maxCreateRevision === 0 || pair.createRevision <= maxCreateRevision)
  )
}

function sorted(pairs: readonly KeyValue[], sort: QueryRangeRequest['sort']): readonly KeyValue[] {
  if (sort === undefined) return pairs
  const { by, isDescending } = sort
  const sideOf = (pair: KeyValue): string | number =>
    by === 'key' || by === 'value' ? nameOf(pair[by]) : pair[by]
  const sign = isDescending ? -1 : 1
  return [...pairs].sort((left, right) =>
    sideOf(left) < sideOf(right) ? -sign : sideOf(left) > sideOf(right) ? sign : 0,
  )
}

function leaderId(cluster: FakeCluster): bigint {
  return cluster.snapshot().leaderId ?? 0n
}

/** Answers after a short while, as another process would. */
function done<T>(value: T): Promise<Reply<T>> {
  return new Promise((resolve) => {
    setTimeout(() => {
      resolve({ ok: true, value })
    }, 2)
  })
}

function refused<T>(code: string, message: string): Promise<Reply<T>> {
  const error: BridgeError = {
    code,
    message,
    isRetryable: false,
    isOutcomeUnknown: false,
    details: {},
  }
  return Promise.resolve({ ok: false, error })
}
