import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { WatchNews, type WatchNewsItem } from '../../../../src/renderer/stores/watch-news.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('WatchNews', () => {
  test('tells what came at once in one piece, each watch for itself', () => {
    const told: WatchNewsItem[] = []
    const news = new WatchNews((item) => told.push(item))
    news.add(1, 2)
    news.add(2, 1)
    vi.advanceTimersByTime(100)
    news.add(1, 3)
    expect(told).toEqual([])
    vi.advanceTimersByTime(300)
    expect(told).toEqual([
      { watchId: 1, changeCount: 5 },
      { watchId: 2, changeCount: 1 },
    ])
  })

  test('tells what follows no more often than every ten seconds, and nothing after its end', () => {
    const told: WatchNewsItem[] = []
    const news = new WatchNews((item) => told.push(item))
    news.add(1, 1)
    vi.advanceTimersByTime(400)
    for (let second = 0; second < 25; second++) {
      news.add(1, 1)
      vi.advanceTimersByTime(1_000)
    }
    expect(told.map(({ changeCount }) => changeCount)).toEqual([1, 10, 10])
    news.dispose()
    vi.advanceTimersByTime(20_000)
    expect(told).toHaveLength(3)
  })
})
