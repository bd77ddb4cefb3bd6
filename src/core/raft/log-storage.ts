/** The durable part of the log as Raft reads it; implemented by the host. All calls are synchronous and in memory. */
import type { ConfState, Entry, HardState, LogIndex, Snapshot, Term } from './message.ts'

/** A log position that cannot be answered for; a normal answer, not a failure. */
export type Unavailable = 'compacted' | 'unavailable'

export interface LogStorage {
  /** What was durable when the node started. */
  initialState(): { readonly hardState: HardState | undefined; readonly confState: ConfState }
  /**
   * Entries in [low, high), at least one if there is any, no more than `sizeBytesMax` of them in sum beyond the first.
   * 'compacted' below `firstIndex`, 'unavailable' beyond `lastIndex`.
   */
  entries(range: {
    readonly low: LogIndex
    readonly high: LogIndex
    readonly sizeBytesMax: number
  }): readonly Entry[] | Unavailable
  /** Also answers for `firstIndex - 1`, the point of the last compaction. */
  term(index: LogIndex): Term | Unavailable
  firstIndex(): LogIndex
  lastIndex(): LogIndex
  /** For a follower that is too far behind; 'temporarilyUnavailable' lets Raft ask again later. */
  snapshot(): Snapshot | 'temporarilyUnavailable'
}
