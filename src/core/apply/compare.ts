/** Conditions of a transaction: whether the state before it is as the caller believes. Source: etcd v3 API, Compare. */
import { compareBytes, emptyBytes } from '../base/bytes.ts'
import { StoreError } from '../errors/store-error.ts'
import { keyRangeOfWire } from '../mvcc/key-range.ts'
import type { StoredKeyValue } from '../mvcc/stored-key-value.ts'
import { Compare_CompareResult, Compare_CompareTarget, type Compare } from '../proto/gen/rpc.ts'
import type { RangeReader } from './range-request.ts'

/**
 * Whether a condition holds for every key it names.
 *
 * A missing key has version, revisions and lease 0, but no value: a condition on its value is never met, not even "not
 * equal". An empty range is a missing key.
 * @throws StoreError `emptyKey`
 */
export function isConditionMet(reader: RangeReader, condition: Compare): boolean {
  if (condition.key.length === 0) throw new StoreError('emptyKey')
  const { keyValues } = reader.readRange(keyRangeOfWire(condition.key, condition.rangeEnd), {
    revision: 0,
    limit: 0,
  })
  if (keyValues.length === 0) {
    return (
      condition.target !== Compare_CompareTarget.VALUE && isPairAsExpected(undefined, condition)
    )
  }
  return keyValues.every((pair) => isPairAsExpected(pair, condition))
}

function isPairAsExpected(pair: StoredKeyValue | undefined, condition: Compare): boolean {
  const order = orderOf(pair, condition)
  switch (condition.result) {
    case Compare_CompareResult.EQUAL:
      return order === 0
    case Compare_CompareResult.NOT_EQUAL:
      return order !== 0
    case Compare_CompareResult.GREATER:
      return order > 0
    case Compare_CompareResult.LESS:
      return order < 0
    default:
      // An unknown relation passes, as it does in etcd: members of all versions must decide alike.
      return true
  }
}

/** Sign of stored against expected. A value given for another target counts as zero; an unknown target as equal. */
function orderOf(pair: StoredKeyValue | undefined, condition: Compare): number {
  const given = condition.targetUnion
  switch (condition.target) {
    case Compare_CompareTarget.VALUE:
      return compareBytes(
        pair?.value ?? emptyBytes,
        given?.$case === 'value' ? given.value : emptyBytes,
      )
    case Compare_CompareTarget.VERSION:
      return compareNumber(pair?.version ?? 0, given?.$case === 'version' ? given.value : 0n)
    case Compare_CompareTarget.CREATE:
      return compareNumber(
        pair?.createRevision ?? 0,
        given?.$case === 'createRevision' ? given.value : 0n,
      )
    case Compare_CompareTarget.MOD:
      return compareNumber(
        pair?.modRevision ?? 0,
        given?.$case === 'modRevision' ? given.value : 0n,
      )
    case Compare_CompareTarget.LEASE:
      return compareNumber(pair?.lease ?? 0n, given?.$case === 'lease' ? given.value : 0n)
    default:
      return 0
  }
}

/** Numbers and 64-bit integers compare exactly with each other. */
function compareNumber(stored: number | bigint, expected: bigint): number {
  return stored < expected ? -1 : stored > expected ? 1 : 0
}
