/**
 * What has to be done so that keys become as wanted.
 *
 * The target is read at one revision, which the plan names. Every row carries the mod revision that its key had there; when
 * the plan runs, a key that has another one by then is left alone.
 */

import { compareBytes, emptyBytes } from '../../core/base/bytes.ts'
import { noLease } from '../../core/base/ids.ts'
import { StoreError } from '../../core/errors/store-error.ts'
import type { KeyValue } from '../../core/client/key-value.ts'
import { keyAt } from '../../preload/contract/plan-columns.ts'
import type { ImportColumns, KeyRevisionColumns, PlanSource } from '../../preload/contract/plan.ts'
import type { KeyRange } from '../../preload/contract/kv.ts'
import { intervalOf } from '../ipc/key-conversion.ts'
import type { PlanBuilder } from './plan-builder.ts'
import { chunkKeys, LeaseJudge, Progress } from './plan-context.ts'
import type { PlanContext, PlanPlace } from './plan-context.ts'
import {
  pairsOf,
  readKeys,
  SurvivingPast,
  type KeyAtRevision,
  type PlanCluster,
} from './plan-reading.ts'
import { computeRename } from './plan-renaming.ts'

/**
 * Computes a plan into a builder.
 *
 * @throws StoreError  what the clusters refuse; `contextCanceled` when the signal was aborted
 * @throws HostError   when the plan is too large
 */
export async function computePlan(
  context: PlanContext,
  source: PlanSource,
  builder: PlanBuilder,
): Promise<PlanPlace> {
  switch (source.kind) {
    case 'deleteRange':
      return computeDeleteRange(context, source.range, builder)
    case 'deleteKeys':
      return computeDeleteKeys(context, source.keys, builder)
    case 'restore':
      return computeLikeness(context, builder, {
        ...source,
        sourceRevision: source.revision,
        deletesExtra: true,
      })
    case 'apply':
      return computeLikeness(context, builder, {
        ...source,
        sourceRevision: source.from.revision,
      })
    case 'restoreDeleted':
      return computeRestoreDeleted(context, source.keys, builder)
    case 'rename':
      return computeRename(context, source, builder)
    case 'import':
      return computeImport(context, source, builder)
    case 'undo':
      return computeUndo(context, source.planId, builder)
  }
}

async function computeDeleteRange(
  context: PlanContext,
  range: KeyRange,
  builder: PlanBuilder,
): Promise<PlanPlace> {
  const progress = new Progress(context)
  let pinned = 0
  const pairs = pairsOf(context.target, {
    interval: intervalOf(range),
    revision: 0,
    signal: context.signal,
    onPinned: (revision, totalCount) => {
      pinned = revision
      progress.addTotal(totalCount)
    },
  })
  for await (const pair of pairs) {
    builder.delete(pair)
    progress.step()
  }
  return { revision: pinned, sourceRevision: 0 }
}

async function computeDeleteKeys(
  context: PlanContext,
  keys: KeyRevisionColumns,
  builder: PlanBuilder,
): Promise<PlanPlace> {
  return overKeys(context, sortedKeysOf(keys), async (chunk, currents) => {
    chunk.forEach(({ key, revision }, at) => {
      const current = currents[at]
      if (current === undefined) builder.same()
      else if (revision !== 0 && current.modRevision !== revision) builder.conflict(key, current)
      else builder.delete(current)
    })
    return Promise.resolve()
  })
}

interface Likeness {
  readonly range: KeyRange
  readonly keys?: KeyRevisionColumns | undefined
  /** 0: the newest of the source. */
  readonly sourceRevision: number
  readonly deletesExtra: boolean
}

/** The target becomes like the source. */
async function computeLikeness(
  context: PlanContext,
  builder: PlanBuilder,
  { range, keys, sourceRevision, deletesExtra }: Likeness,
): Promise<PlanPlace> {
  const judge = new LeaseJudge(context)
  if (keys === undefined) {
    return mergeRanges(context, builder, { judge, range, sourceRevision, deletesExtra })
  }
  const sorted = sortedKeysOf(keys)
  const pinnedSource = sourceRevision === 0 ? await headOf(context.source, sorted) : sourceRevision
  const place = await overKeys(context, sorted, async (chunk, currents) => {
    const wanted = await readKeys(
      context.source,
      chunk.map(({ key }) => ({ key, revision: pinnedSource })),
      context.signal,
    )
    for (const [at, { key }] of chunk.entries()) {
      const pair = wanted[at]
      const current = currents[at]
      if (pair !== undefined) {
        builder.put(key, await judge.wantedOf(pair, pinnedSource), current)
      } else if (current === undefined || !deletesExtra) builder.same()
      else builder.delete(current)
    }
  })
  return { ...place, sourceRevision: pinnedSource }
}

