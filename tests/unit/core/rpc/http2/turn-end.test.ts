import { describe, expect, test } from 'vitest'
import { TurnEnd } from '../../../../../src/core/rpc/http2/turn-end.ts'
import { systemClock } from '../../../../../src/core/io/system-clock.ts'

function build(connectionCount: number) {
  const turnEnd = new TurnEnd(systemClock)
  turnEnd.connectionCount = connectionCount
  const flushed: string[] = []
  const plan = (name: string): void => {
    turnEnd.plan({ flushPlanned: () => flushed.push(name) })
  }
  return { plan, flushed }
}

describe('TurnEnd', () => {
  test('a single connection is written at once', async () => {
    const { plan, flushed } = build(1)
    plan('a')
    expect(flushed).toEqual([])
    await new Promise<void>((resolve) => {
      process.nextTick(resolve)
    })
    expect(flushed).toEqual(['a'])
  })

  test('many are written together, once each time they were planned', async () => {
    const { plan, flushed } = build(2)
    plan('a')
    await Promise.resolve()
    plan('b')
    await new Promise<void>((resolve) => {
      process.nextTick(resolve)
    })
    expect(flushed).toEqual([])
    await new Promise((resolve) => setImmediate(resolve))
    expect(flushed).toEqual(['a', 'b'])
    plan('c')
    await new Promise((resolve) => setImmediate(resolve))
    expect(flushed).toEqual(['a', 'b', 'c'])
  })
})
