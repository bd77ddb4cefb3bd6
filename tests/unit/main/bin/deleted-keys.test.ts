import { afterEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../../../src/core/base/clock.ts'
import { intervalOfPrefix } from '../../../../src/core/client/key-value.ts'
import { DeletedKeys, type BinSources } from '../../../../src/main/bin/deleted-keys.ts'
import { readRevisionChanges } from '../../../../src/main/bin/revision-changes.ts'
import type { BinItem } from '../../../../src/preload/contract/bin.ts'
import { keyAt } from '../../../../src/preload/contract/plan-columns.ts'
import { browserClock } from '../../../helpers/fake-plans.ts'
import { bytes, PlanWorld, textOf } from '../../../helpers/plan-world.ts'

const patience = { timeout: 10_000 }
/** A clock on which hours pass in moments. */
const hastyClock: Clock = {
  ...browserClock,
  setTimer: (delayMs, callback) => browserClock.setTimer(delayMs / 100, callback),
}
const open: DeletedKeys[] = []
afterEach(() => {
  for (const bin of open.splice(0)) bin.dispose()
})

function sourcesOf(world: PlanWorld, clock = browserClock) {
  return {
    clock,
    kv: world.cluster,
    quietMs: 0,
    watch: (
      options: Parameters<PlanWorld['cluster']['watch']>[1],
      listener: Parameters<PlanWorld['cluster']['watch']>[2],
    ) => world.cluster.watch(browserClock, options, listener),
  }
}

/** What a page would show: key and revision of its deletion, and what else was told. */
function binOf(
  world: PlanWorld,
  prefix: string,
  sources: BinSources = sourcesOf(world),
  keysMax?: number,
) {
  const shown = new Map<string, number>()
  const told: BinItem[] = []
  open.push(
    new DeletedKeys(
      sources,
      intervalOfPrefix(bytes(prefix)),
      {
        push: (item) => {
          told.push(item)
          if (item.kind === 'returned') for (const key of item.keys) shown.delete(textOf(key) ?? '')
          if (item.kind === 'cut') {
            for (const [key, revision] of shown)
              if (revision < item.beforeRevision) shown.delete(key)
          }
          if (item.kind !== 'deleted') return
          for (let row = 0; row < item.columns.rowCount; row++) {
            const key = textOf(keyAt(item.columns, row)) ?? ''
            shown.set(key, item.columns.deletedRevisions[row] ?? 0)
          }
        },
        onFailed: (error) => {
          throw error
        },
      },
      keysMax,
    ),
  )
  const isComplete = (): boolean => told.some((item) => item.kind === 'progress' && item.isComplete)
  return { shown, told, isComplete }
}

/** Lets so many revisions pass elsewhere. */
function writeTimes(world: PlanWorld, count: number): void {
  for (let time = 0; time < count; time++) world.put('/elsewhere', 'x')
}

describe('the bin', () => {
  test('holds what is deleted under its prefix, and not what exists again', async () => {
    const world = new PlanWorld()
    for (const key of ['/a/1', '/a/2', '/b']) world.put(key, 'x')
    const first = world.remove('/a/1')
    world.remove('/a/2', '/b')
    world.put('/a/2', 'again')
    const bin = binOf(world, '/a/')
    await expect.poll(bin.isComplete, patience).toBe(true)
    expect([...bin.shown]).toEqual([['/a/1', first]])
  })

  test('follows what is deleted and made anew while it is open', async () => {
    const world = new PlanWorld()
    world.put('/a/1', 'x')
    const bin = binOf(world, '/a/')
    await expect.poll(bin.isComplete, patience).toBe(true)
    const first = world.remove('/a/1')
    await expect.poll(() => [...bin.shown], patience).toEqual([['/a/1', first]])
    world.put('/a/1', 'y')
    await expect.poll(() => [...bin.shown], patience).toEqual([])
    const second = world.remove('/a/1')
    await expect.poll(() => [...bin.shown], patience).toEqual([['/a/1', second]])
  })

  test('begins at the compacted revision and says so', async () => {
    const world = new PlanWorld()
    for (const key of ['/a/1', '/a/2']) world.put(key, 'x')
    const gone = world.remove('/a/1')
    const kept = world.remove('/a/2')
    world.store.compactedRevision = gone
    const bin = binOf(world, '/a/')
    await expect.poll(bin.isComplete, patience).toBe(true)
    expect([...bin.shown]).toEqual([['/a/2', kept]])
    expect(bin.told).toContainEqual({ kind: 'compacted', compactedRevision: gone })
  })

  test('shows what was deleted last before it has replayed the rest, and nothing twice', async () => {
    const world = new PlanWorld()
    for (const key of ['/a/old', '/a/twice', '/a/back', '/a/middle', '/a/new']) world.put(key, 'x')
    const old = world.remove('/a/old')
    world.remove('/a/twice', '/a/back')
    world.put('/a/twice', 'x')
    writeTimes(world, 20_000)
    const middle = world.remove('/a/middle')
    writeTimes(world, 15_000)
    const newest = world.remove('/a/new')
    const again = world.remove('/a/twice')
    world.put('/a/back', 'again')
    const head = world.store.revision
    const sources = sourcesOf(world)
    const starts: number[] = []
    const bin = binOf(world, '/a/', {
      ...sources,
      watch: (options, listener) => {
        starts.push(options.startRevision)
        return sources.watch(options, listener)
      },
    })
    await expect.poll(bin.isComplete, patience).toBe(true)
    expect(starts).toEqual([head - 1_000, head + 1, head - 16_000, 1])
    expect([...bin.shown]).toEqual([
      ['/a/new', newest],
      ['/a/twice', again],
      ['/a/middle', middle],
      ['/a/old', old],
    ])
    const rows = bin.told.map((item) => (item.kind === 'deleted' ? item.columns.rowCount : 0))
    expect(rows.reduce((sum, count) => sum + count, 0)).toBe(4)
    // Those in the bin, the first deletion of the one that was deleted twice, and the one that is there again.
    const seen = bin.told.findLast((item) => item.kind === 'progress')
    expect(seen).toMatchObject({ seenCount: 6 })
  })

  test('cuts a stretch that lasts into lanes, which tell each deletion once', async () => {
    const world = new PlanWorld()
    const wanted: [string, number][] = []
    for (let at = 0; at < 80; at++) {
      world.put(`/a/${at}`, 'x')
      writeTimes(world, 500)
      wanted.push([`/a/${at}`, world.remove(`/a/${at}`)])
    }
    writeTimes(world, 20_000)
    const head = world.store.revision
    const sources = sourcesOf(world)
    const starts: number[] = []
    let passedMs = 0
    const bin = binOf(world, '/a/', {
      ...sources,
      clock: { ...browserClock, monotonicMs: () => browserClock.monotonicMs() + passedMs },
      watch: (options, listener) => {
        starts.push(options.startRevision)
        if (options.startRevision !== 1 || passedMs > 0) return sources.watch(options, listener)
        // A server that gets nowhere with it.
        passedMs = 60_000
        const nothing = (): void => undefined
        return { dispose: nothing, pause: nothing, resume: nothing, requestProgress: nothing }
      },
    })
    await expect.poll(bin.isComplete, patience).toBe(true)
    expect(starts.slice(0, 4)).toEqual([head - 1_000, head + 1, head - 16_000, 1])
    const lanes = starts.slice(4)
    expect(lanes).toHaveLength(2)
    expect(lanes[0]).toBe(1)
    expect(lanes.toSorted((one, other) => one - other)).toEqual(lanes)
    expect([...bin.shown].sort(([, one], [, other]) => one - other)).toEqual(wanted)
    expect(bin.told.findLast((item) => item.kind === 'progress')).toMatchObject({ seenCount: 80 })
  })

  test.each([1, 10, 1_000])(
    'leaves the oldest deletions out when they are too many, %i in a revision',
    async (keysInRevision) => {
      const world = new PlanWorld()
      const deleted = Array.from({ length: 500 }, (_, at) => `/a/${String(at).padStart(3, '0')}`)
      for (const key of [...deleted, '/a/last']) world.put(key, 'x')
      for (let at = 0; at < deleted.length; at += keysInRevision)
        world.remove(...deleted.slice(at, at + keysInRevision))
      const last = world.remove('/a/last')
      const bin = binOf(world, '/a/', sourcesOf(world), 160)
      await expect.poll(bin.isComplete, patience).toBe(true)
      expect(bin.shown.size).toBeGreaterThanOrEqual(160)
      expect(bin.shown.size).toBeLessThanOrEqual(171)
      expect(bin.shown.get('/a/last')).toBe(last)
      const cut = bin.told.findLast((item) => item.kind === 'cut')
      expect(cut?.droppedCount).toBe(501 - bin.shown.size)
      for (const revision of bin.shown.values())
        expect(revision).toBeGreaterThanOrEqual(cut?.beforeRevision ?? Number.POSITIVE_INFINITY)
    },
  )

  test('tells a compaction that comes later, and watches from the beginning only then', async () => {
    const world = new PlanWorld()
    for (const key of ['/a/1', '/a/2']) world.put(key, 'x')
    const gone = world.remove('/a/1')
    const sources = sourcesOf(world, hastyClock)
    const counts = { watches: 0, questions: 0 }
    const kv = Object.create(sources.kv) as BinSources['kv']
    kv.range = (interval, options) => {
      counts.questions++
      return world.cluster.range(interval, options)
    }
    const bin = binOf(world, '/a/', {
      ...sources,
      kv,
      watch: (options, listener) => {
        counts.watches++
        return sources.watch(options, listener)
      },
    })
    await expect.poll(() => counts.questions, patience).toBeGreaterThan(4)
    expect(counts.watches).toBe(2)
    world.store.compactedRevision = gone
    const told = { kind: 'compacted', compactedRevision: gone }
    await expect.poll(() => bin.told, patience).toContainEqual(told)
    expect(counts.watches).toBe(3)
  })
})

test('a revision tells everything that it changed, wherever that is', async () => {
  const world = new PlanWorld()
  for (const key of ['/a/1', '/b']) world.put(key, 'x')
  const revision = world.remove('/a/1', '/b')
  world.put('/c', 'x')
  const { changes, changeCount } = await readRevisionChanges(sourcesOf(world), revision, 1)
  expect(changeCount).toBe(2)
  expect(changes.map(({ kind, key }) => `${kind} ${textOf(key) ?? ''}`)).toEqual(['delete /a/1'])
})
