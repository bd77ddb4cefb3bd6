import { describe, expect, test } from 'vitest'
import { WriteLock, type WriteLockSubject } from '../../../../src/main/connections/write-lock.ts'
import { ManualClock } from '../../../helpers/manual-clock.ts'

const minuteMs = 60_000

function world(subject: Partial<WriteLockSubject> = {}) {
  const clock = new ManualClock()
  const told: boolean[] = []
  const lock = new WriteLock(
    clock,
    { name: 'shop', environment: 'production', isReadOnly: false, ...subject },
    () => {
      told.push(lock.isReadOnly())
    },
  )
  return { clock, lock, told }
}

describe('WriteLock', () => {
  test('production begins locked, also when it was saved as writable', () => {
    const { lock } = world({ isReadOnly: false })
    expect(lock.isReadOnly()).toBe(true)
    expect(() => {
      lock.assertWritable()
    }).toThrow('The connection "shop" is read-only')
    expect(world({ environment: 'staging' }).lock.isReadOnly()).toBe(false)
  })

  test('another name than its own opens nothing', () => {
    const { lock, told } = world()
    for (const name of ['', 'Shop', 'shop ', 'shopp']) {
      expect(() => {
        lock.unlock(name, 15)
      }).toThrow('The connection is named "shop"')
    }
    expect(lock.isReadOnly()).toBe(true)
    expect(told).toEqual([])
  })

  test('it is open for its minutes, then locks by itself and says so', () => {
    const { clock, lock, told } = world()
    lock.unlock('shop', 15)
    expect(lock.writableUntilMs()).toBe(clock.wallMs() + 15 * minuteMs)
    clock.advance(15 * minuteMs - 1)
    lock.assertWritable()
    clock.advance(1)
    expect(lock.isReadOnly()).toBe(true)
    expect(lock.writableUntilMs()).toBeUndefined()
    expect(told).toEqual([false, true])
    expect(clock.waitingCount).toBe(0)
  })

  test('production has no writing without an end; other connections have', () => {
    expect(() => {
      world().lock.unlock('shop', undefined)
    }).toThrow('for a limited time')
    const { clock, lock } = world({ environment: 'staging', isReadOnly: true })
    lock.unlock('shop', undefined)
    clock.advance(1_000 * minuteMs)
    lock.assertWritable()
    expect(lock.writableUntilMs()).toBeUndefined()
  })

  test('a click locks at once, and a later end belongs to the later opening', () => {
    const { clock, lock, told } = world()
    lock.unlock('shop', 5)
    lock.lock()
    expect(lock.isReadOnly()).toBe(true)
    lock.unlock('shop', 60)
    clock.advance(5 * minuteMs)
    expect(lock.isReadOnly()).toBe(false)
    expect(told).toEqual([false, true, false])
    lock.dispose()
    expect(clock.waitingCount).toBe(0)
  })

  test('the end counts also where the timer stood still, as in sleep', () => {
    const { clock, lock, told } = world()
    let sleptMs = 0
    const wallMs = clock.wallMs.bind(clock)
    clock.wallMs = () => wallMs() + sleptMs
    lock.unlock('shop', 15)
    sleptMs = 15 * minuteMs
    expect(lock.isReadOnly()).toBe(true)
    expect(() => {
      lock.assertWritable()
    }).toThrow('read-only')
    expect(told).toEqual([false, true])
    expect(clock.waitingCount).toBe(0)
  })
})
