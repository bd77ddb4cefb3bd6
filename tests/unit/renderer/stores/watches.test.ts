import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { computed, nextTick, watch } from 'vue'
import { useConnectionStore } from '../../../../src/renderer/stores/connections.ts'
import { useWatchStore } from '../../../../src/renderer/stores/watches.ts'
import type { ConnectionInfo } from '../../../../src/preload/contract/connection.ts'

const connectionOf = (id: string): ConnectionInfo => ({
  ...{ id, name: id, origin: 'saved', environment: 'none', state: 'ready' },
  ...{ isReadOnly: false, headRevision: 7, endpoints: [] },
})

beforeEach(() => {
  const settings = { loadPageState: () => Promise.resolve({ ok: true, value: null }) }
  vi.stubGlobal('window', { bridge: { settings } })
  vi.stubGlobal('document', { documentElement: { dataset: {} } })
  vi.stubGlobal('localStorage', { setItem: () => undefined })
  setActivePinia(createPinia())
})
afterEach(() => {
  vi.unstubAllGlobals()
})

test('a pane that is still asked for when its connection is gone is not made again and again', async () => {
  const connections = useConnectionStore()
  connections.connections = [connectionOf('one')]
  connections.status = 'ready'
  const watches = useWatchStore()
  const shown = computed(() => watches.paneOf('one'))
  let asked = 0
  const stop = watch(shown, () => {
    asked++
  })
  const first = shown.value
  await nextTick()
  expect(watches.panes.get('one')).toBe(first)
  connections.connections = []
  await nextTick()
  expect(watches.panes.size).toBe(0)
  expect(asked).toBeLessThan(5)
  connections.connections = [connectionOf('one')]
  await nextTick()
  expect(watches.panes.get('one')).toBe(shown.value)
  stop()
  shown.value.dispose()
})
