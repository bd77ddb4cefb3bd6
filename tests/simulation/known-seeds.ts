/**
 * Seeds that are worth keeping: every one that ever failed, with what it found, and for each planted bug one that finds it
 * fast. A seed means little after the code has changed; these are the first to be tried, never the only ones.
 */

/** A run that once failed. */
export interface KnownSeed {
  readonly seed: number
  /** What it found, in one sentence. */
  readonly found: string
}

/** Every seed that ever failed on a real bug; the list only grows. */
export const knownSeeds: readonly KnownSeed[] = []

/** For each planted bug, seeds that found it when they were last looked for. */
export const plantedBugSeeds: Readonly<Record<string, readonly number[]>> = {}
