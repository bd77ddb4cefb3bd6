/**
 * The past of one key: every change of it that the cluster still has, over all its lives.
 *
 * No call answers this, so three are put together. Going back from version to version (a range as of `modRevision - 1` shows
 * the version before) finds the newest changes at once. Meanwhile a watch from the compacted revision on replays the rest, see
 * `key-replay.ts`. Last, a range as of the compacted revision tells the value with which the readable past begins: it may
 * have been written long before, and is readable nowhere but there.
 *
 * Example: put at 5 and 7, delete at 9, put at 12, compacted at 6. The range finds 12; the watch delivers 7 and 9; as of 6
 * the key has the value of 5. Where the watch is refused, only the walk back is left, which ends at the newest deletion.
 */

import { delay } from '../base/clock.ts'
import { StoreError } from '../errors/store-error.ts'
import { replayKey, type HistoryChange } from './key-replay.ts'
import type { KvClient } from './kv-client.ts'
import type { CallEnvironment } from './retry-policy.ts'

export interface HistoryOptions {
  readonly signal: AbortSignal
}

/** Receives the history as it is found. Must not throw. */
export interface HistoryListener {
  /** Rising revisions within one call; calls come in any order, the newest changes first. A revision may come twice. */
  onChanges(changes: readonly HistoryChange[]): void
  /**
   * Changes up to this revision are gone, but for the one that made the key what it was then. Called again when a compaction
   * goes further.
   */
  onCompacted(revision: number): void
}

export interface HistoryEnd {
  /** Up to where the history is complete. */
  readonly headRevision: number
  /** 0 when nothing was compacted. */
  readonly compactedRevision: number
  /** The watch was refused, and only the newest life of the key could be read. */
  readonly refusal?: StoreError
}

export interface HistorySources {
  readonly environment: CallEnvironment
  readonly kv: KvClient
}

/** Steps back that are taken while the watch is on its way; it soon delivers more than they could. */
const stepsBesideWatchMax = 32
const stepsInGroup = 8
/** Every key there is. */
const everything = { start: Uint8Array.of(0), end: 'toLastKey' } as const

/**
 * Delivers every readable change of a key.
 *
 * @throws StoreError  as the calls behind it; `contextCanceled` when the signal was aborted
 */
export async function readKeyHistory(
  sources: HistorySources,
  key: Uint8Array,
  options: HistoryOptions,
  listener: HistoryListener,
): Promise<HistoryEnd> {
  const { signal } = options
  const { header, pair } = await sources.kv.get(key, { signal })
  if (pair !== undefined) {
    listener.onChanges([{ kind: 'put', revision: pair.modRevision, pair }])
  }
  let compactedRevision = 0
  let oldestRevision = pair?.modRevision ?? header.revision + 1
  const walk = (stepsMax: number): Promise<void> =>
    walkBack(
      sources.kv,
      key,
      { beforeRevision: pair?.modRevision ?? 0, stepsMax, signal },
      listener,
    )
  const replay = replayKey(
    sources.environment,
    {
      key,
      endRevision: pair?.modRevision ?? header.revision + 1,
      isEndChange: pair !== undefined,
      fence: pair === undefined ? await findFence(sources.kv, signal) : undefined,
      signal,
    },
    {
      onChanges: (changes) => {
        oldestRevision = Math.min(oldestRevision, changes[0]?.revision ?? oldestRevision)
        listener.onChanges(changes)
      },
      onCompacted: (revision) => {
        compactedRevision = revision
        listener.onCompacted(revision)
      },
    },
  )
  const [replayed, walked] = await Promise.allSettled([replay, walk(stepsBesideWatchMax)])
  if (replayed.status === 'rejected') {
    const reason: unknown = replayed.reason
    if (!isRefusal(reason)) throw reason
    await walk(Number.POSITIVE_INFINITY)
    return { headRevision: header.revision, compactedRevision, refusal: reason }
  }
  if (walked.status === 'rejected') throw walked.reason
  if (compactedRevision > 0 && oldestRevision > compactedRevision) {
    compactedRevision = await readBase(sources, key, { compactedRevision, signal }, listener)
  }
  return { headRevision: header.revision, compactedRevision }
}

/**
 * Tells whenever a compaction goes further, until the signal is aborted. A question every few seconds that reads nothing
 * tells whether it did, and only then a watch is asked how far.
 */
