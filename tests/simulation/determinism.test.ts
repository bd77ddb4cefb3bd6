import { expect, test } from 'vitest'
import { drawPlan } from './harness/fault-plan.ts'
import { simulate } from './harness/simulate.ts'

test('the same seed gives the same run, event by event', async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const first = await simulate(drawPlan(seed))
    const second = await simulate(drawPlan(seed))
    expect({ seed, hash: second.traceHash, count: second.eventCount }).toEqual({
      seed,
      hash: first.traceHash,
      count: first.eventCount,
    })
  }
})

test('another seed gives another run', async () => {
  const first = await simulate(drawPlan(1))
  const second = await simulate(drawPlan(2))
  expect(second.traceHash).not.toBe(first.traceHash)
})
