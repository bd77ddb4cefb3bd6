/**
 * Bringing watchers from history to the present, one bounded slice at a time.
 *
 * A slice belongs to the watcher that has waited longest: history is read from its next revision on, and every other
 * waiting watcher whose next revision lies in what was read takes part, so that a thousand clients that resume at the same
 * place cost one reading. A watcher that is still behind afterwards goes to the end of the line, so one far behind does
 * not hold up the others.
 */

import type { MvccStore } from '../mvcc/mvcc-store.ts'
import { changesByWatcher } from './event-batch.ts'
import type { WatcherState } from './watcher.ts'
import { WatcherGroup } from './watcher-group.ts'

/** Revisions read for one slice, and given to a watcher at once. */
const sliceRevisionCountMax = 1_000
/** Size of the pairs read for one slice, exceeded by at most one revision: a slice is held in memory as a whole. */
const sliceSizeBytesMax = 1_048_576
/** Watchers that take part in one slice. */
const sliceWatcherCountMax = 512

/** What happened to a watcher: it has seen everything, still lags, has no room, or has ended. */
export type CatchUpOutcome = 'synced' | 'behind' | 'blocked' | 'compacted'

/**
 * Takes one slice.
 *
 * @param waiting watchers with the phase `behind`, the one that has waited longest first; not empty
 * @param settle  called for each watcher that took part, after its `minRevision` was moved; never for a cancelled one
 */
export function catchUpSlice(
  store: MvccStore,
  waiting: Iterable<WatcherState>,
  settle: (watcher: WatcherState, outcome: CatchUpOutcome) => void,
): void {
  const line = takeLine(waiting)
  const alive = line.filter((watcher) => watcher.minRevision >= store.compactedRevision)
  for (const watcher of line) {
    if (watcher.minRevision < store.compactedRevision) endCompacted(store, watcher, settle)
  }
  const from = alive.find((watcher) => watcher.phase === 'behind')?.minRevision
  if (from === undefined) return
  const { currentRevision } = store
  const revisions = store.changesBetween({
    from,
    to: currentRevision + 1,
    revisionCountMax: sliceRevisionCountMax,
    sizeBytesMax: sliceSizeBytesMax,
  })
  // Where nothing was found there is nothing up to the current revision.
  const nextRevision = (revisions.at(-1)?.revision ?? currentRevision) + 1
  const isComplete = nextRevision > currentRevision
  const group = new WatcherGroup()
  const participants = alive.filter(
    ({ phase, minRevision }) =>
      phase === 'behind' && minRevision >= from && (isComplete || minRevision < nextRevision),
  )
  for (const watcher of participants) group.add(watcher)
  const matched = changesByWatcher(group, revisions)
  for (const watcher of participants) {
    // A sink may have cancelled it while another one was served.
    if (watcher.phase !== 'behind') continue
    const changes = matched.get(watcher)
    const isTaken =
      changes === undefined || watcher.sink.offer({ changes, revision: nextRevision - 1 })
    if (hasEnded(watcher)) continue
    if (isTaken) watcher.minRevision = Math.max(watcher.minRevision, nextRevision)
    settle(watcher, isTaken ? (isComplete ? 'synced' : 'behind') : 'blocked')
  }
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
function endCompacted(
  store: MvccStore,
  watcher: WatcherState,
  settle: (watcher: WatcherState, outcome: CatchUpOutcome) => void,
): void {
  if (watcher.phase !== 'behind') return
  const isTaken = watcher.sink.compacted(store.compactedRevision)
  if (!hasEnded(watcher)) settle(watcher, isTaken ? 'compacted' : 'blocked')
}

/** Asked again after every call of a sink, which may cancel. */
function hasEnded(watcher: WatcherState): boolean {
  return watcher.phase === 'cancelled'
}
