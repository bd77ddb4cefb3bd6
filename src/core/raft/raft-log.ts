/**
 * One view over durable and not yet durable entries, with three marks.
 *
 *     firstIndex - 1 <= applied <= applying <= committed <= lastIndex
 *
 * `applying` runs ahead of `applied` while the host works on what it was handed.
 */
import { assert } from '../base/assert.ts'
import { entryPrefixWithin, entriesSizeBytes } from './entry-size.ts'
import type { LogStorage, Unavailable } from './log-storage.ts'
import type { Entry, LogIndex, Snapshot, Term } from './message.ts'
import { UnstableLog } from './unstable-log.ts'

export class RaftLog {
  readonly unstable: UnstableLog
  private readonly storage: LogStorage
  private readonly committedSizeBytesMax: number
  private committedIndex: LogIndex
  private applyingIndex: LogIndex
  private appliedIndex: LogIndex

  /** @param committedSizeBytesMax  how much is handed out for applying at once */
  constructor(storage: LogStorage, committedSizeBytesMax: number) {
    this.storage = storage
    this.committedSizeBytesMax = committedSizeBytesMax
    this.unstable = new UnstableLog(storage.lastIndex() + 1)
    this.committedIndex = storage.firstIndex() - 1
    this.applyingIndex = this.committedIndex
    this.appliedIndex = this.committedIndex
  }

  get committed(): LogIndex {
    return this.committedIndex
  }

  get applied(): LogIndex {
    return this.appliedIndex
  }

  firstIndex(): LogIndex {
    return this.unstable.firstIndex() ?? this.storage.firstIndex()
  }

  lastIndex(): LogIndex {
    return this.unstable.lastIndex() ?? this.storage.lastIndex()
  }

  lastTerm(): Term {
    const term = this.term(this.lastIndex())
    assert(typeof term === 'number', 'the term of the last entry is known')
    return term
  }

  /** Also answers for `firstIndex - 1`. */
  term(index: LogIndex): Term | Unavailable {
    const unstable = this.unstable.term(index)
    if (unstable !== undefined) return unstable
    if (index + 1 < this.firstIndex()) return 'compacted'
    if (index > this.lastIndex()) return 'unavailable'
    return this.storage.term(index)
  }

  hasEntry(index: LogIndex, term: Term): boolean {
    return this.term(index) === term
  }

