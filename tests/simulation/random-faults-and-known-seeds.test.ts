/** The other half of the random runs, and every seed that ever failed: these run again each time. */
import { describe, expect, test } from 'vitest'
import { drawPlan } from './harness/fault-plan.ts'
import { failureReport } from './harness/failure-report.ts'
import { replayedSeed, testRandomRuns } from './harness/random-runs.ts'
import { simulate } from './harness/simulate.ts'
import { knownSeeds } from './known-seeds.ts'

describe('clusters under random faults', () => {
  testRandomRuns('second')

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
