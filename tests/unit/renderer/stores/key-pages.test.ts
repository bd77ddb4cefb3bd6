import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { WatchRequest } from '../../../../src/preload/contract/watch.ts'
import { KeyPages } from '../../../../src/renderer/stores/key-pages.ts'
import { createFakeWorld, type FakeWorld } from '../../../helpers/fake-bridge.ts'
import { connectionId } from '../../../helpers/fake-cluster.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const names = ['a', 'b', 'c'].map((name) => `/rest/${name}`)

describe('a list that nobody sees', () => {
  let world: FakeWorld
  let pages: KeyPages
  let fresh: string[]
  let opened: WatchRequest[]

  beforeEach(async () => {
    vi.useFakeTimers()
    world = createFakeWorld({
      ...{ keyCount: 0, isQuiet: true, settings: {} },
      ...{ isWithoutConnection: false, isFirstStart: false },
    })
    for (const name of names) world.store.put(bytes(name), bytes('old'))
    opened = []
    const { watch } = world.bridge
    const open: typeof watch.open = (request, listener) => {
      opened.push(request)
      return watch.open(request, listener)
    }
    vi.stubGlobal('window', { bridge: { ...world.bridge, watch: { ...watch, open } } })
    fresh = []
    pages = new KeyPages({
      connectionId,
      range: { kind: 'prefix', prefix: bytes('/rest/') },
      ...{ pageRows: 100, revision: 0, valueBytesMax: 16 },
      onChange: () => undefined,
      onFresh: (change) => {
        fresh.push(new TextDecoder().decode(change.key))
        pages.apply(change)
      },
      onError: (error) => {
        if (error !== undefined) throw new Error('a read failed', { cause: error })
      },
    })
    await Promise.all([pages.open(), vi.advanceTimersByTimeAsync(500)])
  })
  afterEach(() => {
    pages.dispose()
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  const keys = (): string[] =>
    Array.from({ length: pages.window?.length ?? 0 }, (_, at) =>
      new TextDecoder().decode(pages.window?.rowAt(at)?.key),
    )

  test('is told of nothing, and takes in what came when it is seen again', async () => {
    expect(opened).toHaveLength(1)
    pages.rest()
    world.store.put(bytes('/rest/d'), bytes('new'))
    world.store.delete([bytes('/rest/b')])
    await vi.advanceTimersByTimeAsync(500)
    expect(keys()).toEqual(names)

    pages.wake(world.store.revision)
    await vi.advanceTimersByTimeAsync(500)
    expect(keys()).toEqual(['/rest/a', '/rest/c', '/rest/d'])
    expect(fresh).toEqual([])

    world.store.put(bytes('/rest/e'), bytes('new'))
    await vi.advanceTimersByTimeAsync(500)
    expect(fresh).toEqual(['/rest/e'])
  })

  test('begins no watch while it rests, whatever is read', async () => {
    pages.rest()
    await Promise.all([pages.open(), vi.advanceTimersByTimeAsync(500)])
    pages.see(0, 2)
    await vi.advanceTimersByTimeAsync(500)
    expect(opened).toHaveLength(1)
    pages.wake(world.store.revision)
    pages.wake(world.store.revision)
    expect(opened).toHaveLength(2)
  })

  test('is read anew when too much came to be watched from then on', async () => {
    pages.rest()
    const pinned = pages.pinnedRevision
    for (let at = 0; at <= 10_000; at++) world.store.put(bytes('/rest/a'), bytes(String(at)))
    pages.wake(world.store.revision)
    await vi.advanceTimersByTimeAsync(500)
    expect(pages.pinnedRevision).toBeGreaterThan(pinned)
    expect(opened.at(-1)?.startRevision).toBe(pages.pinnedRevision + 1)
  })
})
