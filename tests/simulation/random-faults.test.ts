/**
 * Whole clusters under random faults.
 *
 * `RUNS` runs (200 unless set) from one fresh seed, which is printed; `SEED=n` replays one run alone; every seed that ever
 * failed runs again each time.
 */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { drawPlan } from './harness/fault-plan.ts'
import { failureReport } from './harness/failure-report.ts'
import { RunFigures } from './harness/run-figures.ts'
import { simulate } from './harness/simulate.ts'
import { knownSeeds } from './known-seeds.ts'

const replayedSeed = process.env['SEED'] === undefined ? undefined : Number(process.env['SEED'])
const runCount = replayedSeed === undefined ? Number(process.env['RUNS'] ?? 200) : 1
const firstSeed = replayedSeed ?? randomBytes(4).readUInt32LE() % 1_000_000_000

describe('clusters under random faults', () => {
  test(
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

  test.runIf(replayedSeed === undefined && knownSeeds.length > 0)(
    'every seed that ever failed passes',
    { timeout: 600_000 },
    async () => {
      for (const { seed, overrides, found } of knownSeeds) {
        const report = failureReport(await simulate(drawPlan(seed, overrides)))
        if (report !== undefined) expect.fail(`a known seed fails again (${found})\n${report}`)
      }
    },
  )
})
