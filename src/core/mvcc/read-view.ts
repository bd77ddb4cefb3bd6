/** Reading a range as it was at one revision. */

import { emptyBytes } from '../base/bytes.ts'
import { noLease } from '../base/ids.ts'
import type { BackendReader } from '../backend/backend.ts'
import { findHead, visitHeads } from './index-store.ts'
import {
  copyHead,
  findVersionAt,
  isDeletedHead,
  mainOfHead,
  versionOfHead,
  type KeyHead,
} from './key-index.ts'
import { getKeyRecord, getKeyRecords } from './key-record.ts'
import { boundsOf, isEmptyRange, keyAfter, type KeyBounds, type KeyRange } from './key-range.ts'
import { countAliveAt } from './past-count.ts'
import { resolveRevision, type ReadContext } from './read-context.ts'
import type { KeyVersion } from './revision.ts'
import { storeKeyValue, type StoredKeyValue } from './stored-key-value.ts'

export interface ReadRangeOptions {
  /** 0 or less: the current one. */
  readonly revision: number
  /** At most so many pairs; 0: no limit. */
  readonly limit: number
  readonly isCountOnly?: boolean
  /** Pairs without value and lease, from the index alone. */
  readonly isKeysOnly?: boolean
  /** What lies behind the limit is not counted: `count` is that of the pairs. For readers who count by themselves. */
  readonly isUncounted?: boolean
}

export interface ReadRangeResult {
  /** In byte order of the keys. */
  readonly keyValues: readonly StoredKeyValue[]
  /** How many keys the range holds at that revision, whatever the limit. */
  readonly count: number
  /** The store's current revision, not the one asked for. */
  readonly revision: number
}

/** See `MvccStore.readRange`. */
export function readRangeAt(
  context: ReadContext,
  range: KeyRange,
  options: ReadRangeOptions,
): ReadRangeResult {
  const revision = resolveRevision(context, options.revision)
  const { currentRevision } = context
  if (isEmptyRange(range)) return { keyValues: [], count: 0, revision: currentRevision }
  if (range.end === undefined) {
    const version = findAliveAt(context.reader, range.start, revision)
    if (version === undefined) return { keyValues: [], count: 0, revision: currentRevision }
    const keyValues =
      options.isCountOnly === true
        ? []
        : [pairOf(context.reader, { key: range.start, version }, options)]
    return { keyValues, count: 1, revision: currentRevision }
  }
  const bounds = boundsOf(range)
  if (options.isCountOnly === true) {
    const count = countAliveAt(context, bounds, revision)
    return { keyValues: [], count, revision: currentRevision }
  }
  const { limit } = options
  const alive = aliveAt(context.reader, bounds, {
    revision,
    limit,
    needsKeys: options.isKeysOnly === true,
  })
  const keyValues = pairsOf(context.reader, alive, options)
  const last = alive.at(-1)
  if (last === undefined || alive.length !== limit || options.isUncounted === true) {
    return { keyValues, count: alive.length, revision: currentRevision }
  }
  const behind = { start: keyAfter(last.key), end: bounds.end }
  const count = alive.length + countAliveAt(context, behind, revision)
  return { keyValues, count, revision: currentRevision }
}

/** The version of a key that is alive at the revision. */
export function findAliveAt(
  reader: BackendReader,
  key: Uint8Array,
  revision: number,
): KeyVersion | undefined {
  const head = findHead(reader, key)
  if (head === undefined) return undefined
  const version = findVersionAt(reader, head, revision, key)
  return version?.isTombstone === false ? version : undefined
}

interface AliveKey {
  readonly key: Uint8Array
  /** With its place in the life of the key where the index knew that without reading the record. */
  readonly version: KeyVersion | KeyHead
}

/** Heads noted before the older versions of some of them are looked for. */
const notedHeadCountMax = 4_096

/**
 * The keys of the bounds that are alive at the revision, in key order.
 *
 * @param options  `limit`: at most so many, 0: all; without `needsKeys`, only the last of as many as the limit has its key
 */
function aliveAt(
  reader: BackendReader,
  bounds: KeyBounds,
  options: { readonly revision: number; readonly limit: number; readonly needsKeys: boolean },
): AliveKey[] {
  const { revision } = options
  const limit = options.limit === 0 ? Number.POSITIVE_INFINITY : options.limit
  const alive: AliveKey[] = []
  let start: Uint8Array | undefined = bounds.start
  while (start !== undefined && alive.length < limit) {
    const room = Math.min(limit - alive.length, notedHeadCountMax)
    const bound = { start, end: bounds.end }
    const noted = noteHeads(reader, bound, { revision, room, needsKeys: options.needsKeys })
    for (const one of noted) {
      const version = versionAt(reader, one.version, revision)
      if (version?.isTombstone !== false) continue
      alive.push(version === one.version ? one : { key: one.key, version })
    }
    const last = noted.at(-1)
    start = last === undefined || noted.length < room ? undefined : keyAfter(last.key)
  }
  return alive
}

/** A head that may lead to a key that is alive at the revision. */
interface NotedHead {
  /** Empty where nobody will ask for it: copying keys is a good part of walking them. */
  readonly key: Uint8Array
  /** Not newer than the revision: what is asked for. Otherwise whole, to go back from. */
  readonly version: KeyVersion | KeyHead
}

/** The first such heads of the bounds; the last of them has its key. */
function noteHeads(
  reader: BackendReader,
  bounds: KeyBounds,
  options: { readonly revision: number; readonly room: number; readonly needsKeys: boolean },
): NotedHead[] {
  const { revision, room, needsKeys } = options
  const noted: NotedHead[] = []
  visitHeads(reader, bounds, (head) => {
    const { valueBytes, valueStart, valueSizeBytes } = head
    const isDeleted = isDeletedHead(valueBytes, valueStart)
    const isCurrent = mainOfHead(valueBytes, valueStart) <= revision
    if (isDeleted && isCurrent) return true
    const isLast = noted.length + 1 === room
    noted.push({
      key: needsKeys || isLast ? head.copyKey() : emptyBytes,
      version:
        isCurrent && !needsKeys
          ? versionOfHead(valueBytes, valueStart)
          : copyHead(valueBytes, valueStart, valueSizeBytes),
    })
    return !isLast
  })
  return noted
}

function versionAt(
  reader: BackendReader,
  newest: KeyVersion | KeyHead,
  revision: number,
): KeyVersion | undefined {
  return 'trail' in newest ? findVersionAt(reader, newest, revision) : newest
}

function pairOf(reader: BackendReader, alive: AliveKey, options: ReadRangeOptions): StoredKeyValue {
  const { key, version } = alive
  if (options.isKeysOnly !== true) return getKeyRecord(reader, version)
  if ('created' in version) return keyOnlyPair(key, version)
  const pair = getKeyRecord(reader, version)
  const { createRevision, modRevision } = pair
  const fields = { key, createRevision, modRevision, version: pair.version }
  return storeKeyValue({ ...fields, value: emptyBytes, lease: noLease })
}

function pairsOf(
  reader: BackendReader,
  alive: readonly AliveKey[],
  options: ReadRangeOptions,
): StoredKeyValue[] {
  if (options.isKeysOnly === true) return alive.map((one) => pairOf(reader, one, options))
  return getKeyRecords(
    reader,
    alive.map(({ version }) => version),
  )
}

/** A pair without value and lease. */
export function keyOnlyPair(key: Uint8Array, head: KeyHead): StoredKeyValue {
  return storeKeyValue({
    key,
    value: emptyBytes,
    createRevision: head.created,
    modRevision: head.main,
    version: head.version,
    lease: noLease,
  })
}
