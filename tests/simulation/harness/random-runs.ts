/**
 * Whole clusters under random faults.
 *
 * `RUNS` runs (200 unless set) from fresh seeds, which are printed; `SEED=n` replays one run alone. Two files make half of
 * the runs each, so that two cores share them.
 */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { drawPlan } from './fault-plan.ts'
import { failureReport } from './failure-report.ts'
import { RunFigures } from './run-figures.ts'
import { simulate } from './simulate.ts'

/** The seed of the one run that is asked for, if there is such a wish. */
export const replayedSeed =
  process.env['SEED'] === undefined ? undefined : Number(process.env['SEED'])
const allRunCount = replayedSeed === undefined ? Number(process.env['RUNS'] ?? 200) : 1

/** Declares the test that makes one of the two halves of the runs; the first half has the odd one, and the replayed one. */
export function testRandomRuns(half: 'first' | 'second'): void {
  const runCount = half === 'first' ? Math.ceil(allRunCount / 2) : Math.floor(allRunCount / 2)
  const firstSeed = replayedSeed ?? randomBytes(4).readUInt32LE() % 1_000_000_000
  test.runIf(runCount > 0)(
    `${runCount} runs from seed ${firstSeed} keep every promise`,
    { timeout: 60_000 + runCount * 20_000 },
    async () => {
      const figures = new RunFigures()
      for (let number = 0; number < runCount; number++) {
        const result = await simulate(drawPlan(firstSeed + number))
        figures.add(result)
        const report = failureReport(result)
        if (report !== undefined) expect.fail(report)
      }
      process.stdout.write(`${figures.describe(firstSeed)}\n`)
    },
  )
}
