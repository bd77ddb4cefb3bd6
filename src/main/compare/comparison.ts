/**
 * One comparison from its request to its end.
 *
 * Both sides are pinned to a revision first, with the count of their keys. Then the shorter way is taken. Between two
 * revisions of one cluster that is often to replay what was written between them; else both sides are read page by page.
 */

import { equalBytes } from '../../core/base/bytes.ts'
import {
  hasOtherNames,
  type CompareBasis,
  type ComparedSide,
  type CompareItem,
  type CompareMethod,
  type CompareRequest,
  type CompareSide,
} from '../../preload/contract/compare.ts'
import type { KeyRange } from '../../preload/contract/kv.ts'
import type { CompareSource } from './compare-source.ts'
import { DifferenceRows } from './difference-rows.ts'
import { readPageDifference, type PagedSide } from './page-difference.ts'
import { readReplayDifference } from './replay-difference.ts'

/**
 * A replayed revision takes about as long as this many keys of a page: it comes with its value and the one before.
 * Measured against etcd 3.4 and 3.5 and our own nodes.
 */
const keysPerReplayedRevision = 8
/** A replay is given up when it brings more changes than this part of the keys: one revision can change many. */
const changesMaxPerKey = 0.5
const changesMaxMin = 1_000

export interface CompareParts {
  readonly left: CompareSource
  readonly right: CompareSource
  readonly push: (item: CompareItem) => void
  /** Monotonic time in milliseconds. */
  readonly nowMs: () => number
}

/** @throws as the sources do */
export async function compare(parts: CompareParts, request: CompareRequest): Promise<void> {
  const startedAtMs = parts.nowMs()
  const [left, right] = await Promise.all([
    pinnedSide(parts.left, request.left.revision),
    pinnedSide(parts.right, request.right.revision),
  ])
  const basis = basisOf(request)
  const run: Run = {
    ...{ parts, request, left, right, basis },
    rows: new DifferenceRows(request.rowsMax, (columns) => {
      parts.push({ kind: 'rows', columns })
    }),
  }
  const doneCount = (await replayed(run)) ?? (await paged(run))
  parts.push({
    kind: 'finished',
    counts: run.rows.counts,
    isCut: run.rows.isCut,
    doneCount,
    durationMs: parts.nowMs() - startedAtMs,
  })
}

interface Run {
  readonly parts: CompareParts
  readonly request: CompareRequest
  readonly left: ComparedSide
  readonly right: ComparedSide
  readonly basis: CompareBasis
  readonly rows: DifferenceRows
}

async function pinnedSide(source: CompareSource, revision: number): Promise<ComparedSide> {
  const { count, headRevision } = await source.count(revision)
  return { revision: revision === 0 ? headRevision : revision, headRevision, keyCount: count }
}

function basisOf(request: CompareRequest): CompareBasis {
  if (request.ignoresValues) return 'presence'
  return request.by === 'revision' && isSamePlace(request.left, request.right)
    ? 'revision'
    : 'value'
}

/** Keys of the two sides are the same keys of the same cluster. */
function isSamePlace(left: CompareSide, right: CompareSide): boolean {
  return left.connectionId === right.connectionId && isSameRange(left.range, right.range)
}

function isSameRange(left: KeyRange, right: KeyRange): boolean {
  switch (left.kind) {
    case 'all':
      return right.kind === 'all'
    case 'key':
      return right.kind === 'key' && equalBytes(left.key, right.key)
    case 'prefix':
      return right.kind === 'prefix' && equalBytes(left.prefix, right.prefix)
    case 'from':
      return right.kind === 'from' && equalBytes(left.start, right.start)
    case 'interval':
      return (
        right.kind === 'interval' &&
        equalBytes(left.start, right.start) &&
        equalBytes(left.end, right.end)
      )
  }
}

/** The revisions looked at, or undefined when this way is not to be taken or led nowhere. */
async function replayed(run: Run): Promise<number | undefined> {
  const { parts, request, left, right, basis, rows } = run
  if (!isSamePlace(request.left, request.right)) return undefined
  const totalCount = Math.abs(left.revision - right.revision)
  const keyCount = left.keyCount + right.keyCount
  // At least so many keys came or went, however few revisions it took.
  const changesMin = Math.max(totalCount, Math.abs(left.keyCount - right.keyCount))
  if (changesMin * keysPerReplayedRevision > keyCount) return undefined
  tellStart(run, 'replay')
  const isWhole = await readReplayDifference(
    {
      source: parts.left,
      leftRevision: left.revision,
      rightRevision: right.revision,
      leftCount: left.keyCount,
      rightCount: right.keyCount,
      basis,
      ignoresLeases: request.ignoresLeases,
      changesMax: Math.max(changesMaxMin, keyCount * changesMaxPerKey),
      onProgress: (doneCount) => {
        parts.push({ kind: 'progress', counts: rows.counts, doneCount, totalCount })
      },
    },
    rows,
  )
  return isWhole ? totalCount : undefined
}

async function paged(run: Run): Promise<number> {
  const { parts, request, left, right, basis, rows } = run
  tellStart(run, 'paging')
  const totalCount = left.keyCount + right.keyCount
  let readCount = 0
  await readPageDifference(
    {
      left: pagedSide(parts.left, left, request),
      right: pagedSide(parts.right, right, request),
      basis,
      ignoresLeases: request.ignoresLeases,
      onProgress: (doneCount) => {
        readCount = doneCount
        parts.push({ kind: 'progress', counts: rows.counts, doneCount, totalCount })
      },
    },
    rows,
  )
  return readCount

  function pagedSide(
    source: CompareSource,
    { revision }: ComparedSide,
    { left: leftSide, right: rightSide }: CompareRequest,
  ): PagedSide {
    const { range } = source === parts.left ? leftSide : rightSide
    const isMapped = hasOtherNames(leftSide.range, rightSide.range)
    return {
      source,
      revision,
      prefix: isMapped && range.kind === 'prefix' ? range.prefix : undefined,
    }
  }
}

function tellStart({ parts, left, right, basis }: Run, method: CompareMethod): void {
  parts.push({ kind: 'started', left, right, method, basis })
}
