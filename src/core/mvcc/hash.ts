/**
 * The hash over the key space at a revision, by which members find out that they differ.
 *
 * It is etcd's own: CRC-32C over the name of the bucket, then key and value of every record up to the revision, in order.
 * Of the records up to the compacted revision only those count that are alive at the hashed revision, so that members
 * whose compaction has come further agree with those that are still at it; if nothing is alive then, those that the
 * compaction keeps. A tombstone at the compacted revision is left out, because older members do not keep it.
 */

import { crc32c } from '@node-rs/crc32'
import type { Clock } from '../base/clock.ts'
import { concatBytes } from '../base/bytes.ts'
import type { BackendReader, BackendRecord } from '../backend/backend.ts'
import { findHead } from './index-store.ts'
import { findVersionAt } from './key-index.ts'
import { encodedOfRecord, keyOfRecord } from './key-record.ts'
import { countAliveAt } from './past-count.ts'
import { resolveRevision, type ReadContext } from './read-context.ts'
import {
  compareRevisions,
  encodeRevisionKey,
  isTombstoneKey,
  mainOfRevisionKey,
  subOfRevisionKey,
} from './revision.ts'
import type { StoreState } from './store-state.ts'

/** Hashes may be compared only between members with the same compacted revision, at the same hash revision. */
export interface HashResult {
  /** 32 bits, unsigned. */
  readonly hash: number
  readonly compactedRevision: number
  readonly hashRevision: number
}

const bucketName = Uint8Array.of(0x6b, 0x65, 0x79) // "key"
const firstKey = Uint8Array.of(0)
/** Work between two turns; a heartbeat must not wait for a hash over gigabytes. */
const sliceMs = 4
const sliceRecordCountMax = 1_000

interface HashRules {
  readonly hashRevision: number
  readonly compactedRevision: number
  readonly isNothingAlive: boolean
}

/**
 * See the head of this file. Works on a frozen view in slices of a few milliseconds.
 *
 * @param asked revision; 0: the current one; negative: before everything
 * @throws StoreError `compacted`, `futureRevision`
 */
export async function hashAt(
  state: StoreState,
  context: ReadContext,
  options: { readonly asked: number; readonly clock: Clock },
): Promise<HashResult> {
  const { compactedRevision } = context
  // Unlike reads, which take it for the current one: nothing is as old as that.
  if (options.asked < 0) {
    return { hash: crc32c(bucketName) >>> 0, compactedRevision, hashRevision: options.asked }
  }
  const hashRevision = resolveRevision(context, options.asked)
  const everything = { start: firstKey, end: undefined }
  const isNothingAlive = countAliveAt(context, everything, hashRevision) === 0
  const rules = { hashRevision, compactedRevision, isNothingAlive }
  const view = state.backend.openView()
  try {
    let hash = crc32c(bucketName)
    let start: Uint8Array | undefined = encodeRevisionKey(0, 0)
    while (start !== undefined) {
      const slice = hashSlice(view, rules, { hash, start, clock: options.clock })
      hash = slice.hash
      start = slice.next
      if (start !== undefined) {
        await new Promise<void>((resolve) => {
          options.clock.nextTurn(resolve)
        })
      }
    }
    return { hash: hash >>> 0, compactedRevision, hashRevision }
  } finally {
    view.close()
  }
}

function hashSlice(
  reader: BackendReader,
  rules: HashRules,
  from: { readonly hash: number; readonly start: Uint8Array; readonly clock: Clock },
): { readonly hash: number; readonly next: Uint8Array | undefined } {
  const bounds = { start: from.start, end: encodeRevisionKey(rules.hashRevision + 1, 0) }
  const endMs = from.clock.monotonicMs() + sliceMs
  let { hash } = from
  let recordCount = 0
  for (const record of reader.scan('key', bounds)) {
    if (isHashed(reader, rules, record)) {
      hash = crc32c(encodedOfRecord(record.value), crc32c(record.key, hash))
    }
    recordCount++
    if (recordCount < sliceRecordCountMax && from.clock.monotonicMs() < endMs) continue
    return { hash, next: concatBytes([record.key, firstKey]) }
  }
  return { hash, next: undefined }
}

function isHashed(reader: BackendReader, rules: HashRules, record: BackendRecord): boolean {
  const main = mainOfRevisionKey(record.key)
  if (main > rules.compactedRevision) return true
  if (isTombstoneKey(record.key)) return false
  const key = keyOfRecord(record.value)
  const head = findHead(reader, key)
  if (head === undefined) return false
  const atRevision = rules.isNothingAlive ? rules.compactedRevision : rules.hashRevision
  const version = findVersionAt(reader, head, atRevision)
  const revision = { main, sub: subOfRevisionKey(record.key) }
  return version !== undefined && compareRevisions(version, revision) === 0
}
