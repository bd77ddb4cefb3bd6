import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytes, PlanWorld } from '../../../helpers/plan-world.ts'

const keys = Array.from({ length: 12 }, (_, number) => `/a/${String(number)}`)
const keyOf = fc.constantFrom(...keys)
const change = fc.oneof(
  fc.record({
    kind: fc.constant('put' as const),
    key: keyOf,
    value: fc.constantFrom('x', 'y', 'z'),
  }),
  fc.record({ kind: fc.constant('delete' as const), key: keyOf }),
)
type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never

function apply(world: PlanWorld, changes: readonly Change[]): void {
  for (const one of changes) {
    if (one.kind === 'put') world.put(one.key, one.value)
    else world.remove(one.key)
  }
}

test('a restore reaches the wanted state on every key that nobody touched since, and its undo takes it back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 40 }),
      fc.array(change, { maxLength: 40 }),
      fc.array(change, { maxLength: 4 }),
      fc.integer({ min: 1, max: 9 }),
      async (first, second, meanwhile, operationsMax) => {
        const world = new PlanWorld()
        world.put('/a/0', 'first')
        apply(world, first)
        const revision = world.store.revision
        const wanted = world.state()
        apply(world, second)
        world.cluster.faults.operationsMax = operationsMax
        const range = { kind: 'prefix', prefix: bytes('/a/') } as const
        const plan = await world.open({ kind: 'restore', range, revision })
        const before = world.state()
        const pinned = world.store.revision
        apply(world, meanwhile)
        const touched = new Set(
          meanwhile
            .map(({ key }) => key)
            .filter((key) => (world.store.find(bytes(key))?.modRevision ?? pinned + 1) > pinned),
        )
        const theirs = world.state()
        const report = await world.run(plan.planId)
        expect(report.failedCount + report.unknownCount + report.notSentCount).toBe(0)
        const after = world.state()
        for (const key of keys) {
          const isTouched = touched.has(key) && theirs.get(key) !== before.get(key)
          if (isTouched) expect(after.get(key)).toBe(theirs.get(key))
          else if (!touched.has(key)) expect(after.get(key)).toBe(wanted.get(key))
        }
        if (report.undoableCount === 0) return
        const undo = await world.open({ kind: 'undo', planId: report.planId })
        await world.run(undo.planId)
        expect(world.state()).toEqual(theirs)
      },
    ),
    { numRuns: 60 },
  )
})

test('new names of a folder lose no value whatever is written meanwhile, never part a key, and are taken back', async () => {
  const both = fc.constantFrom(...keys, ...keys.map((key) => key.replace('/a/', '/b/')))
  const anywhere = fc.oneof(
    fc.record({ kind: fc.constant('put' as const), key: both, value: fc.constantFrom('x', 'y') }),
    fc.record({ kind: fc.constant('delete' as const), key: both }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(anywhere, { minLength: 1, maxLength: 30 }),
      fc.array(anywhere, { maxLength: 4 }),
      fc.integer({ min: 2, max: 9 }),
      async (first, meanwhile, operationsMax) => {
        const world = new PlanWorld()
        world.put('/a/0', 'first')
        apply(world, first)
        world.cluster.faults.operationsMax = operationsMax
        const source = { kind: 'rename', prefix: bytes('/a/'), to: bytes('/b/') } as const
        const plan = await world.open(source)
        const planned = world.state()
        apply(world, meanwhile)
        const before = world.state()
        const report = await world.run(plan.planId)
        expect(report.failedCount + report.unknownCount + report.notSentCount).toBe(0)
        const after = world.state()
        for (const key of keys) {
          const other = key.replace('/a/', '/b/')
          const value = before.get(key)
          if (value === undefined) {
            expect([after.get(key), after.get(other)]).toEqual([undefined, before.get(other)])
          } else if (after.get(key) === undefined) {
            expect(after.get(other)).toBe(value)
          } else {
            expect([after.get(key), after.get(other)]).toEqual([value, before.get(other)])
            // It stays only where the name was taken, or somebody wrote meanwhile.
            const isTaken = planned.has(other) || before.has(other)
            const isWritten = meanwhile.some((one) => one.key === key || one.key === other)
            expect(isTaken || isWritten).toBe(true)
          }
        }
        if (report.undoableCount === 0) return
        const undo = await world.open({ kind: 'undo', planId: report.planId })
        await world.run(undo.planId)
        expect(world.state()).toEqual(before)
      },
    ),
    { numRuns: 60 },
  )
})