/** Both sides page by page, side by side in the order of their keys. */
async function mergeRanges(
  context: PlanContext,
  builder: PlanBuilder,
  parts: {
    readonly judge: LeaseJudge
    readonly range: KeyRange
    readonly sourceRevision: number
    readonly deletesExtra: boolean
  },
): Promise<PlanPlace> {
  const progress = new Progress(context)
  const interval = intervalOf(parts.range)
  const place = { revision: 0, sourceRevision: parts.sourceRevision }
  const { signal } = context
  const targets = pairsOf(context.target, {
    ...{ interval, signal, revision: 0 },
    onPinned: (revision, totalCount) => {
      place.revision = revision
      progress.addTotal(totalCount)
    },
  })
  const sources = pairsOf(context.source, {
    ...{ interval, signal, revision: parts.sourceRevision },
    onPinned: (revision, totalCount) => {
      place.sourceRevision = revision
      progress.addTotal(totalCount)
    },
  })
  const isSameCluster = context.source === context.target
  let [target, source] = await Promise.all([targets.next(), sources.next()])
  while (target.done !== true || source.done !== true) {
    const current = target.done === true ? undefined : target.value
    const wanted = source.done === true ? undefined : source.value
    const order = orderOf(current, wanted)
    if (wanted === undefined || order < 0) {
      if (current !== undefined && parts.deletesExtra) builder.delete(current)
      else builder.same()
    } else {
      const there = order === 0 ? current : undefined
      if (isSameCluster && there?.modRevision === wanted.modRevision) builder.same()
      else {
        const value = await parts.judge.wantedOf(wanted, place.sourceRevision)
        builder.put(wanted.key, value, there)
      }
    }
    if (order <= 0) {
      target = await targets.next()
      progress.step()
    }
    if (order >= 0) {
      source = await sources.next()
      progress.step()
    }
  }
  return place
}

/** Negative: the target's key comes first; positive: the source's; zero: they are the same. */
function orderOf(target: KeyValue | undefined, source: KeyValue | undefined): number {
  if (target === undefined) return 1
  if (source === undefined) return -1
  return compareBytes(target.key, source.key)
}

async function computeRestoreDeleted(
  context: PlanContext,
  keys: KeyRevisionColumns,
  builder: PlanBuilder,
): Promise<PlanPlace> {
  const judge = new LeaseJudge(context)
  const past = new SurvivingPast(context.source, context.signal)
  return overKeys(context, sortedKeysOf(keys), async (chunk, currents) => {
    const wanted = await past.read(
      chunk.map(({ key, revision }) => ({ key, revision: Math.max(1, revision - 1) })),
    )
    for (const [at, { key, revision }] of chunk.entries()) {
      const pair = wanted[at]
      const current = currents[at]
      if (current !== undefined) builder.conflict(key, current)
      else if (pair === undefined) builder.unreadable(key, current)
      else builder.put(key, await judge.wantedOf(pair, revision - 1), undefined)
    }
  })
}

async function computeImport(
  context: PlanContext,
  source: { readonly rows: ImportColumns; readonly mode: 'skipExisting' | 'overwrite' },
  builder: PlanBuilder,
): Promise<PlanPlace> {
  const { rows, mode } = source
  // The row's position travels where other sources have a revision.
  const places = Float64Array.from({ length: rows.rowCount }, (_, row) => row)
  const sorted = sortedKeysOf({ ...rows, revisions: places })
  return overKeys(context, sorted, async (chunk, currents) => {
    chunk.forEach(({ key, revision: row }, at) => {
      const current = currents[at]
      const value = rows.valueBytes.subarray(rows.valueOffsets[row], rows.valueOffsets[row + 1])
      const leaseTtlSeconds = rows.leaseTtlsSeconds[row] ?? 0
      const lease = current === undefined ? noLease : ('keep' as const)
      const wanted = { value, lease, leaseTtlSeconds, hasLostLease: false, sourceRevision: 0 }
      if (current !== undefined && mode === 'skipExisting') builder.conflict(key, current)
      else builder.put(key, wanted, current)
    })
    return Promise.resolve()
  })
}

