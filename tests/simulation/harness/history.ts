/** What clients saw: operations with their answers and times, and what watches delivered. The judges read nothing else. */
import type { StoredKeyValue } from '../../../src/core/mvcc/stored-key-value.ts'
import type { CompactResult, OperationResult } from '../../../src/core/apply/apply-result.ts'
import type {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../../../src/core/proto/gen/rpc.ts'
import { latin1Of } from '../../../src/core/base/bytes.ts'
import { leaseText, withoutValue, type PlainAnswer, type PlainPair } from './store-model.ts'

/** What a client asks. */
export type ClientRequest =
  | { readonly kind: 'put'; readonly body: PutRequest }
  | { readonly kind: 'deleteRange'; readonly body: DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly body: TxnRequest }
  | { readonly kind: 'compact'; readonly body: CompactionRequest }
  | { readonly kind: 'range'; readonly body: RangeRequest }

/** What became of it. `unknown`: a write that may or may not have happened. `failed`: surely without effect. */
export type ClientOutcome =
  | { readonly kind: 'ok'; readonly answer: PlainAnswer }
  | { readonly kind: 'failed'; readonly code: string }
  | { readonly kind: 'unknown'; readonly code: string }

/** One operation of one client; times in virtual microseconds as the client's own clock shows them. */
export interface OperationRecord {
  readonly id: number
  readonly client: number
  readonly node: string
  /** Counts the lives of all nodes: equal numbers are the same connection to the same life. */
  readonly life: number
  readonly request: ClientRequest
  /** Text that only this operation writes, found in its log entry; undefined where it writes no value. */
  readonly marker: string | undefined
  readonly startUs: number
  endUs: number
  outcome: ClientOutcome
}

/** An event as a watch delivered it. */
export interface WatchedEvent {
  readonly kind: 'put' | 'delete'
  readonly key: string
  readonly revision: number
  /** Undefined for deletes. */
  readonly pair: PlainPair | undefined
  /** Where previous pairs were asked for: what came with the event. */
  readonly previous: PlainPair | undefined
}

/** One batch: whole revisions, complete up to `revision`. */
export interface WatchedBatch {
  readonly events: readonly WatchedEvent[]
  readonly revision: number
  readonly atUs: number
}

/** One watch on one node, from its creation to its end. */
export interface WatchSegment {
  readonly watch: number
  readonly node: string
  readonly startKey: string
  /** As on the wire. */
  readonly rangeEnd: string
  /** First revision asked for; for "from now", the first one after the node's current revision at that moment. */
  readonly startRevision: number
  readonly noPut: boolean
  readonly noDelete: boolean
  readonly hasPrevious: boolean
  readonly batches: WatchedBatch[]
  end:
    | { readonly kind: 'open' }
    | { readonly kind: 'cut' }
    | { readonly kind: 'compacted'; readonly revision: number }
}

/** Everything the clients of a run saw. */
export interface History {
  readonly operations: OperationRecord[]
  readonly watches: WatchSegment[]
}

/** A stored pair in plain form. */
export function plainPairOf(pair: Omit<StoredKeyValue, 'encoded'>): PlainPair {
  const lease = leaseText(pair.lease)
  return {
    key: latin1Of(pair.key),
    value: latin1Of(pair.value),
    create: pair.createRevision,
    mod: pair.modRevision,
    version: pair.version,
    ...(lease === undefined ? {} : { lease }),
  }
}

/** An answer of a node in plain form. */
export function plainAnswerOf(result: OperationResult | CompactResult): PlainAnswer {
  const { revision } = result
  switch (result.kind) {
    case 'put':
      return { kind: 'put', revision, previous: result.previous && plainPairOf(result.previous) }
    case 'deleteRange':
      return {
        kind: 'deleteRange',
        revision,
        deletedCount: result.deletedCount,
        previous: result.previous.map(plainPairOf),
      }
    case 'range': {
      const pairs = result.keyValues.map(plainPairOf)
      return {
        kind: 'range',
        revision,
        pairs: result.isKeysOnly ? pairs.map(withoutValue) : pairs,
        count: result.count,
        hasMore: result.hasMore,
      }
    }
    case 'txn':
      return {
        kind: 'txn',
        revision,
        hasSucceeded: result.hasSucceeded,
        answers: result.responses.map(plainAnswerOf),
      }
    case 'compact':
      return { kind: 'compact', revision }
  }
}