  /** Section 5.4.1 of the Raft paper: the later last term wins, then the longer log. */
  isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
    const ownTerm = this.lastTerm()
    return lastTerm > ownTerm || (lastTerm === ownTerm && lastIndex >= this.lastIndex())
  }

  /** Entries from `low` to the end, within the size, at least one if there is any. */
  entriesFrom(low: LogIndex, sizeBytesMax: number): readonly Entry[] | Unavailable {
    if (low > this.lastIndex()) return []
    return this.slice({ low, high: this.lastIndex() + 1, sizeBytesMax })
  }

  /** Entries in [low, high), the longest beginning within the size, at least one if there is any. */
  slice(range: {
    readonly low: LogIndex
    readonly high: LogIndex
    readonly sizeBytesMax: number
  }): readonly Entry[] | Unavailable {
    const { low, high, sizeBytesMax } = range
    if (low < this.firstIndex()) return 'compacted'
    if (high > this.lastIndex() + 1) return 'unavailable'
    if (low >= high) return []
    const border = this.unstable.offset
    if (low >= border) return entryPrefixWithin(this.unstable.slice(low, high), sizeBytesMax)
    const stableHigh = Math.min(high, border)
    const stable = this.storage.entries({ low, high: stableHigh, sizeBytesMax })
    if (typeof stable === 'string' || high <= border) return stable
    // Storage stopped at the limit, or has nothing left to spare for what follows.
    if (stable.length < stableHigh - low) return stable
    const restBytes = sizeBytesMax - entriesSizeBytes(stable)
    const rest = entryPrefixWithin(this.unstable.slice(border, high), restBytes)
    if (rest.length === 1 && entriesSizeBytes(rest) > restBytes) return stable
    return rest.length === 0 ? stable : stable.concat(rest)
  }

  /** Adds an entry of the leader itself. */
  push(entry: Entry): void {
    this.unstable.push(entry)
  }

  /**
   * Takes a leader's entries behind one that was found to agree. Entries that are here already are left alone, so that
   * a late and shorter append cannot shorten the log.
   */
  takeFromLeader(entries: readonly Entry[]): void {
    for (let position = 0; position < entries.length; position++) {
      const entry = entries[position]
      if (entry === undefined || this.hasEntry(entry.index, entry.term)) continue
      assert(entry.index > this.committedIndex, 'a committed entry is never replaced by another')
      this.unstable.truncateAndAppend(position === 0 ? entries : entries.slice(position))
      return
    }
  }

  /**
   * Goes down from `index` to the first entry whose term is at most `term`: the last place where a log that holds
   * `term` there may agree with this one. The term 0 means that it is not known.
   */
  findConflictByTerm(
    index: LogIndex,
    term: Term,
  ): { readonly index: LogIndex; readonly term: Term } {
    for (let candidate = index; candidate > 0; candidate--) {
      const ownTerm = this.term(candidate)
      if (typeof ownTerm !== 'number') return { index: candidate, term: 0 }
      if (ownTerm <= term) return { index: candidate, term: ownTerm }
    }
    return { index: 0, term: 0 }
  }

  commitTo(index: LogIndex): void {
    if (index <= this.committedIndex) return
    assert(
      index <= this.lastIndex(),
      'the commit index lies beyond the log: the log was damaged, truncated or lost',
    )
    this.committedIndex = index
  }

  /** Everything up to `index` is in the state machine. */
  appliedTo(index: LogIndex): void {
    assert(index >= this.appliedIndex, 'applied never falls')
    assert(index <= this.committedIndex, 'only what is committed is applied')
    this.appliedIndex = index
    this.applyingIndex = Math.max(this.applyingIndex, index)
  }

  /** Whether something can be handed out for applying. Never while a snapshot is on its way. */
  hasNextCommitted(): boolean {
    return this.applyingIndex < this.committedIndex && this.unstable.snapshot === undefined
  }

  /** What to apply next, within the size. */
  nextCommitted(): readonly Entry[] {
    if (!this.hasNextCommitted()) return []
    const entries = this.slice({
      low: this.applyingIndex + 1,
      high: this.committedIndex + 1,
      sizeBytesMax: this.committedSizeBytesMax,
    })
    assert(typeof entries !== 'string', 'entries that are not applied yet are not compacted')
    return entries
  }

  /** The host took everything up to `index` for applying. */
  acceptApplying(index: LogIndex): void {
    assert(index <= this.committedIndex, 'only what is committed is handed out')
    this.applyingIndex = Math.max(this.applyingIndex, index)
  }

  /** Whether a membership change is committed and not yet applied. Looked at in bounded pages. */
  hasUnappliedConfChange(): boolean {
    let low = this.appliedIndex + 1
    while (low <= this.committedIndex) {
      const page = this.slice({
        low,
        high: this.committedIndex + 1,
        sizeBytesMax: this.committedSizeBytesMax,
      })
      // The gap before a snapshot that is on its way: what it replaces cannot be looked at.
      if (typeof page === 'string') return false
      for (const entry of page) if (entry.kind !== 'normal') return true
      low += page.length
    }
    return false
  }

  /** Replaces the whole log by a received snapshot. */
  restore(snapshot: Snapshot): void {
    this.committedIndex = snapshot.metadata.index
    this.unstable.restore(snapshot)
  }

  /** The received snapshot at `index` is stored and installed. */
  installedSnapshot(index: LogIndex): void {
    this.unstable.stableSnapshotTo(index)
    if (index > this.appliedIndex) this.appliedTo(index)
  }

  /** For a follower that is too far behind. */
  snapshot(): Snapshot | 'temporarilyUnavailable' {
    return this.unstable.snapshot ?? this.storage.snapshot()
  }
}
