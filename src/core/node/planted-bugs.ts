/**
 * Switches that break the node on purpose, one known mistake each, so that the simulator can prove it would notice.
 *
 * All are off everywhere but in tests; no flag or variable reaches them.
 */
import type { PlantedBugs as RaftPlantedBugs } from '../raft/planted-bugs.ts'
import type { WalPlantedBugs } from '../wal/planted-bugs.ts'

export interface PlantedBugs {
  /** M1: messages and answers that vouch for the log leave before it is synced. */
  readonly acknowledgesBeforeSync: boolean
  /** M4: the applied index goes into a batch of its own, after the data. */
  readonly storesAppliedIndexApart: boolean
  /** Mistakes of the consensus itself. */
  readonly raft?: RaftPlantedBugs
  /** Mistakes of the write-ahead log. */
  readonly wal?: WalPlantedBugs
}

/** Nothing is broken. */
export const noPlantedBugs: PlantedBugs = {
  acknowledgesBeforeSync: false,
  storesAppliedIndexApart: false,
}
