import type { Change } from '../mvcc/change.ts'
import type { KeyRange } from '../mvcc/key-range.ts'
import type { EventBatch } from './event-batch.ts'

/** What a client wants to see. */
export interface WatchRequest {
  readonly range: KeyRange
  /** First revision wanted; 0: the next one. May lie in the future. */
  readonly startRevision: number
  readonly filters: { readonly noPut: boolean; readonly noDelete: boolean }
  readonly hasPreviousKeyValue: boolean
}

/**
 * Where a watcher's events go: one stream of a client. Calls are synchronous and must not throw; a watcher may be
 * cancelled from inside one.
 */
export interface WatchSink {
  /**
   * Offers one batch.
   *
   * @returns false when there is no room: the batch is not taken, and the watcher reads history from its first revision
   *   on once its `resume()` is called
   */
  offer(batch: EventBatch): boolean
  /**
   * History that the watcher has not seen yet is gone: the watcher has ended, and nothing follows.
   *
   * @returns false when there is no room: asked again after `resume()`
   */
  compacted(compactedRevision: number): boolean
}

/** The handle of a watch. */
export interface Watcher {
  readonly request: WatchRequest
  /** The lowest revision it still has to see: everything below was taken by its sink or is not wanted. */
  readonly minRevision: number
  /** Has been given everything up to the current revision; only then may progress be told. */
  readonly isSynced: boolean
  /** Ended by a compaction. */
  readonly isCompacted: boolean
  /** The sink has room again. */
  resume(): void
  /** Nothing is offered from now on. */
  cancel(): void
}

/**
 * - `synced`: has seen everything; fed by each write
 * - `behind`: history has to be read for it
 * - `blocked`: the same, but its sink has no room
 * - `compacted`, `cancelled`: over
 */
export type WatcherPhase = 'synced' | 'behind' | 'blocked' | 'compacted' | 'cancelled'

/** What the hub keeps of a watcher. */
export interface WatcherState {
  readonly request: WatchRequest
  readonly sink: WatchSink
  phase: WatcherPhase
  /** While synced: the revision it was synced at, or a start in the future; what was published since counts as seen. */
  minRevision: number
}

/** Whether the watcher's filters let the change through; its range is looked at elsewhere. */
export function isWanted(watcher: WatcherState, change: Change): boolean {
  const { noPut, noDelete } = watcher.request.filters
  return change.kind === 'put' ? !noPut : !noDelete
}
