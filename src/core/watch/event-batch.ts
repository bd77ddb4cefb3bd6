/** What a watcher is given at once: whole revisions, in order. */

import type { Change } from '../mvcc/change.ts'

/** Events for one watcher. Every revision in it is complete, for this watcher's range and filters. */
export interface EventBatch {
  /** In the order of revision, then sub; never empty. The same `Change` object goes to every watcher it matches. */
  readonly changes: readonly Change[]
  /** Everything up to this revision that the watcher wants is in this or an earlier batch: the header's revision. */
  readonly revision: number
}
