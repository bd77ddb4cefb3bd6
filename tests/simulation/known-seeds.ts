/**
 * Seeds that are worth keeping: every one that ever failed, with what it found, and for each planted bug one that finds it
 * fast. A seed means little after the code has changed; these are the first to be tried, never the only ones.
 */
import type { PlanOverrides } from './harness/fault-plan.ts'

/** A run that once failed. */
export interface KnownSeed {
  readonly seed: number
  readonly overrides: PlanOverrides
  /** What it found, in one sentence. */
  readonly found: string
}

/** Every seed that ever failed, on a bug of ours or of a judge; the list only grows. */
export const knownSeeds: readonly KnownSeed[] = [
  {
    seed: 1,
    overrides: {},
    found:
      'a tick timer that was due fired for ever, because the time since the last tick rounded to just below an interval',
  },
  {
    seed: 27,
    overrides: { kinds: ['N5'], voterCount: 3 },
    found: 'a read that joined a running round without a leader waited twice its time limit',
  },
  {
    seed: 50_041,
    overrides: {},
    found: 'a read that had joined the following round still waited for that round’s time limit',
  },
  {
    seed: 2,
    overrides: { kinds: ['D1', 'D2', 'D4', 'X1', 'X2'] },
    found:
      'the directory of a new database was not durable though the log recorded a snapshot on its word',
  },
  {
    seed: 239_031_644,
    overrides: {},
    found: 'a watch asked of a node that was just ending was taken for a bug',
  },
  {
    seed: 366_525_105,
    overrides: {},
    found:
      'ten rounds of votes were asked to be enough without pre-votes, where one member of the core could win and lost them all',
  },
]

/** For each planted bug, seeds that found it when they were last looked for. */
export const plantedBugSeeds: Readonly<Record<string, readonly number[]>> = {
  M1: [1],
  M1b: [1],
  M2: [1],
  M3: [1],
  M4: [1],
  M9: [12, 2],
  M10: [13, 51],
  M12: [2],
}
