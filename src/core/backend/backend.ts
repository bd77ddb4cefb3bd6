/**
 * The ordered store below the state machine: named buckets of byte keys, one writer, readers at any time.
 *
 * The problem: applied state must be visible at once, durable later, and never torn. The plain idea: changes are
 * collected in a *batch*; the batch becomes visible whole in one synchronous step (`commit`), then travels to disk in
 * the background, in order. A crash keeps what was flushed plus any prefix of the later batches, never a part of one.
 *
 * What is left out: isolation between writers (there is one, the applier) and rollback (nothing is put into a batch
 * before everything that can fail was checked).
 */
import type { TimeHistogram } from '../base/time-histogram.ts'

/** Names of the buckets; see `buckets.ts` for what is in each. */
export type BucketName =
  | 'key'
  | 'head'
  | 'count'
  | 'longkey'
  | 'meta'
  | 'lease'
  | 'lease_item'
  | 'alarm'
  | 'cluster'
  | 'members'
  | 'members_removed'
  | 'auth'
  | 'authUsers'
  | 'authRoles'

/** Bounds and direction of a scan. `start` is inclusive and `end` exclusive in byte order, whatever the direction. */
export interface ScanOptions {
  readonly start?: Uint8Array
  readonly end?: Uint8Array
  readonly isReverse?: boolean
}

/** One record. The bytes may be shared with the store: never write to them; copy what outlives the turn. */
export interface BackendRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** A record where it lies in memory that is used again for the next one: to be looked at, copied from, and forgotten. */
export interface RawRecord {
  readonly keyBytes: Uint8Array
  readonly keyStart: number
  readonly keyEnd: number
  readonly valueBytes: Uint8Array
  readonly valueStart: number
  readonly valueSizeBytes: number
  copyKey(): Uint8Array
  /** The value, or the part of it in `[start, end)`. */
  copyValue(start?: number, end?: number): Uint8Array
}

/** Sees one record of a walk, and reads nothing from the same store meanwhile. Returns whether to go on. */
export type RecordVisitor = (record: RawRecord) => boolean

/** Reads that see every committed batch, and within a batch the batch's own changes. All are synchronous. */
export interface BackendReader {
  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined
  /** Lazy and in order. Must be consumed, or returned from, within the same turn. */
  scan(bucket: BucketName, options: ScanOptions): Iterable<BackendRecord>
  /** As `scan`, without making anything for each record. */
  visit(bucket: BucketName, options: ScanOptions, visitor: RecordVisitor): void
}

/** Changes that become visible and durable together. Used within one turn, by the single writer. */
export interface BackendBatch extends BackendReader {
  /** The bytes are given away: the caller must not change them afterwards. */
  put(bucket: BucketName, key: Uint8Array, value: Uint8Array): void
  remove(bucket: BucketName, key: Uint8Array): void
  /** Number of changes collected so far. */
  readonly changeCount: number
}

/** A frozen view for long reads over many turns: snapshots, hashes. Must be closed. */
export interface BackendView extends BackendReader {
  close(): void
}

/** Where a backend moves to when it is defragmented, and what is done on the way. */
export interface DefragmentTarget {
  /** Must not exist yet. Removing it is the caller's affair when the move was given up or failed. */
  readonly directory: string
  /**
   * Puts the new place in force, durably, whichever of the two a crash leaves to be opened. Called when the new place has
   * all that is durable in the old one; nothing becomes durable meanwhile. False: the new place is not wanted any more.
   * A rejection is fatal to the backend, because it is not known which place is in force.
   */
  readonly publish: () => Promise<boolean>
}

/** A backend was moved. */
export interface Defragmented {
  /** Resolves when the last view of the old place was closed: it can be removed. */
  readonly oldClosed: Promise<void>
}

export interface Backend extends BackendReader {
  /** Starts the only batch; asserts that none is open. */
  beginBatch(): BackendBatch
  /** Publishes the open batch: visible to every read from now on, on its way to disk. Never waits. */
  commitBatch(batch: BackendBatch): void
  /** A view of everything committed so far. */
  openView(): BackendView
  /** Resolves when every batch committed before the call is durable. Rejects with a `StorageFault` when writing failed. */
  flush(): Promise<void>
  /** As {@link flush}, but nothing is written sooner for it. */
  untilDurable(): Promise<void>
  /** Resolves when unflushed changes are below the limit again; the applier waits here before it takes more entries. */
  waitForRoom(): Promise<void>
  /**
   * Whether work that can wait may write now: little enough is unflushed that nobody comes to wait for room because of it.
   * If it may not, room is made soon.
   */
  askForRoom(): boolean
  /** Has what gathers written within a tenth of a second, so that {@link Backend.size} says what is there by now. */
  hurry(): void
  /** Called at most once, with the failure of a background write. The node must stop: readers were told about the data. */
  onFault(listener: (fault: Error) => void): void
  /** How long transactions took to be written and synced; absent where nothing is written. */
  readonly commitTimes?: TimeHistogram
  /** Allocated size, and the part of it in use, both in bytes. */
  size(): { readonly allocatedSizeBytes: number; readonly usedSizeBytes: number }
  /**
   * Moves everything to a new place without the room that removed records leave behind, while reads and writes go on.
   * Views that are open stay in the old place. One call at a time.
   *
   * @returns undefined when the new place was not wanted any more, or the backend was closed meanwhile
   * @throws when the copy cannot be made; the backend goes on where it is
   */
  defragment(target: DefragmentTarget): Promise<Defragmented | undefined>
  /** Flushes and closes. Waits for a copy that is being made. */
  close(): Promise<void>
}

/** Opens backends and installs received ones; the seam between LMDB and the in-memory one of tests and simulation. */
export interface BackendFactory {
  /** Opens the backend in `directory`, making it when absent. */
  open(directory: string): Promise<Backend>
  /**
   * Makes a new backend in `directory` (which must not hold an open one), has it filled, and closes it, durable.
   * @throws what `fill` throws; `directory` is removed then
   */
  build(directory: string, fill: (backend: Backend) => Promise<void>): Promise<void>
  /**
   * Puts a finished import in the place of the backend in `targetDirectory`, durably and in one step: after a crash the
   * target is whole, the old one or the new. Neither may be open. `sourceDirectory` is gone afterwards.
   */
  replace(directories: {
    readonly sourceDirectory: string
    readonly targetDirectory: string
  }): Promise<void>
  /** Removes a backend that is not open; does nothing where there is none. */
  remove(directory: string): Promise<void>
}
