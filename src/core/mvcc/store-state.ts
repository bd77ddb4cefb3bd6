import type { Backend } from '../backend/backend.ts'
import type { ByteArena } from './byte-arena.ts'
import type { CountIndex } from './count-index.ts'
import type { KnownCounts } from './known-counts.ts'
import type { OperationCounts } from './operation-counts.ts'
import type { PairRuns } from './pair-runs.ts'

/** What the parts of the store share. The applier's turn is the only writer. */
export interface StoreState {
  readonly backend: Backend
  readonly counts: CountIndex
  readonly knownCounts: KnownCounts
  readonly operations: OperationCounts
  /** Told of a key before it is written. */
  readonly runs: PairRuns
  /** Where the values of new records are written. */
  readonly arena: ByteArena
  /** What readers see: moved by `publish`, after the batch was committed. */
  publishedRevision: number
  /** Published, or written into the batch that will be committed next. Never behind the published one. */
  newestRevision: number
  /** Reads below it are refused; -1 before the first compaction. Never decreases, never above the newest revision. */
  compactedRevision: number
  /** Up to here history has been removed; behind the compacted one while a compaction is running. */
  finishedRevision: number
  /** Where the running compaction goes on in the `key` bucket. */
  compactionCursor: Uint8Array | undefined
}
