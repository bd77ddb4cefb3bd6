import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { computed } from 'vue'
import type { ConnectionsBridge } from '../../../../src/preload/contract/bridge.ts'
import type { RevisionTime } from '../../../../src/preload/contract/revision-time.ts'
import { useConnectionStore } from '../../../../src/renderer/stores/connections.ts'
import { observedTimeOf, useObservedTimes } from '../../../../src/renderer/stores/observed-times.ts'

test.each([
  [
    { revision: 5, afterMs: 1_000, beforeMs: 1_000 },
    { kind: 'observed', atMs: 1_000 },
  ],
  [
    { revision: 5, afterMs: 1_000, beforeMs: 2_500 },
    { kind: 'observed', atMs: 2_500 },
  ],
  [
    { revision: 5, afterMs: 1_000, beforeMs: 2_501 },
    { kind: 'between', afterMs: 1_000, beforeMs: 2_501 },
  ],
  [
    { revision: 5, beforeMs: 2_000 },
    { kind: 'before', beforeMs: 2_000 },
  ],
  [{ revision: 5, afterMs: 2_000 }, { kind: 'unknown' }],
  [undefined, { kind: 'unknown' }],
] as const)('the bounds %j read as %j', (time, wanted) => {
  expect(observedTimeOf(time)).toEqual(wanted)
})

describe('the times that were asked for', () => {
  const answers = new Map<number, RevisionTime>()
  const asked: (readonly number[])[] = []
  const times: ConnectionsBridge['times'] = ({ revisions }) => {
    asked.push(revisions)
    const value = revisions.map((revision) => answers.get(revision) ?? { revision })
    return Promise.resolve({ ok: true, value })
  }
  beforeEach(() => {
    vi.useFakeTimers()
    vi.stubGlobal('window', { bridge: { connections: { times } } })
    setActivePinia(createPinia())
    answers.clear()
    asked.length = 0
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  test('are asked for together and once, and whoever read them is told', async () => {
    answers.set(7, { revision: 7, afterMs: 100, beforeMs: 100 })
    const store = useObservedTimes()
    const shown = computed(() => [7, 8, 7].map((revision) => store.of('one', revision).kind))
    expect(shown.value).toEqual(['unknown', 'unknown', 'unknown'])
    await vi.runAllTimersAsync()
    expect(shown.value).toEqual(['observed', 'unknown', 'observed'])
    await vi.runAllTimersAsync()
    expect(asked).toEqual([[7, 8]])
  })

  test('that have no upper bound yet are asked for again when the cluster was looked at', async () => {
    const store = useObservedTimes()
    const shown = computed(() => store.of('one', 9).kind)
    expect(shown.value).toBe('unknown')
    await vi.runAllTimersAsync()
    expect(shown.value).toBe('unknown')
    answers.set(9, { revision: 9, afterMs: 100, beforeMs: 60_000 })
    useConnectionStore().connections = []
    await vi.runAllTimersAsync()
    expect(shown.value).toBe('unknown')
    await vi.runAllTimersAsync()
    expect(shown.value).toBe('between')
    expect(asked).toEqual([[9], [9]])
  })
})
