/**
 * Entries and a snapshot still on their way to disk.
 *
 *     stable storage | in progress (handed to the host) | not yet handed out
 *     ... offset - 1 | offset ... offsetInProgress - 1  | offsetInProgress ... last
 *
 * Whatever is here wins over what stable storage says about the same index. Arrays that were handed out are copies; the
 * own array is never shared.
 */
import { assert } from '../base/assert.ts'
import type { Entry, LogIndex, Snapshot, Term } from './message.ts'

export class UnstableLog {
  /** Index of the first entry held, or of the next one to come. */
  offset: LogIndex
  /** Everything below was handed to the host. Invariant: `offset <= offsetInProgress <= offset + entries.length`. */
  offsetInProgress: LogIndex
  snapshot: Snapshot | undefined
  isSnapshotInProgress = false
  private entries: Entry[] = []

  constructor(offset: LogIndex) {
    this.offset = offset
    this.offsetInProgress = offset
  }

  /** The first index of the log, when a snapshot on its way decides it. */
  firstIndex(): LogIndex | undefined {
    return this.snapshot === undefined ? undefined : this.snapshot.metadata.index + 1
  }

  lastIndex(): LogIndex | undefined {
    if (this.entries.length > 0) return this.offset + this.entries.length - 1
    return this.snapshot?.metadata.index
  }

  /** Undefined when stable storage has to be asked. */
  term(index: LogIndex): Term | undefined {
    if (index >= this.offset) return this.entries[index - this.offset]?.term
    const snapshot = this.snapshot?.metadata
    return snapshot?.index === index ? snapshot.term : undefined
  }

  /** Entries that the host has not seen. A copy. */
  nextEntries(): readonly Entry[] {
    return this.entries.slice(this.offsetInProgress - this.offset)
  }

  hasNextEntries(): boolean {
    return this.offsetInProgress < this.offset + this.entries.length
  }

  hasEntries(): boolean {
    return this.entries.length > 0
  }

  /** The snapshot, unless the host has it already. */
  nextSnapshot(): Snapshot | undefined {
    return this.isSnapshotInProgress ? undefined : this.snapshot
  }

  /** Everything held now is on its way to disk. */
  acceptInProgress(): void {
    this.offsetInProgress = this.offset + this.entries.length
    if (this.snapshot !== undefined) this.isSnapshotInProgress = true
  }

  /**
   * Entries up to `index` are durable, the last of them with `term`. Ignored when the entry is no longer the one that
   * was written: it was overwritten meanwhile.
   */
  stableTo(index: LogIndex, term: Term): void {
    if (index < this.offset || this.term(index) !== term) return
    this.entries = this.entries.slice(index + 1 - this.offset)
    this.offset = index + 1
    this.offsetInProgress = Math.max(this.offsetInProgress, this.offset)
  }

  /** The snapshot at `index` is durable; a newer one that took its place stays. */
  stableSnapshotTo(index: LogIndex): void {
    if (this.snapshot?.metadata.index !== index) return
    this.snapshot = undefined
    this.isSnapshotInProgress = false
  }

  /** Forgets everything in favour of a received snapshot. */
  restore(snapshot: Snapshot): void {
    this.offset = snapshot.metadata.index + 1
    this.offsetInProgress = this.offset
    this.entries = []
    this.snapshot = snapshot
    this.isSnapshotInProgress = false
  }

  /** Adds one entry right behind the last one. */
  push(entry: Entry): void {
    assert(entry.index === this.offset + this.entries.length, 'entries are appended without a gap')
    this.entries.push(entry)
  }

  /** Replaces everything from the first new index on. */
  truncateAndAppend(entries: readonly Entry[]): void {
    const fromIndex = entries[0]?.index
    if (fromIndex === undefined) return
    assert(fromIndex <= this.offset + this.entries.length, 'entries are appended without a gap')
    if (fromIndex <= this.offset) {
      this.entries = entries.slice()
      this.offset = fromIndex
      this.offsetInProgress = fromIndex
      return
    }
    const kept = fromIndex - this.offset
    if (kept < this.entries.length) {
      this.entries = this.entries.slice(0, kept)
      this.offsetInProgress = Math.min(this.offsetInProgress, fromIndex)
    }
    for (const entry of entries) this.entries.push(entry)
  }

  /** Entries in [low, high), all of which must be held. A copy. */
  slice(low: LogIndex, high: LogIndex): readonly Entry[] {
    assert(low >= this.offset, 'older entries are in stable storage')
    assert(high <= this.offset + this.entries.length, 'later entries do not exist')
    return this.entries.slice(low - this.offset, high - this.offset)
  }
}
