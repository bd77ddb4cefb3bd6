/** Reading what plans are made of: whole ranges page by page at one revision, and single keys many at a time. */

import { StoreError } from '../../core/errors/store-error.ts'
import type { KeyInterval, KeyValue } from '../../core/client/key-value.ts'
import type { KvClient, RangeResult } from '../../core/client/kv-client.ts'
import { intervalAfter } from '../ipc/key-conversion.ts'

/** The calls that plans make; a client's own, or those of a store in memory. */
export type PlanCluster = Pick<KvClient, 'range' | 'txn'>

const pageRowsAtFirst = 500
const pageRowsMax = 5_000
/** Answers grow to about this size. */
const pageSizeBytesWanted = 1_048_576
/** Servers allow 128 operations in a transaction. */
const keysPerReadMax = 100

export interface PinnedRange {
  readonly interval: KeyInterval
  /** 0: the newest, pinned by the first page. */
  readonly revision: number
  readonly signal: AbortSignal
  /** Told once, with the first page. */
  readonly onPinned?: (revision: number, totalCount: number) => void
}

/** A key as of one revision; 0: the newest. */
export interface KeyAtRevision {
  readonly key: Uint8Array
  readonly revision: number
}

/** All pairs of a range at one revision, in the order of their keys. Pages adapt to the size of the values. */
export async function* pairsOf(
  cluster: PlanCluster,
  { interval, revision: wanted, signal, onPinned }: PinnedRange,
): AsyncGenerator<KeyValue> {
  let revision = wanted
  let limit = pageRowsAtFirst
  let after: Uint8Array | undefined
  let isPinned = false
  for (;;) {
    let result: RangeResult
    try {
      result = await cluster.range(
        after === undefined ? interval : intervalAfter(interval, after),
        { limit, revision, signal },
      )
    } catch (error) {
      if (!isTooLarge(error) || limit === 1) throw error
      limit = Math.max(1, limit >> 2)
      continue
    }
    if (!isPinned) {
      isPinned = true
      if (revision === 0) revision = result.header.revision
      onPinned?.(revision, result.count)
    }
    yield* result.pairs
    after = result.pairs.at(-1)?.key
    if (!result.hasMore || after === undefined) return
    limit = nextLimit(limit, result.pairs)
  }
}

/**
 * One key each as of its own revision (0: the newest), in order; undefined where it did not exist.
 *
 * @throws StoreError `compacted` when one of the revisions is gone, and what the cluster refuses
 */
export async function readKeys(
  cluster: PlanCluster,
  wanted: readonly KeyAtRevision[],
  signal?: AbortSignal,
): Promise<readonly (KeyValue | undefined)[]> {
  const found: (KeyValue | undefined)[] = []
  let limit = keysPerReadMax
  while (found.length < wanted.length) {
    const part = wanted.slice(found.length, found.length + limit)
    try {
      const result = await cluster.txn(
        {
          compares: [],
          thenOperations: part.map(({ key, revision }) => ({
            kind: 'range',
            interval: { start: key },
            limit: 1,
            revision,
          })),
          elseOperations: [],
        },
        signal === undefined ? {} : { signal },
      )
      for (const answer of result.results) {
        found.push(answer.kind === 'range' ? answer.pairs[0] : undefined)
      }
    } catch (error) {
      if (!isTooLarge(error) || limit === 1) throw error
      limit = Math.max(1, limit >> 2)
    }
  }
  return found
}

/** Reads as `readKeys` does, but what was compacted is missing instead of failing everything that is asked for with it. */
export class SurvivingPast {
  private readonly cluster: PlanCluster
  private readonly signal: AbortSignal
  /** Revisions from 1 to here are known to be gone. */
  private compactedRevision = 0

  constructor(cluster: PlanCluster, signal: AbortSignal) {
    this.cluster = cluster
    this.signal = signal
  }

  async read(wanted: readonly KeyAtRevision[]): Promise<readonly (KeyValue | undefined)[]> {
    for (;;) {
      const left = wanted.filter((one) => this.isLeft(one))
      try {
        const found = await readKeys(this.cluster, left, this.signal)
        let next = 0
        return wanted.map((one) => (this.isLeft(one) ? found[next++] : undefined))
      } catch (error) {
        if (!isCompacted(error)) throw error
      }
      await this.findCompacted(left)
    }
  }

  private isLeft({ revision }: KeyAtRevision): boolean {
    return revision === 0 || revision > this.compactedRevision
  }

  /** At least the oldest of these is gone; finds the newest that is, by halving. */
  private async findCompacted(left: readonly KeyAtRevision[]): Promise<void> {
    const byRevision = left
      .filter(({ revision }) => revision > 0)
      .sort((one, other) => one.revision - other.revision)
    let goneAt = 0
    let keptFrom = byRevision.length
    while (keptFrom - goneAt > 1) {
      const middle = (goneAt + keptFrom) >> 1
      try {
        await readKeys(this.cluster, byRevision.slice(middle, middle + 1), this.signal)
        keptFrom = middle
      } catch (error) {
        if (!isCompacted(error)) throw error
        goneAt = middle
      }
    }
    this.compactedRevision = Math.max(
      this.compactedRevision,
      byRevision[goneAt]?.revision ?? Number.MAX_SAFE_INTEGER,
    )
  }
}

function isCompacted(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'compacted'
}

/** The request or its answer is larger than the server or the transport takes, so that a smaller one may pass. */
export function isTooLarge(error: unknown): boolean {
  if (!(error instanceof StoreError) || error.code === 'noSpace') return false
  return (
    error.code === 'requestTooLarge' ||
    error.code === 'tooManyOps' ||
    error.details['grpcStatus'] === 'resourceExhausted'
  )
}

function nextLimit(limit: number, pairs: readonly KeyValue[]): number {
  let sizeBytes = 1
  for (const pair of pairs) sizeBytes += pair.key.length + pair.value.length + 32
  const fitting = Math.floor((pairs.length * pageSizeBytesWanted) / sizeBytes)
  return Math.max(1, Math.min(pageRowsMax, fitting, limit * 2))
}
