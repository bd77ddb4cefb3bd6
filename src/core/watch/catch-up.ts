/**
 * Bringing watchers from history to the present, one bounded slice at a time.
 *
 * A slice belongs to the watcher that has waited longest: history is read from its next revision on, and every other
 * waiting watcher whose next revision lies in what was read takes part, so that a thousand clients that resume at the same
 * place cost one reading. A watcher that is still behind afterwards goes to the end of the line, so one far behind does
 * not hold up the others. Who could not be served in the time of a slice keeps its place.
 */

import type { Clock } from '../base/clock.ts'
import type { RevisionChanges } from '../mvcc/change.ts'
import type { MvccStore } from '../mvcc/mvcc-store.ts'
import { matchRanges } from './event-batch.ts'
import { RangeIndex } from './watched-range.ts'
import type { WatcherState } from './watcher.ts'

/** Revisions read for one slice, and given to a watcher at once. */
const sliceRevisionCountMax = 1_000
/** Size of the pairs read for one slice, exceeded by at most one revision: a slice is held in memory as a whole. */
const sliceSizeBytesMax = 1_048_576
const sliceSizeBytesMin = 16_384
/** What all slices together may hold, each in the memory of another slow client. */
const totalSizeBytes = 134_217_728
/** Watchers that take part in one slice. */
const sliceWatcherCountMax = 512
/** Time after which no further watcher is served: input waits meanwhile. */
const sliceTimeMs = 3

/** What happened to a watcher: it has seen everything, still lags, has no room, or has ended. */
export type CatchUpOutcome = 'synced' | 'behind' | 'blocked' | 'compacted'

/** What a slice works on. */
export interface CatchUpContext {
  readonly store: MvccStore
  readonly clock: Clock
  /** Watchers that are not up to date, waiting or blocked: the more, the less is read for each. */
  readonly laggingCount: number
  /** Called for each watcher that took part, after its `nextRevision` was moved; never for a cancelled one. */
  readonly settle: (watcher: WatcherState, outcome: CatchUpOutcome) => void
}

/**
 * Takes one slice.
 *
 * @param waiting watchers with the phase `behind`, the one that has waited longest first; not empty
 */
export function catchUpSlice(context: CatchUpContext, waiting: Iterable<WatcherState>): void {
  const { store } = context
  const line = takeLine(waiting)
  const alive = line.filter((watcher) => watcher.nextRevision >= store.compactedRevision)
  for (const watcher of line) {
    if (watcher.nextRevision < store.compactedRevision) endCompacted(context, watcher)
  }
  const from = alive.find((watcher) => watcher.phase === 'behind')?.nextRevision
  if (from === undefined) return
  const { currentRevision } = store
  const revisions = store.changesBetween({
    from,
    to: currentRevision + 1,
    revisionCountMax: sliceRevisionCountMax,
    sizeBytesMax: Math.max(
      sliceSizeBytesMin,
      Math.min(sliceSizeBytesMax, totalSizeBytes / Math.max(context.laggingCount, 1)),
    ),
  })
  // Where nothing was found there is nothing up to the current revision.
  const seenRevision = revisions.at(-1)?.revision ?? currentRevision
  const participants = alive.filter(
    ({ phase, nextRevision }) =>
      phase === 'behind' &&
      nextRevision >= from &&
      (seenRevision === currentRevision || nextRevision <= seenRevision),
  )
  serve(context, participants, { revisions, seenRevision })
}

function serve(
  { store, clock, settle }: CatchUpContext,
  participants: readonly WatcherState[],
  history: { readonly revisions: readonly RevisionChanges[]; readonly seenRevision: number },
): void {
  const { revisions, seenRevision } = history
  const isComplete = seenRevision === store.currentRevision
  const index = new RangeIndex()
  for (const { range } of participants) index.add(range)
  const matches = matchRanges(index, revisions, seenRevision)
  const startMs = clock.monotonicMs()
  let servedCount = 0
  for (const watcher of sideBySide(participants)) {
    // A sink may have cancelled it while another one was served.
    if (watcher.phase !== 'behind') continue
    if (servedCount > 0 && clock.monotonicMs() - startMs > sliceTimeMs) return
    servedCount++
    const batch = matches.get(watcher.range)?.batchFor(watcher.filterCode, watcher.nextRevision)
    const isTaken = batch === undefined || watcher.sink.offer(batch)
    if (hasEnded(watcher)) continue
    if (isTaken) watcher.nextRevision = Math.max(watcher.nextRevision, seenRevision + 1)
    settle(watcher, isTaken ? (isComplete ? 'synced' : 'behind') : 'blocked')
  }
}

/** The same watchers, those of one range and owner side by side, the one that has waited longest first. */
function sideBySide(watchers: readonly WatcherState[]): Iterable<WatcherState> {
  const first = watchers[0]
  const isAlike = watchers.every(
    ({ range, sink }) => range === first?.range && sink.owner === first.sink.owner,
  )
  if (isAlike) return watchers
  const groups = new Map<object, Map<object, WatcherState[]>>()
  for (const watcher of watchers) {
    const byOwner = groups.get(watcher.range) ?? new Map<object, WatcherState[]>()
    groups.set(watcher.range, byOwner)
    const owner = watcher.sink.owner ?? watcher.sink
    const siblings = byOwner.get(owner)
    if (siblings === undefined) byOwner.set(owner, [watcher])
    else siblings.push(watcher)
  }
  return [...groups.values()].flatMap((byOwner) => [...byOwner.values()].flat())
}

function takeLine(waiting: Iterable<WatcherState>): WatcherState[] {
  const line: WatcherState[] = []
  for (const watcher of waiting) {
    line.push(watcher)
    if (line.length === sliceWatcherCountMax) break
  }
  return line
}

/** Where there is no room for the notice, the watcher keeps its place in history: moved on, it would miss events in silence. */
function endCompacted({ store, settle }: CatchUpContext, watcher: WatcherState): void {
  if (watcher.phase !== 'behind') return
  const isTaken = watcher.sink.compacted(store.compactedRevision)
  if (!hasEnded(watcher)) settle(watcher, isTaken ? 'compacted' : 'blocked')
}

/** Asked again after every call of a sink, which may cancel. */
function hasEnded(watcher: WatcherState): boolean {
  return watcher.phase === 'cancelled'
}