async function computeUndo(
  context: PlanContext,
  planId: number,
  builder: PlanBuilder,
): Promise<PlanPlace> {
  const table = context.findUndo(planId)
  if (table === undefined) {
    throw new StoreError('unrecognized', { serverText: 'this run is no longer kept for an undo' })
  }
  const judge = new LeaseJudge(context)
  const past = new SurvivingPast(context.source, context.signal)
  const rows = Float64Array.from({ length: table.count }, (_, row) => row)
  const keys = Array.from(rows, (row) => ({ key: table.keys.at(row), revision: row }))
  keys.sort((left, right) => compareBytes(left.key, right.key))
  return overKeys(context, keys, async (chunk, currents) => {
    const entries = chunk.map(({ revision: row }) => table.at(row))
    const wanted = await past.read(
      entries.map(({ key, act, sourceRevision }, at) => ({
        key,
        revision:
          act === 'delete' || table.values.has(chunk[at]?.revision ?? -1) ? 0 : sourceRevision,
      })),
    )
    for (const [at, entry] of entries.entries()) {
      const current = currents[at]
      const { key, act, expectedModRevision, lease } = entry
      const kept = table.values.get(chunk[at]?.revision ?? -1)
      const pair = wanted[at]
      if ((current?.modRevision ?? 0) !== expectedModRevision) builder.conflict(key, current)
      else if (act === 'delete') {
        if (current !== undefined) builder.delete(current)
      } else if (kept !== undefined) {
        const known = { ...noPair, key, value: kept, lease: lease === 'keep' ? noLease : lease }
        builder.put(key, { ...(await judge.wantedOf(known, 0)), sourceRevision: 0 }, current)
      } else if (pair === undefined) builder.unreadable(key, current)
      else builder.put(key, await judge.wantedOf(pair, entry.sourceRevision), current)
    }
  })
}

const noPair: KeyValue = {
  key: emptyBytes,
  value: emptyBytes,
  createRevision: 0,
  modRevision: 0,
  version: 0,
  lease: noLease,
}

/** Reads the target's side of some keys, chunk by chunk, all at one revision. */
async function overKeys(
  context: PlanContext,
  keys: readonly KeyAtRevision[],
  take: (
    chunk: readonly KeyAtRevision[],
    currents: readonly (KeyValue | undefined)[],
  ) => Promise<void>,
): Promise<PlanPlace> {
  const progress = new Progress(context)
  progress.addTotal(keys.length)
  const revision = await headOf(context.target, keys)
  for (let first = 0; first < keys.length; first += chunkKeys) {
    const chunk = keys.slice(first, first + chunkKeys)
    const currents = await readKeys(
      context.target,
      chunk.map(({ key }) => ({ key, revision })),
      context.signal,
    )
    await take(chunk, currents)
    chunk.forEach(() => {
      progress.step()
    })
  }
  return { revision, sourceRevision: 0 }
}

/** The newest revision, learned from a question about a key that will be read anyway. */
async function headOf(cluster: PlanCluster, keys: readonly KeyAtRevision[]): Promise<number> {
  const first = keys[0]
  if (first === undefined) return 0
  const { header } = await cluster.range({ start: first.key }, { isCountOnly: true })
  return header.revision
}

/** In the order of the keys; of a key that comes twice, the last one. */
function sortedKeysOf(columns: KeyRevisionColumns): readonly KeyAtRevision[] {
  const keys = Array.from({ length: columns.rowCount }, (_, row) => ({
    key: keyAt(columns, row),
    revision: columns.revisions[row] ?? 0,
  }))
  keys.sort((left, right) => compareBytes(left.key, right.key))
  return keys.filter(({ key }, at) => {
    const next = keys[at + 1]
    return next === undefined || compareBytes(key, next.key) !== 0
  })
}
