/**
 * The past of one key: every change of it that the cluster still has, newest first.
 *
 * No call answers this, so two are put together. Within one life of the key each version is found from the next newer
 * one: a range as of `modRevision - 1` shows the version before. That is quick, and begins with what people look for. A
 * deletion breaks this chain, because what was before it cannot be asked for. From there on a watch from the oldest kept
 * revision replays what is left, up to the revision where the chain broke.
 *
 * Example: put at 5 and 7, delete at 9, put at 12. A range finds 12; as of 11 there is nothing, so a watch from the start
 * delivers 5, 7, 9 and 12. The 12 is known already and marks the end.
 */

import { delay } from '../base/clock.ts'
import { StoreError } from '../errors/store-error.ts'
import type { KeyValue } from './key-value.ts'
import type { KvClient } from './kv-client.ts'
import type { CallEnvironment } from './retry-policy.ts'
import type { RunningWatch, WatchClient, WatchEvent } from './watch-client.ts'

/** One change of the key. */
export type HistoryChange =
  | { readonly kind: 'put'; readonly revision: number; readonly pair: KeyValue }
  | { readonly kind: 'delete'; readonly revision: number }

export interface HistoryOptions {
  /** Only changes below this revision; 0: from the newest on. It must be a revision that changed the key. */
  readonly beforeRevision: number
  /** Changes in all. */
  readonly limit: number
  readonly signal: AbortSignal
}

export interface HistoryEnd {
  /** Older changes exist; the next page begins before the oldest one delivered. */
  readonly hasMore: boolean
  /** Changes below this revision may be compacted away; 0 when nothing was. */
  readonly compactedRevision: number
}

export interface HistorySources {
  readonly environment: CallEnvironment
  readonly kv: KvClient
  readonly watch: WatchClient
}

/** Servers before 3.4.25 answer a progress request too early, so a first answer alone does not prove the end. */
const progressAnswersNeeded = 2
const progressPauseMs = 150
/** A start that waits for the next write (see the API's note on progress) never answers; then silence decides. */
const silenceMs = 2_000

/**
 * Delivers the changes of a key, newest first.
 *
 * @param onChange  called once a change, in falling order of revisions
 * @throws StoreError  as the calls behind it; `contextCanceled` when the signal was aborted
 */
export async function readKeyHistory(
  sources: HistorySources,
  key: Uint8Array,
  options: HistoryOptions,
  onChange: (change: HistoryChange) => void,
): Promise<HistoryEnd> {
  const chain = await followChain(sources.kv, key, options, onChange)
  if (chain.remaining === 0) return { hasMore: chain.mayHaveMore, compactedRevision: 0 }
  const replay = await replayBefore(sources, key, {
    beforeRevision: chain.beforeRevision,
    headRevision: chain.headRevision,
    limit: chain.remaining,
    signal: options.signal,
  })
  for (const change of replay.changes) onChange(change)
  return { hasMore: replay.hasMore, compactedRevision: replay.compactedRevision }
}

interface ChainEnd {
  /** Where the replay has to end; 0 when no change is known yet. */
  readonly beforeRevision: number
  readonly headRevision: number
  readonly remaining: number
  readonly mayHaveMore: boolean
}

/** Walks from version to version until one is missing, compacted, or the limit is reached. */
async function followChain(
  kv: KvClient,
  key: Uint8Array,
  options: HistoryOptions,
  onChange: (change: HistoryChange) => void,
): Promise<ChainEnd> {
  let { beforeRevision } = options
  let headRevision = 0
  let remaining = options.limit
  let mayHaveMore = true
  while (remaining > 0) {
    if (beforeRevision === 1) break
    const pair = await findBefore(kv, key, beforeRevision, options.signal)
    headRevision = Math.max(headRevision, pair.headRevision)
    if (pair.pair === undefined) break
    onChange({ kind: 'put', revision: pair.pair.modRevision, pair: pair.pair })
    beforeRevision = pair.pair.modRevision
    // Nothing is older than the first revision that a store writes.
    mayHaveMore = beforeRevision > 2
    remaining--
  }
  return { beforeRevision, headRevision, remaining, mayHaveMore }
}

async function findBefore(
  kv: KvClient,
  key: Uint8Array,
  beforeRevision: number,
  signal: AbortSignal,
): Promise<{ pair: KeyValue | undefined; headRevision: number }> {
  const revision = beforeRevision === 0 ? 0 : beforeRevision - 1
  try {
    const { header, pair } = await kv.get(key, { revision, signal })
    return { pair, headRevision: header.revision }
  } catch (error) {
    // What was compacted is told by the watch, together with the revision up to which.
    if (error instanceof StoreError && error.code === 'compacted') {
      return { pair: undefined, headRevision: 0 }
    }
    throw error
  }
}

interface ReplayOptions {
  readonly beforeRevision: number
  readonly headRevision: number
  readonly limit: number
  readonly signal: AbortSignal
}

interface ReplayResult {
  readonly changes: readonly HistoryChange[]
  readonly hasMore: boolean
  readonly compactedRevision: number
}

/** Replays the key from the oldest kept revision up to a known change, or up to the head. */
async function replayBefore(
  sources: HistorySources,
  key: Uint8Array,
  options: ReplayOptions,
): Promise<ReplayResult> {
  const { clock } = sources.environment
  let changes: HistoryChange[] = []
  let hasMore = false
  let compactedRevision = 0
  let progressAnswers = 0
  let lastSignMs = clock.monotonicMs()
  let isComplete = false
  let refusal: StoreError | undefined
  const take = (events: readonly WatchEvent[]): void => {
    lastSignMs = clock.monotonicMs()
    progressAnswers = 0
    for (const event of events) {
      const revision = event.pair.modRevision
      if (options.beforeRevision > 0 && revision >= options.beforeRevision) isComplete = true
      else changes.push(changeOf(event))
    }
    if (changes.length > options.limit) {
      changes = changes.slice(-options.limit)
      hasMore = true
    }
  }
  const watch: RunningWatch = sources.watch.open(
    { interval: { start: key }, startRevision: 1, needsPrevious: false },
    {
      onStarted: () => {
        lastSignMs = clock.monotonicMs()
      },
      onEvents: take,
      onProgress: ({ revision }) => {
        if (revision >= options.headRevision) progressAnswers++
      },
      onInterrupted: () => {
        progressAnswers = 0
        lastSignMs = clock.monotonicMs()
      },
      onGap: (gap) => {
        compactedRevision = gap.toRevision + 1
        lastSignMs = clock.monotonicMs()
      },
      onRefused: (error) => {
        refusal = error
      },
    },
  )
  try {
    while (!isEnded()) {
      await delay(clock, progressPauseMs, options.signal)
      watch.requestProgress()
    }
  } catch (error) {
    if (!options.signal.aborted) throw error
    throw new StoreError('contextCanceled', {}, { cause: error })
  } finally {
    watch.dispose()
  }
  if (refusal !== undefined) throw refusal
  return { changes: changes.reverse(), hasMore, compactedRevision }

  function isEnded(): boolean {
    if (isComplete || refusal !== undefined) return true
    if (progressAnswers >= progressAnswersNeeded) return true
    return clock.monotonicMs() - lastSignMs > silenceMs
  }
}

function changeOf(event: WatchEvent): HistoryChange {
  const revision = event.pair.modRevision
  return event.kind === 'put'
    ? { kind: 'put', revision, pair: event.pair }
    : { kind: 'delete', revision }
}
