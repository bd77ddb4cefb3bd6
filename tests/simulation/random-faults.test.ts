/** Half of the random runs. */
import { describe } from 'vitest'
import { testRandomRuns } from './harness/random-runs.ts'

describe('clusters under random faults', () => {
  testRandomRuns('first')
})
