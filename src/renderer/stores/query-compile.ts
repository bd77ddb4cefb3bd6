/** From what was typed to what is sent. Every function answers undefined for a text that stands for nothing. */

import type { Compare, KeyRange, TxnOperation, TxnRequest } from '../../preload/contract/kv.ts'
import { pageRowsMax } from '../../preload/contract/limits.ts'
import { parseKeyText, textBytes } from '../format/bytes-text.ts'
import { findPrefixEnd, rangeUnder } from './key-order.ts'
import type {
  BytesDraft,
  CompareDraft,
  OperationDraft,
  RangeDraft,
  ReadOptionsDraft,
  TxnDraft,
} from './query-draft.ts'

/** A transaction without the connection that it is for. */
export type TxnParts = Pick<TxnRequest, 'compares' | 'thenOperations' | 'elseOperations'>

/** What a read may be told, ready to be sent. */
export type ReadOptions = Omit<Extract<TxnOperation, { kind: 'range' }>, 'kind' | 'range'>

const leaseMax = 2n ** 63n - 1n
const relations = { '=': 'equal', '!=': 'notEqual', '<': 'less', '>': 'greater' } as const

/** A revision, version or limit: digits, with or without the r of a revision. */
export function parseNumber(text: string): number | undefined {
  const digits = text.trim().replace(/^r/u, '')
  if (!/^[0-9]{1,16}$/u.test(digits)) return undefined
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number : undefined
}

/** A lease id: up to sixteen hexadecimal digits. */
export function parseLease(text: string): bigint | undefined {
  const digits = text.trim()
  if (!/^[0-9a-fA-F]{1,16}$/u.test(digits)) return undefined
  const lease = BigInt(`0x${digits}`)
  return lease > leaseMax ? undefined : lease
}

/** The bytes of a value. */
export function parseBytes({ text, isBase64 }: BytesDraft): Uint8Array | undefined {
  if (!isBase64) return textBytes(text)
  try {
    return Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0))
  } catch (error) {
    if (error instanceof DOMException) return undefined
    throw error
  }
}

/** The keys that are meant; undefined where a key is missing. */
export function rangeOfDraft({ kind, key, end }: RangeDraft): KeyRange | undefined {
  switch (kind) {
    case 'key':
      return key === '' ? undefined : { kind, key: parseKeyText(key) }
    case 'prefix':
      return rangeUnder(parseKeyText(key))
    case 'interval':
      return end === '' ? undefined : { kind, start: parseKeyText(key), end: parseKeyText(end) }
    case 'from':
      return key === '' ? { kind: 'all' } : { kind, start: parseKeyText(key) }
    case 'all':
      return { kind }
  }
}

/** The two ends as the protocol writes them; an absent end is one key. */
export function endsOf(range: KeyRange): {
  readonly start: Uint8Array
  readonly end: Uint8Array | 'toLastKey' | undefined
} {
  switch (range.kind) {
    case 'key':
      return { start: range.key, end: undefined }
    case 'prefix':
      return { start: range.prefix, end: findPrefixEnd(range.prefix) ?? 'toLastKey' }
    case 'interval':
      return { start: range.start.length === 0 ? new Uint8Array(1) : range.start, end: range.end }
    case 'from':
      return { start: range.start, end: 'toLastKey' }
    case 'all':
      return { start: new Uint8Array(1), end: 'toLastKey' }
  }
}

/** One condition. */
export function compareOf(draft: CompareDraft): Compare | undefined {
  const range = rangeOfDraft(draft.range)
  const operand = operandOf(draft)
  if (range === undefined || operand === undefined) return undefined
  const { start, end } = endsOf(range)
  return {
    key: start,
    ...(end === undefined ? {} : { end }),
    relation: relations[draft.relation],
    operand,
  }
}

function operandOf({ target, operand }: CompareDraft): Compare['operand'] | undefined {
  if (target === 'value') {
    const value = parseBytes(operand)
    return value === undefined ? undefined : { kind: 'value', value }
  }
  if (target === 'lease') {
    const lease = parseLease(operand.text)
    return lease === undefined ? undefined : { kind: 'lease', lease }
  }
  const number = parseNumber(operand.text)
  if (number === undefined) return undefined
  if (target === 'version') return { kind: 'version', version: number }
  if (target === 'create') return { kind: 'createRevision', createRevision: number }
  return { kind: 'modRevision', modRevision: number }
}

/** What a read is told. An empty limit asks for as many rows as can be shown. */
export function readOptionsOf(draft: ReadOptionsDraft): ReadOptions | undefined {
  const limit = draft.limit.trim() === '' ? pageRowsMax : parseNumber(draft.limit)
  const numbers = [
    draft.revision,
    draft.minModRevision,
    draft.maxModRevision,
    draft.minCreateRevision,
    draft.maxCreateRevision,
  ].map((text) => (text.trim() === '' ? 0 : parseNumber(text)))
  const [revision, minModRevision, maxModRevision, minCreateRevision, maxCreateRevision] = numbers
  if (limit === undefined || numbers.includes(undefined)) return undefined
  const { sortBy, isDescending, isKeysOnly, isCountOnly } = draft
  const given = Object.entries({
    ...{ revision, minModRevision, maxModRevision, minCreateRevision, maxCreateRevision },
  }).filter(([, number]) => number !== 0)
  return {
    // Zero asks etcd for everything; more than this is not shown at once.
    limit: limit === 0 ? pageRowsMax : Math.min(limit, pageRowsMax),
    ...(Object.fromEntries(given) as Partial<ReadOptions>),
    ...(sortBy === 'key' && !isDescending ? {} : { sort: { by: sortBy, isDescending } }),
    ...(isKeysOnly ? { isKeysOnly } : {}),
    ...(isCountOnly ? { isCountOnly } : {}),
  }
}

/** One operation. */
export function operationOf(draft: OperationDraft): TxnOperation | undefined {
  switch (draft.kind) {
    case 'put': {
      const value = parseBytes(draft.value)
      const lease = draft.lease.trim()
      const id = lease === '' || lease === 'keep' ? 0n : parseLease(lease)
      if (draft.key === '' || value === undefined || id === undefined) return undefined
      const attached = lease === 'keep' ? { keepsLease: true } : id === 0n ? {} : { lease: id }
      return { kind: 'put', key: parseKeyText(draft.key), value, ...attached }
    }
    case 'delete': {
      const range = rangeOfDraft(draft.range)
      const { needsPrevious } = draft
      return range === undefined ? undefined : { kind: 'delete', range, needsPrevious }
    }
    case 'range': {
      const range = rangeOfDraft(draft.range)
      const options = readOptionsOf(draft.options)
      if (range === undefined || options === undefined) return undefined
      return { kind: 'range', range, ...options }
    }
    case 'txn': {
      const parts = txnPartsOf(draft.txn)
      return parts === undefined ? undefined : { kind: 'txn', ...parts }
    }
  }
}

/** The whole transaction, or undefined while any part of it stands for nothing. */
export function txnPartsOf(draft: TxnDraft): TxnParts | undefined {
  const compares = draft.compares.map(compareOf)
  const thenOperations = draft.thenOperations.map(operationOf)
  const elseOperations = draft.elseOperations.map(operationOf)
  return isWhole(compares) && isWhole(thenOperations) && isWhole(elseOperations)
    ? { compares, thenOperations, elseOperations }
    : undefined
}

function isWhole<Item>(items: readonly (Item | undefined)[]): items is readonly Item[] {
  return !items.includes(undefined)
}
