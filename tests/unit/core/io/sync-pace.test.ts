import { describe, expect, test } from 'vitest'
import { SyncPace } from '../../../../src/core/io/sync-pace.ts'

/** A thread whose time passes as told. */
function thread() {
  let nowMs = 0
  let idleMs = 0
  const pace = new SyncPace({ monotonicMs: () => nowMs, idleMs: () => idleMs })
  return {
    pace,
    wait: (durationMs: number) => {
      nowMs += durationMs
      idleMs += durationMs
    },
    work: (durationMs: number) => {
      nowMs += durationMs
    },
    sync: (tookMs: number) => {
      const hasBlocked = pace.mayBlock()
      nowMs += tookMs
      if (!hasBlocked) idleMs += tookMs
      pace.note({ tookMs, hasBlocked })
      return hasBlocked
    },
  }
}

describe('a sync', () => {
  test('holds up a thread that mostly waits, however much of that is for syncs', () => {
    const { sync, wait, work } = thread()
    wait(20)
    for (let count = 0; count < 1_000; count++) {
      expect(sync(0.2)).toBe(true)
      work(0.1)
    }
  })

  test('is left to another thread while this one is busy, and until it is not', () => {
    const { sync, wait, work } = thread()
    wait(20)
    expect(sync(0.2)).toBe(true)
    work(30)
    expect(sync(0.2)).toBe(false)
    work(10)
    wait(15)
    expect(sync(0.2)).toBe(true)
  })

  test('is left to another thread when syncs are not brief', () => {
    const { sync, wait } = thread()
    const blocked: boolean[] = []
    for (let count = 0; count < 20; count++) {
      wait(20)
      blocked.push(sync(3))
    }
    expect(blocked.slice(0, 3)).toEqual([true, true, true])
    expect(blocked.slice(8).includes(true)).toBe(false)
  })

  test('goes on holding up the thread after one that had to wait for other writes', () => {
    const { sync, wait } = thread()
    wait(20)
    for (let round = 0; round < 50; round++) {
      expect(sync(15)).toBe(true)
      for (let count = 0; count < 20; count++) {
        wait(1)
        expect(sync(0.2)).toBe(true)
      }
    }
  })

  test('holds up the thread at most once in a while when the disk stalls', () => {
    const { sync, wait } = thread()
    wait(20)
    expect(sync(500)).toBe(true)
    for (let count = 0; count < 10; count++) {
      wait(20)
      expect(sync(0.2)).toBe(false)
    }
    wait(100)
    expect(sync(0.2)).toBe(true)
  })
})
