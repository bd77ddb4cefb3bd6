/** What a watcher is given at once: whole revisions, in order. */

import { assert } from '../base/assert.ts'
import type { Change, RevisionChanges } from '../mvcc/change.ts'
import { isWanted, type WatcherState } from './watcher.ts'
import type { WatcherGroup } from './watcher-group.ts'

/** Events for one watcher. Every revision in it is complete, for this watcher's range and filters. */
export interface EventBatch {
  /** In the order of revision, then sub; never empty. The same `Change` object goes to every watcher it matches. */
  readonly changes: readonly Change[]
  /** Everything up to this revision that the watcher wants is in this or an earlier batch: the header's revision. */
  readonly revision: number
}

/**
 * Sorts the changes of whole revisions by the watchers that want them.
 *
 * @returns the changes each matching watcher has not seen, in order; watchers that match nothing are left out
 */
export function changesByWatcher(
  group: WatcherGroup,
  revisions: readonly RevisionChanges[],
): Map<WatcherState, readonly Change[]> {
  const matched = new Map<WatcherState, Change[]>()
  for (const { revision, changes } of revisions) {
    for (const change of changes) {
      assert(change.keyValue.modRevision === revision, 'a change carries the revision it is in')
      group.visitMatching(change.keyValue.key, (watcher) => {
        if (revision < watcher.minRevision || !isWanted(watcher, change)) return
        const collected = matched.get(watcher)
        if (collected === undefined) matched.set(watcher, [change])
        else collected.push(change)
      })
    }
  }
  return matched
}
