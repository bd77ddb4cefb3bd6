/**
 * History that somebody is still reading: it is not removed, although nobody new may ask for it.
 *
 * A large answer is read while its client takes it, over many turns, and what it has begun with must be there until its end.
 */

/** Ends by being released, or when the store it belongs to is replaced. */
export interface HistoryHold {
  readonly revision: number
  /** Doing it twice does nothing. */
  release(): void
}

/** The holds on one store. */
export class HistoryHolds {
  private readonly holds = new Set<HistoryHold>()

  /** Holds everything that a read at the revision needs, which is there now. */
  add(revision: number): HistoryHold {
    const hold: HistoryHold = {
      revision,
      release: () => {
        this.holds.delete(hold)
      },
    }
    this.holds.add(hold)
    return hold
  }

  has(hold: HistoryHold): boolean {
    return this.holds.has(hold)
  }

  /** Whether a compaction at the revision would remove what is held. */
  isHeldBelow(revision: number): boolean {
    for (const hold of this.holds) if (hold.revision < revision) return true
    return false
  }
}
