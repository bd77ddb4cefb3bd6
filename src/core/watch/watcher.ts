import type { Change } from '../mvcc/change.ts'
import type { KeyRange } from '../mvcc/key-range.ts'
import type { EventBatch } from './event-batch.ts'
import type { WatchedRange } from './watched-range.ts'

/** What a client wants to see. */
export interface WatchRequest {
  /** Not kept: its bytes may be parts of a receive buffer. */
  readonly range: KeyRange
  /** First revision wanted; 0: the next one. May lie in the future. */
  readonly startRevision: number
  readonly filters: { readonly noPut: boolean; readonly noDelete: boolean }
}

/**
 * Where a watcher's events go. Calls are synchronous and must not throw; a watcher may be cancelled from inside one.
 */
export interface WatchSink {
  /** Watchers of one owner, a stream of a client, are served one after another where they watch the same range. */
  readonly owner?: object
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
  /** The start that was asked for. */
  readonly startRevision: number
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

/** What a watcher asks of its hub. */
export interface WatcherHost {
  /** Everything up to here was given to the synced watchers. */
  readonly notifiedRevision: number
  resume(watcher: WatcherState): void
  cancel(watcher: WatcherState): void
}

/** Which kinds of changes are let through: a sum of {@link noPutFilter} and {@link noDeleteFilter}. */
export type FilterCode = number
export const noPutFilter = 1
export const noDeleteFilter = 2
/** How many different codes there are. */
export const filterCodeCount = 4

/** What the hub keeps of a watcher; there may be very many, so it is one small object and has no functions of its own. */
export class WatcherState implements Watcher {
  readonly startRevision: number
  readonly sink: WatchSink
  readonly range: WatchedRange
  readonly filterCode: FilterCode
  phase: WatcherPhase = 'cancelled'
  /** While synced: the revision it was synced at, or a start in the future; what was published since counts as seen. */
  nextRevision: number
  /** Where it stands among the synced watchers of its range. */
  position = 0
  private readonly host: WatcherHost

  constructor(
    host: WatcherHost,
    range: WatchedRange,
    wish: { readonly request: WatchRequest; readonly sink: WatchSink },
  ) {
    const { startRevision, filters } = wish.request
    this.host = host
    this.range = range
    this.sink = wish.sink
    this.startRevision = startRevision
    this.filterCode = (filters.noPut ? noPutFilter : 0) + (filters.noDelete ? noDeleteFilter : 0)
    this.nextRevision = startRevision === 0 ? host.notifiedRevision + 1 : startRevision
  }

  /** For a synced watcher everything that was told is seen, whether or not it matched. */
  get minRevision(): number {
    if (this.phase !== 'synced') return this.nextRevision
    return Math.max(this.nextRevision, this.host.notifiedRevision + 1)
  }

  get isSynced(): boolean {
    return this.phase === 'synced'
  }

  get isCompacted(): boolean {
    return this.phase === 'compacted'
  }

  resume(): void {
    this.host.resume(this)
  }

  cancel(): void {
    this.host.cancel(this)
  }
}

/** Whether a filter lets the change through. */
export function isWanted(filterCode: FilterCode, change: Change): boolean {
  return (filterCode & (change.kind === 'put' ? noPutFilter : noDeleteFilter)) === 0
}
