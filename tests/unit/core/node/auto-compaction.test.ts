import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import { StoreError } from '../../../../src/core/errors/store-error.ts'
import {
  AutoCompaction,
  type AutoCompactionOptions,
} from '../../../../src/core/node/auto-compaction.ts'
import { ManualClock } from '../../../helpers/manual-clock.ts'

const minuteMs = 60_000

function compacting(options: AutoCompactionOptions) {
  const clock = new ManualClock()
  const state = { revision: 1, isLeader: true, failure: undefined as Error | undefined }
  const compacted: number[] = []
  const compaction = new AutoCompaction(
    {
      clock,
      logger: silentLogger,
      currentRevision: () => state.revision,
      isLeader: () => state.isLeader,
      compact: (revision) => {
        compacted.push(revision)
        return state.failure === undefined ? Promise.resolve() : Promise.reject(state.failure)
      },
    },
    options,
  )
  compaction.start()
  /** Lets time pass minute by minute, while the revision follows `revisionAt`. */
  const pass = async (minutes: number, revisionsPerMinute = 100): Promise<void> => {
    for (let minute = 0; minute < minutes; minute++) {
      state.revision += revisionsPerMinute
      clock.advance(minuteMs)
      await Promise.resolve()
      await Promise.resolve()
    }
  }
  return { clock, state, compacted, compaction, pass }
}

describe('by revisions', () => {
  test('keeps the newest, every five minutes', async () => {
    const { compacted, pass } = compacting({ mode: 'revision', keptRevisionCount: 1_000 })
    await pass(9)
    expect(compacted).toEqual([])
    await pass(11)
    expect(compacted).toEqual([1, 501, 1_001])
  })

  test('does nothing where nothing was written, and nothing without the lead', async () => {
    const { compacted, pass, state } = compacting({ mode: 'revision', keptRevisionCount: 10 })
    state.isLeader = false
    await pass(10)
    expect(compacted).toEqual([])
    state.isLeader = true
    await pass(5)
    await pass(20, 0)
    expect(compacted).toEqual([1_491])
  })
})

describe('by time', () => {
  test('goes to what was current a period ago, every period', async () => {
    const { compacted, pass } = compacting({ mode: 'periodic', periodMs: 10 * minuteMs })
    await pass(9)
    expect(compacted).toEqual([])
    await pass(11)
    expect(compacted).toEqual([1, 901])
  })

  test('with a long period, looks every hour once the period has passed', async () => {
    const { compacted, pass } = compacting({ mode: 'periodic', periodMs: 120 * minuteMs })
    await pass(119)
    expect(compacted).toEqual([])
    await pass(122)
    expect(compacted).toHaveLength(3)
    expect((compacted[1] ?? 0) - (compacted[0] ?? 0)).toBe(5_400)
  })

  test('tries again after a failure, and not when somebody else was faster', async () => {
    const { compacted, pass, state } = compacting({ mode: 'periodic', periodMs: 10 * minuteMs })
    state.failure = new Error('no leader')
    await pass(12)
    expect(compacted.length).toBe(3)
    state.failure = new StoreError('compacted')
    await pass(1)
    await pass(5)
    expect(compacted.length).toBe(4)
  })
})

test('leaves nothing behind when it stops, and does nothing when it is off', () => {
  const on = compacting({ mode: 'revision', keptRevisionCount: 1 })
  on.compaction.stop()
  expect(on.clock.waitingCount).toBe(0)
  expect(compacting({ mode: 'off' }).clock.waitingCount).toBe(0)
})
