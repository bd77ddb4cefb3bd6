import { expect, test } from 'vitest'
import { SimProcess, SimScheduler } from './sim-scheduler.ts'
import { simClock } from './sim-clock.ts'

test('events run by time, and in the order of scheduling at equal times', async () => {
  const scheduler = new SimScheduler()
  const seen: string[] = []
  scheduler.schedule(20, { kind: 'event' }, () => seen.push('c'))
  scheduler.schedule(10, { kind: 'event' }, () => seen.push('a'))
  scheduler.schedule(10, { kind: 'event' }, () => seen.push('b'))
  await scheduler.runUntil(100)
  expect(seen).toEqual(['a', 'b', 'c'])
  expect(scheduler.nowUs).toBe(100)
})

test('all continuations of an event run before the next event', async () => {
  const scheduler = new SimScheduler()
  const seen: string[] = []
  scheduler.schedule(1, { kind: 'event' }, () => {
    void (async () => {
      for (let step = 0; step < 50; step++) await Promise.resolve()
      seen.push('continued')
    })()
  })
  scheduler.schedule(1, { kind: 'event' }, () => seen.push('next'))
  await scheduler.runUntil(10)
  expect(seen).toEqual(['continued', 'next'])
})

test('nothing of a dead process runs, and what a paused one missed is due at once when it goes on', async () => {
  const scheduler = new SimScheduler()
  const dead = new SimProcess('dead', 1)
  const paused = new SimProcess('paused', 2)
  const seen: number[] = []
  scheduler.schedule(5, { kind: 'event', process: dead }, () => seen.push(-1))
  simClock(scheduler, paused).setTimer(0.005, () => seen.push(scheduler.nowUs))
  const cancelled = simClock(scheduler, paused).setTimer(0.006, () => seen.push(-2))
  dead.isAlive = false
  paused.isPaused = true
  await scheduler.runUntil(50)
  expect(seen).toEqual([])
  cancelled.cancel()
  scheduler.resume(paused)
  await scheduler.runUntil(60)
  expect(seen).toEqual([50])
  expect(paused.timers.size).toBe(0)
})

test('what an event throws ends the run', async () => {
  const scheduler = new SimScheduler()
  scheduler.schedule(1, { kind: 'event' }, () => {
    throw new Error('broken')
  })
  await expect(scheduler.runUntil(10)).rejects.toThrow('broken')
})
