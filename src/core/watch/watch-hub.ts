import { InvariantViolation } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Change, RevisionChanges } from '../mvcc/change.ts'
import type { MvccStore } from '../mvcc/mvcc-store.ts'
import type { StoredKeyValue } from '../mvcc/stored-key-value.ts'
import type { WatchRequest, WatchSink, Watcher } from './watcher.ts'

export class WatchHub {
  constructor(_store: MvccStore, _options: { clock: Clock; logger: Logger }) {
    throw new InvariantViolation('under construction')
  }
  watch(_request: WatchRequest, _sink: WatchSink): Watcher {
    throw new InvariantViolation('under construction')
  }
  /** Called by the apply turn after publish, in order. */
  notify(_changes: readonly RevisionChanges[]): void {
    throw new InvariantViolation('under construction')
  }
  /** The revision all these watchers are complete up to, or undefined when one is behind or starts in the future. */
  progressOf(_watchers: Iterable<Watcher>): number | undefined {
    throw new InvariantViolation('under construction')
  }
  /** The pair as it was before the change; undefined for creations and when compacted. */
  previousKeyValue(_change: Change): StoredKeyValue | undefined {
    throw new InvariantViolation('under construction')
  }
  /** The store was replaced by a snapshot. */
  reset(_store: MvccStore): void {
    throw new InvariantViolation('under construction')
  }
  get watcherCount(): number {
    throw new InvariantViolation('under construction')
  }
  dispose(): void {
    throw new InvariantViolation('under construction')
  }
}
