import { describe, expect, test } from 'vitest'
import { nodeId } from '../../../../src/core/base/ids.ts'
import { silentLogger, type Logger } from '../../../../src/core/base/logger.ts'
import { ApplyPace } from '../../../../src/core/node/apply-pace.ts'
import { HeartbeatPace } from '../../../../src/core/node/heartbeat-pace.ts'
import type { Message } from '../../../../src/core/raft/message.ts'
import { ServingState } from '../../../../src/core/rpc/serving-state.ts'
import { ManualClock } from './manual-clock.ts'

function build(): { clock: ManualClock; warnings: string[]; logger: Logger } {
  const warnings: string[] = []
  const logger: Logger = { ...silentLogger, warn: (message) => warnings.push(message) }
  return { clock: new ManualClock(), warnings, logger }
}

const heartbeatTo = (id: bigint): Message =>
  ({ kind: 'heartbeat', to: nodeId(id) }) as unknown as Message

describe('HeartbeatPace', () => {
  test('counts what comes later than two intervals after the last to the same member', () => {
    const { clock, warnings, logger } = build()
    const pace = new HeartbeatPace(clock, logger, 100)
    pace.note([heartbeatTo(2n), heartbeatTo(3n)])
    clock.advance(200)
    pace.note([heartbeatTo(2n)])
    expect(pace.lateCount).toBe(0)
    clock.advance(50)
    pace.note([heartbeatTo(2n), heartbeatTo(3n)])
    expect([pace.lateCount, warnings.length]).toEqual([1, 1])
    pace.reset()
    clock.advance(1_000)
    pace.note([heartbeatTo(2n), heartbeatTo(3n)])
    expect(pace.lateCount).toBe(1)
  })
})

describe('ApplyPace', () => {
  const downgrade = { kind: 'nothing' } as Parameters<ApplyPace['noteApplied']>[0]

  test('times each request from the end of the one before, and tells of slow ones', () => {
    const { clock, warnings, logger } = build()
    const pace = new ApplyPace(clock, logger, { warningMs: 100 })
    clock.advance(5_000)
    pace.begin()
    clock.advance(100)
    pace.noteApplied(downgrade, true)
    clock.advance(101)
    pace.noteApplied(downgrade, false)
    expect([pace.slowCount, warnings]).toEqual([1, ['apply request took too long']])
    const [times] = [...pace.all()]
    expect(times?.succeeded.sumSeconds).toBeCloseTo(0.1)
    expect(times?.failed.sumSeconds).toBeCloseTo(0.101)
    pace.noteRead('range', clock.monotonicMs() - 150)
    expect(pace.slowCount).toBe(2)
  })
})

describe('ServingState', () => {
  test.each([
    [true, [false, true]],
    [false, []],
  ])('while defragmenting, if it follows that (%s)', async (follows, told) => {
    const state = new ServingState(follows)
    const seen: boolean[] = []
    const stop = state.onChange(() => seen.push(state.isServing))
    const failing = state.whileDefragmenting(() => Promise.reject(new Error('no room')))
    await expect(failing).rejects.toThrow('no room')
    expect([state.isServing, seen]).toEqual([true, told])
    stop()
    await state.whileDefragmenting(() => Promise.resolve())
    expect(seen).toEqual(told)
  })
})
