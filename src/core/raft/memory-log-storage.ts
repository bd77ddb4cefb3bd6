/**
 * LogStorage in memory: the host's copy of what its write-ahead log holds, cut at the front by compaction.
 *
 * Arrays that were handed out are never changed: an overwritten tail is replaced by a new array.
 */
import { assert } from '../base/assert.ts'
import { emptyBytes } from '../base/bytes.ts'
import { emptyConfState } from './conf-change.ts'
import { entryPrefixWithin } from './entry-size.ts'
import type { LogStorage, Unavailable } from './log-storage.ts'
import type { ConfState, Entry, HardState, LogIndex, Snapshot, Term } from './message.ts'

const emptySnapshot: Snapshot = {
  metadata: { index: 0, term: 0, confState: emptyConfState },
  data: emptyBytes,
}

/** Makes a snapshot for a follower when one is needed, instead of the last one that was stored. */
export type SnapshotSource = () => Snapshot | 'temporarilyUnavailable'

/** The stable log of one node. One owner, the node's driver, writes; Raft reads. */
export class MemoryLogStorage implements LogStorage {
  private hardState: HardState | undefined
  private storedSnapshot: Snapshot = emptySnapshot
  private readonly snapshotSource: SnapshotSource | undefined
  /** Index and term of the entry before the first one held: the last compaction. */
  private compactedIndex: LogIndex = 0
  private compactedTerm: Term = 0
  /** Entries after the compaction point. Invariant: gapless, `entries[i].index === compactedIndex + 1 + i`. */
  private held: Entry[] = []
  private sizeBytes = 0

  constructor(snapshotSource?: SnapshotSource) {
    this.snapshotSource = snapshotSource
  }

  initialState(): { readonly hardState: HardState | undefined; readonly confState: ConfState } {
    return { hardState: this.hardState, confState: this.storedSnapshot.metadata.confState }
  }

  entries(range: {
    readonly low: LogIndex
    readonly high: LogIndex
    readonly sizeBytesMax: number
  }): readonly Entry[] | Unavailable {
    if (range.low <= this.compactedIndex) return 'compacted'
    if (range.high > this.lastIndex() + 1) return 'unavailable'
    const start = range.low - this.compactedIndex - 1
    const end = range.high - this.compactedIndex - 1
    return entryPrefixWithin(this.held.slice(start, end), range.sizeBytesMax)
  }

  term(index: LogIndex): Term | Unavailable {
    if (index < this.compactedIndex) return 'compacted'
    if (index === this.compactedIndex) return this.compactedTerm
    return this.held[index - this.compactedIndex - 1]?.term ?? 'unavailable'
  }

  firstIndex(): LogIndex {
    return this.compactedIndex + 1
  }

  lastIndex(): LogIndex {
    return this.compactedIndex + this.held.length
  }

  /** 'temporarilyUnavailable' also when the stored snapshot is too old for the entries held to follow it. */
  snapshot(): Snapshot | 'temporarilyUnavailable' {
    if (this.snapshotSource !== undefined) return this.snapshotSource()
    const isUsable =
      this.storedSnapshot.metadata.index > 0 &&
      this.storedSnapshot.metadata.index >= this.compactedIndex
    return isUsable ? this.storedSnapshot : 'temporarilyUnavailable'
  }

  /** Bytes of data in the entries held. */
  get heldSizeBytes(): number {
    return this.sizeBytes
  }

  /** The lowest index up to which entries must be dropped so that those behind it hold at most so many bytes of data. */
  indexBefore(sizeBytesMax: number): LogIndex {
    let sizeBytes = this.sizeBytes
    let dropped = 0
    while (sizeBytes > sizeBytesMax && dropped < this.held.length) {
      sizeBytes -= this.held[dropped]?.data.length ?? 0
      dropped++
    }
    return this.compactedIndex + dropped
  }

  setHardState(hardState: HardState): void {
    this.hardState = hardState
  }

  /** The configuration at a restart, when the host keeps it elsewhere than in a stored snapshot. */
  setConfState(confState: ConfState): void {
    const { metadata, data } = this.storedSnapshot
    this.storedSnapshot = { metadata: { ...metadata, confState }, data }
  }

  /** Adds entries behind those held; entries held from the first new index on are replaced. */
  append(entries: readonly Entry[]): void {
    const first = entries[0]
    const last = entries[entries.length - 1]
    if (first === undefined || last === undefined) return
    assert(last.index - first.index + 1 === entries.length, 'entries are written without a gap')
    assert(first.index <= this.lastIndex() + 1, 'entries are written right behind the log')
    if (last.index <= this.compactedIndex) return
    const skipped = Math.max(0, this.compactedIndex + 1 - first.index)
    const kept = first.index + skipped - this.compactedIndex - 1
    if (kept < this.held.length) {
      this.sizeBytes -= dataSizeBytes(this.held, kept)
      this.held = this.held.slice(0, kept)
    }
    for (let position = skipped; position < entries.length; position++) {
      const entry = entries[position]
      if (entry !== undefined) this.held.push(entry)
    }
    this.sizeBytes += dataSizeBytes(entries, skipped)
  }

  /** Drops entries up to and including `index`; earlier compactions are repeated without effect. */
  compact(index: LogIndex): void {
    if (index <= this.compactedIndex) return
    assert(index <= this.lastIndex(), 'only what the log holds can be compacted')
    const term = this.term(index)
    assert(typeof term === 'number', 'the term of a held entry is known')
    this.sizeBytes -= dataSizeBytes(this.held, 0, index - this.compactedIndex)
    this.held = this.held.slice(index - this.compactedIndex)
    this.compactedIndex = index
    this.compactedTerm = term
  }

  /** Replaces the whole log by a received snapshot. An older one than the stored is refused. */
  applySnapshot(snapshot: Snapshot): 'applied' | 'outdated' {
    const { index, term } = snapshot.metadata
    if (index <= this.storedSnapshot.metadata.index) return 'outdated'
    this.storedSnapshot = snapshot
    this.compactedIndex = index
    this.compactedTerm = term
    this.held = []
    this.sizeBytes = 0
    return 'applied'
  }

  /** Stores a snapshot of the state machine at `index`, which the log must still know. Does not compact. */
  createSnapshot(state: {
    readonly index: LogIndex
    readonly confState: ConfState
    readonly data: Uint8Array
  }): Snapshot {
    const term = this.term(state.index)
    assert(typeof term === 'number', 'a snapshot is made at an index that the log holds')
    const metadata = { index: state.index, term, confState: state.confState }
    this.storedSnapshot = { metadata, data: state.data }
    return this.storedSnapshot
  }
}

function dataSizeBytes(entries: readonly Entry[], start: number, end = entries.length): number {
  let sizeBytes = 0
  for (let position = start; position < end; position++) {
    sizeBytes += entries[position]?.data.length ?? 0
  }
  return sizeBytes
}
