import type { KeyRange } from '../mvcc/key-range.ts'
import type { EventBatch } from './event-batch.ts'

export interface WatchRequest {
  readonly range: KeyRange
  /** First revision wanted; 0: the next one. */
  readonly startRevision: number
  readonly filters: { readonly noPut: boolean; readonly noDelete: boolean }
  readonly hasPreviousKeyValue: boolean
}

/** Where a watcher's events go: one stream of a client. Calls are synchronous and must not throw. */
export interface WatchSink {
  /**
   * Offers one batch.
   *
   * @returns false when there is no room: the batch is not taken, the watcher falls back to reading history, and waits
   *   for its `resume()` to be called (or for the next periodic attempt)
   */
  offer(batch: EventBatch): boolean
  /** The watcher has ended because history from its revision on is gone. Nothing follows. @returns false: no room, ask again */
  compacted(compactedRevision: number): boolean
}

export interface Watcher {
  readonly request: WatchRequest
  /** The lowest revision it still has to see. */
  readonly minRevision: number
  /** Has been given everything up to the current revision; only then may progress be told. */
  readonly isSynced: boolean
  /** Ended by a compaction. */
  readonly isCompacted: boolean
  /** The sink has room again. */
  resume(): void
  cancel(): void
}