export async function followCompaction(
  sources: HistorySources,
  key: Uint8Array,
  options: {
    readonly compactedRevision: number
    readonly intervalMs: number
    readonly signal: AbortSignal
  },
  onCompacted: (revision: number) => void,
): Promise<void> {
  const { signal, intervalMs } = options
  let { compactedRevision } = options
  for (;;) {
    await delay(sources.environment.clock, intervalMs, signal)
    if (await isReadable(sources.kv, key, { revision: Math.max(1, compactedRevision), signal })) {
      continue
    }
    const found = await findCompacted(sources, key, { compactedRevision, signal })
    if (found <= compactedRevision) continue
    compactedRevision = found
    onCompacted(found)
  }
}

/** Goes from version to version until one is missing, compacted, the first of its life, or the steps are taken. */
async function walkBack(
  kv: KvClient,
  key: Uint8Array,
  options: {
    readonly beforeRevision: number
    readonly stepsMax: number
    readonly signal: AbortSignal
  },
  listener: HistoryListener,
): Promise<void> {
  let { beforeRevision } = options
  let group: HistoryChange[] = []
  const deliver = (): void => {
    if (group.length > 0) listener.onChanges(group.reverse())
    group = []
  }
  for (let step = 0; step < options.stepsMax && beforeRevision > 1; step++) {
    const pair = await findAt(kv, key, { revision: beforeRevision - 1, signal: options.signal })
    if (pair === undefined) break
    group.push({ kind: 'put', revision: pair.modRevision, pair })
    if (group.length >= stepsInGroup) deliver()
    if (pair.version === 1) break
    beforeRevision = pair.modRevision
  }
  deliver()
}

/** Reads the value with which the readable past begins. @returns the compacted revision, which may have moved meanwhile */
async function readBase(
  sources: HistorySources,
  key: Uint8Array,
  options: { readonly compactedRevision: number; readonly signal: AbortSignal },
  listener: HistoryListener,
): Promise<number> {
  const { signal } = options
  let { compactedRevision } = options
  for (;;) {
    try {
      const { pair } = await sources.kv.get(key, { revision: compactedRevision, signal })
      if (pair !== undefined) {
        listener.onChanges([{ kind: 'put', revision: pair.modRevision, pair }])
      }
      return compactedRevision
    } catch (error) {
      if (!isCompacted(error)) throw error
      compactedRevision = await findCompacted(sources, key, { compactedRevision, signal })
      listener.onCompacted(compactedRevision)
    }
  }
}

/** How far the compaction went, which is known to have gone beyond a revision. */
async function findCompacted(
  sources: HistorySources,
  key: Uint8Array,
  options: { readonly compactedRevision: number; readonly signal: AbortSignal },
): Promise<number> {
  let found = options.compactedRevision
  const endRevision = options.compactedRevision + 2
  await replayKey(
    sources.environment,
    { key, endRevision, isEndChange: false, fence: undefined, signal: options.signal },
    {
      onChanges: () => undefined,
      onCompacted: (revision) => {
        found = Math.max(found, revision)
      },
    },
  )
  return found
}

async function findAt(
  kv: KvClient,
  key: Uint8Array,
  options: { readonly revision: number; readonly signal: AbortSignal },
): Promise<Extract<HistoryChange, { kind: 'put' }>['pair'] | undefined> {
  try {
    return (await kv.get(key, options)).pair
  } catch (error) {
    // What was compacted is told by the watch, together with the revision up to which.
    if (isCompacted(error)) return undefined
    throw error
  }
}

async function isReadable(
  kv: KvClient,
  key: Uint8Array,
  options: { readonly revision: number; readonly signal: AbortSignal },
): Promise<boolean> {
  try {
    await kv.range({ start: key }, { ...options, limit: 1, isCountOnly: true })
    return true
  } catch (error) {
    if (isCompacted(error)) return false
    throw error
  }
}

/** A key that lives, for the proof that a replay is complete; undefined where there is none that may be read. */
async function findFence(
  kv: KvClient,
  signal: AbortSignal,
): Promise<{ readonly key: Uint8Array; readonly revision: number } | undefined> {
  try {
    const { pairs } = await kv.range(everything, { limit: 1, isKeysOnly: true, signal })
    const [pair] = pairs
    return pair === undefined ? undefined : { key: pair.key, revision: pair.modRevision }
  } catch (error) {
    if (error instanceof StoreError && error.code === 'permissionDenied') return undefined
    throw error
  }
}

function isCompacted(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'compacted'
}

/** The server answered and does not want this watch; a walk back may still be allowed. */
function isRefusal(error: unknown): error is StoreError {
  return (
    error instanceof StoreError &&
    !['contextCanceled', 'unreachable', 'noLeader'].includes(error.code)
  )
}
