import { describe, expect, test } from 'vitest'
import { leaseId, type LeaseId } from '../../../../src/core/base/ids.ts'
import type { Lease } from '../../../../src/core/lease/lease.ts'
import { LeaseClock } from '../../../../src/core/lease/lease-clock.ts'

const id = (number: number): LeaseId => leaseId(BigInt(number))
const lease = (number: number, ttlSeconds: number, remainingTtlSeconds = 0): Lease => ({
  id: id(number),
  ttlSeconds,
  remainingTtlSeconds,
})
const take = { countMax: 500, retryMs: 7_000 }

function leading(leases: readonly Lease[] = []): LeaseClock {
  const clock = new LeaseClock()
  clock.promote(leases, 0, 1_000)
  return clock
}

describe('expiry', () => {
  test('nothing expires where nobody leads', () => {
    const clock = new LeaseClock()
    clock.noteGranted(lease(1, 5), 0)
    expect(clock.takeExpired(1e9, take)).toEqual([])
    expect(clock.remainingMs(id(1), 0)).toBeUndefined()
    expect(clock.hasExpired(id(1), 1e9)).toBe(false)
  })

  test('a granted lease expires with its time, not a moment before', () => {
    const clock = leading()
    clock.noteGranted(lease(1, 5), 0.4)
    expect(clock.takeExpired(5_000, take)).toEqual([])
    expect(clock.takeExpired(5_001, take)).toEqual([1n])
  })

  test('a renewal gives the whole time again', () => {
    const clock = leading()
    clock.noteGranted(lease(1, 5, 1), 0)
    clock.renew(lease(1, 5, 1), 900)
    expect(clock.remainingMs(id(1), 900)).toBe(5_000)
    expect(clock.takeExpired(5_899, take)).toEqual([])
    expect(clock.takeExpired(5_900, take)).toEqual([1n])
  })

  test('an expired lease comes again until it was revoked', () => {
    const clock = leading()
    clock.noteGranted(lease(1, 5), 0)
    expect(clock.takeExpired(5_000, take)).toEqual([1n])
    expect(clock.takeExpired(11_999, take)).toEqual([])
    expect(clock.hasExpired(id(1), 6_000)).toBe(true)
    expect(clock.takeExpired(12_000, take)).toEqual([1n])
    clock.noteRevoked(id(1))
    expect(clock.takeExpired(1e9, take)).toEqual([])
  })

  test('the longest overdue come first, and no more than asked for', () => {
    const clock = leading()
    for (const [number, ttlSeconds] of [
      [1, 9],
      [2, 3],
      [3, 6],
    ] as const) {
      clock.noteGranted(lease(number, ttlSeconds), 0)
    }
    expect(clock.takeExpired(60_000, { ...take, countMax: 2 })).toEqual([2n, 3n])
    expect(clock.takeExpired(60_000, { ...take, countMax: 2 })).toEqual([1n])
    expect(clock.byExpiry()).toEqual([2n, 3n, 1n])
  })
})

describe('leadership', () => {
  test('a new leader gives every lease its time and an election more', () => {
    const clock = leading([lease(1, 5), lease(2, 600, 20)])
    expect(clock.remainingMs(id(1), 0)).toBe(6_000)
    expect(clock.remainingMs(id(2), 0)).toBe(21_000)
  })

  test('a leader that lost its office knows no expiry any more', () => {
    const clock = leading([lease(1, 5)])
    clock.demote()
    expect(clock.takeExpired(1e9, take)).toEqual([])
    expect(clock.isPrimary).toBe(false)
    expect(clock.remainingMs(id(1), 0)).toBeUndefined()
  })

  test('leases that would end together are spread over the seconds that follow', () => {
    const clock = leading(Array.from({ length: 3_000 }, (_, number) => lease(number + 1, 10)))
    const endsBefore = (timeMs: number): number => {
      let count = 0
      for (let number = 1; number <= 3_000; number++) {
        if (clock.hasExpired(id(number), timeMs)) count++
      }
      return count
    }
    expect(endsBefore(10_999)).toBe(0)
    expect(endsBefore(11_000)).toBe(750)
    expect(endsBefore(12_000)).toBe(1_500)
    expect(endsBefore(14_000)).toBe(3_000)
  })

  test('leases that end at different times are left alone', () => {
    const clock = leading(
      Array.from({ length: 2_000 }, (_, number) => lease(number + 1, number + 5)),
    )
    expect(clock.remainingMs(id(2_000), 0)).toBe(2_005_000)
  })
})
