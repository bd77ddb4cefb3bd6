/**
 * What a Range answers: filters, order, limit, `count` and `more`.
 *
 * One place for plain ranges and for those inside transactions, so that they cannot differ. Source: etcd v3 API, message
 * RangeRequest. Quirks kept on purpose: with a limit, an order of NONE and a target other than the key, only the first
 * pairs by key are sorted; `count` and `more` ignore each other.
 */
import { compareBytes } from '../base/bytes.ts'
import { StoreError } from '../errors/store-error.ts'
import { keyRangeOfWire, type KeyRange } from '../mvcc/key-range.ts'
import type { ReadRangeOptions, ReadRangeResult } from '../mvcc/read-view.ts'
import type { StoredKeyValue } from '../mvcc/stored-key-value.ts'
import {
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RangeRequest,
} from '../proto/gen/rpc.ts'
import type { RangeResult } from './apply-result.ts'
import { clampToSafe } from './safe-number.ts'

/** A store, or a transaction that sees its own writes. */
export interface RangeReader {
  readRange(range: KeyRange, options: ReadRangeOptions): ReadRangeResult
}

/** @throws StoreError `emptyKey`, `compacted`, `futureRevision` */
export function readRangeRequest(reader: RangeReader, request: RangeRequest): RangeResult {
  const { range, options } = rangeReadOf(request)
  return rangeResultOf(request, reader.readRange(range, options))
}

/** What has to be read for a request. @throws StoreError `emptyKey` */
export function rangeReadOf(request: RangeRequest): {
  readonly range: KeyRange
  readonly options: ReadRangeOptions
} {
  if (request.key.length === 0) throw new StoreError('emptyKey')
  const limit = limitOf(request)
  return {
    range: keyRangeOfWire(request.key, request.rangeEnd),
    options: {
      revision: clampToSafe(request.revision),
      limit: limit === 0 || mustReadAll(request) ? 0 : limit + 1,
      isCountOnly: request.countOnly,
      isKeysOnly: request.keysOnly && request.sortTarget !== RangeRequest_SortTarget.VALUE,
    },
  }
}

/** The answer to a request for which this was read. */
export function rangeResultOf(request: RangeRequest, read: ReadRangeResult): RangeResult {
  const limit = limitOf(request)
  const matching = sorted(filtered(read.keyValues, request), request)
  const hasMore = limit > 0 && matching.length > limit
  return {
    kind: 'range',
    keyValues: hasMore ? matching.slice(0, limit) : matching,
    count: read.count,
    hasMore,
    revision: read.revision,
    isKeysOnly: request.keysOnly,
  }
}

function limitOf(request: RangeRequest): number {
  return Math.max(0, clampToSafe(request.limit))
}

/** Whether the limit can be applied only after everything was seen. */
function mustReadAll(request: RangeRequest): boolean {
  return request.sortOrder !== RangeRequest_SortOrder.NONE || hasFilter(request)
}

function hasFilter(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0n ||
    request.maxModRevision !== 0n ||
    request.minCreateRevision !== 0n ||
    request.maxCreateRevision !== 0n
  )
}

function filtered(
  pairs: readonly StoredKeyValue[],
  request: RangeRequest,
): readonly StoredKeyValue[] {
  if (!hasFilter(request)) return pairs
  const isWithin = (revision: number, least: bigint, most: bigint): boolean =>
    (least === 0n || revision >= clampToSafe(least)) &&
    (most === 0n || revision <= clampToSafe(most))
  return pairs.filter(
    (pair) =>
      isWithin(pair.modRevision, request.minModRevision, request.maxModRevision) &&
      isWithin(pair.createRevision, request.minCreateRevision, request.maxCreateRevision),
  )
}

function sorted(
  pairs: readonly StoredKeyValue[],
  request: RangeRequest,
): readonly StoredKeyValue[] {
  const compare = comparatorOf(request.sortTarget)
  // Pairs arrive in ascending order of keys.
  if (compare === undefined) {
    return request.sortOrder === RangeRequest_SortOrder.DESCEND ? [...pairs].reverse() : pairs
  }
  const sign = request.sortOrder === RangeRequest_SortOrder.DESCEND ? -1 : 1
  return [...pairs].sort((left, right) => sign * compare(left, right))
}

type PairOrder = (left: StoredKeyValue, right: StoredKeyValue) => number

/** Undefined for the key, which is the order pairs come in. */
function comparatorOf(target: RangeRequest_SortTarget): PairOrder | undefined {
  switch (target) {
    case RangeRequest_SortTarget.VERSION:
      return (left, right) => left.version - right.version
    case RangeRequest_SortTarget.CREATE:
      return (left, right) => left.createRevision - right.createRevision
    case RangeRequest_SortTarget.MOD:
      return (left, right) => left.modRevision - right.modRevision
    case RangeRequest_SortTarget.VALUE:
      return (left, right) => compareBytes(left.value, right.value)
    default:
      return undefined
  }
}
