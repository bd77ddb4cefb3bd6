import { describe, expect, test } from 'vitest'
import { noLease } from '../../../../src/core/base/ids.ts'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import type { KeyRange } from '../../../../src/core/mvcc/key-range.ts'
import type { EventBatch } from '../../../../src/core/watch/event-batch.ts'
import { WatchHub } from '../../../../src/core/watch/watch-hub.ts'
import type { WatchRequest, WatchSink, Watcher } from '../../../../src/core/watch/watcher.ts'
import type { Operation } from '../mvcc/store-model.ts'
import { bytes, StoreUnderTest, textOf } from '../mvcc/store-model.ts'
import { TurnClock } from './turn-clock.ts'

const everything: KeyRange = { start: Uint8Array.of(0), end: 'unbounded' }
const only = (key: string): KeyRange => ({ start: bytes(key), end: undefined })
const put = (key: string, value = 'x'): Operation => ({
  kind: 'put',
  key: bytes(key),
  value: bytes(value),
})
const remove = (key: string): Operation => ({ kind: 'delete', range: only(key) })

/** Writes down what it is given; refuses while it is full. */
class RecordingSink implements WatchSink {
  readonly lines: string[] = []
  readonly batches: EventBatch[] = []
  isFull = false
  onOffer: (() => void) | undefined
  offer(batch: EventBatch): boolean {
    if (this.isFull) return false
    this.batches.push(batch)
    const events = batch.changes.map(
      ({ kind, keyValue }) => `${keyValue.modRevision} ${kind} ${textOf(keyValue.key)}`,
    )
    this.lines.push(`${events.join(', ')} | ${batch.revision}`)
    this.onOffer?.()
    return true
  }
  compacted(revision: number): boolean {
    if (this.isFull) return false
    this.lines.push(`compacted at ${revision}`)
    return true
  }
}

interface Bench {
  readonly subject: StoreUnderTest
  readonly hub: WatchHub
  readonly clock: TurnClock
  write(...operations: Operation[]): void
  watch(request?: Partial<WatchRequest>): { sink: RecordingSink; watcher: Watcher }
}

async function makeBench(): Promise<Bench> {
  const subject = await StoreUnderTest.make()
  const clock = new TurnClock()
  const hub = new WatchHub(subject.store, { clock, logger: silentLogger })
  return {
    subject,
    hub,
    clock,
    write: (...operations) => {
      const changes = subject.write(operations)
      if (changes !== undefined) hub.notify([changes])
    },
    watch: (request = {}) => {
      const sink = new RecordingSink()
      const whole = {
        range: everything,
        startRevision: 0,
        filters: { noPut: false, noDelete: false },
        ...request,
      }
      return { sink, watcher: hub.watch(whole, sink) }
    },
  }
}

describe('WatchHub', () => {
  test('a watch from now gets what is written next, in the turn that published it', async () => {
    const bench = await makeBench()
    bench.write(put('a'))
    const { sink, watcher } = bench.watch()
    expect(watcher.isSynced).toBe(true)
    expect(watcher.minRevision).toBe(3)
    bench.write(put('a'), put('b'))
    bench.write(remove('a'))
    expect(sink.lines).toEqual(['3 put a, 3 put b | 3', '4 delete a | 4'])
    expect(watcher.minRevision).toBe(5)
  })

  test('a watch of one key and a watch of a range get only what is theirs', async () => {
    const bench = await makeBench()
    const single = bench.watch({ range: only('b') })
    const range = bench.watch({ range: { start: bytes('a'), end: bytes('b') } })
    const behind = bench.watch({ range: { start: bytes('b'), end: 'unbounded' } })
    bench.write(put('a'), put('aa'), put('b'), put('c'))
    expect(single.sink.lines).toEqual(['2 put b | 2'])
    expect(range.sink.lines).toEqual(['2 put a, 2 put aa | 2'])
    expect(behind.sink.lines).toEqual(['2 put b, 2 put c | 2'])
  })

  test('a watch from the past reads history first and then goes on without a gap or a repetition', async () => {
    const bench = await makeBench()
    for (const key of ['a', 'b', 'c']) bench.write(put(key))
    const { sink, watcher } = bench.watch({ startRevision: 3 })
    expect(watcher.isSynced).toBe(false)
    bench.write(put('d'))
    expect(sink.lines).toEqual([])
    bench.clock.settle()
    expect(watcher.isSynced).toBe(true)
    bench.write(put('e'))
    expect(sink.lines).toEqual(['3 put b, 4 put c, 5 put d | 5', '6 put e | 6'])
  })

  test('nothing is offered before the next turn, so that the watch is announced first', async () => {
    const bench = await makeBench()
    bench.write(put('a'))
    const { sink } = bench.watch({ startRevision: 1 })
    expect(sink.lines).toEqual([])
    bench.clock.settle()
    expect(sink.lines).toEqual(['2 put a | 2'])
  })

  test('a start in the future waits, is given nothing older, and blocks progress until then (etcd #20221)', async () => {
    const bench = await makeBench()
    const { sink, watcher } = bench.watch({ startRevision: 5 })
    expect(watcher.isSynced).toBe(true)
    expect(bench.hub.progressOf([watcher])).toBeUndefined()
    for (const key of ['a', 'b', 'c']) bench.write(put(key))
    expect(sink.lines).toEqual([])
    expect(bench.hub.progressOf([watcher])).toBeUndefined()
    bench.write(put('d'))
    expect(sink.lines).toEqual(['5 put d | 5'])
    expect(bench.hub.progressOf([watcher])).toBe(5)
  })

  test('filters leave out puts or deletes, and a batch filtered to nothing counts as delivered', async () => {
    const bench = await makeBench()
    const deletes = bench.watch({ filters: { noPut: true, noDelete: false } })
    const puts = bench.watch({ filters: { noPut: false, noDelete: true } })
    bench.write(put('a'))
    bench.write(remove('a'))
    expect(deletes.sink.lines).toEqual(['3 delete a | 3'])
    expect(puts.sink.lines).toEqual(['2 put a | 2'])
    expect(puts.watcher.minRevision).toBe(4)
    const late = bench.watch({ startRevision: 1, filters: { noPut: true, noDelete: false } })
    bench.clock.settle()
    expect(late.sink.lines).toEqual(['3 delete a | 3'])
  })

  test('a watch that starts exactly at the compacted revision sees the delete made there (etcd #18089, #19179)', async () => {
    const bench = await makeBench()
    bench.write(put('a'))
    bench.write(remove('a'))
    bench.write(put('b'))
    bench.subject.compact(3)
    const { sink } = bench.watch({ startRevision: 3 })
    bench.clock.settle()
    expect(sink.lines).toEqual(['3 delete a, 4 put b | 4'])
  })

  test('a watch below the compacted revision ends with one notice', async () => {
    const bench = await makeBench()
    for (const key of ['a', 'b', 'c']) bench.write(put(key))
    bench.subject.compact(4)
    const { sink, watcher } = bench.watch({ startRevision: 3 })
    bench.clock.settle()
    bench.write(put('d'))
    bench.clock.advance(10_000)
    expect(sink.lines).toEqual(['compacted at 4'])
    expect([watcher.isCompacted, watcher.isSynced]).toEqual([true, false])
    expect(bench.hub.progressOf([watcher])).toBeUndefined()
  })

  test('six hundred watchers below the compacted revision get one notice each (etcd #22294)', async () => {
    const bench = await makeBench()
    for (const key of ['a', 'b', 'c']) bench.write(put(key))
    bench.subject.compact(4)
    const watches = Array.from({ length: 600 }, () => bench.watch({ startRevision: 2 }))
    bench.clock.advance(10_000)
    expect(watches.map(({ sink }) => sink.lines)).toEqual(watches.map(() => ['compacted at 4']))
  })

  test('without room for the compaction notice a watcher keeps its place in history (etcd #17529, #17555)', async () => {
    const bench = await makeBench()
    for (const key of ['a', 'b', 'c']) bench.write(put(key))
    bench.subject.compact(4)
    const { sink, watcher } = bench.watch({ startRevision: 2 })
    sink.isFull = true
    bench.clock.settle()
    expect([watcher.minRevision, watcher.isCompacted]).toEqual([2, false])
    sink.isFull = false
    watcher.resume()
    bench.clock.settle()
    expect(sink.lines).toEqual(['compacted at 4'])
  })

  test('a sink without room loses nothing: the watcher goes on from the first revision that was refused', async () => {
    const bench = await makeBench()
    const { sink, watcher } = bench.watch()
    bench.write(put('a'))
    sink.isFull = true
    bench.write(put('b'))
    bench.write(put('c'))
    bench.clock.settle()
    expect([watcher.isSynced, watcher.minRevision]).toEqual([false, 3])
    expect(bench.hub.progressOf([watcher])).toBeUndefined()
    sink.isFull = false
    watcher.resume()
    bench.write(put('d'))
    bench.clock.settle()
    bench.write(put('e'))
    expect(sink.lines).toEqual(['2 put a | 2', '3 put b, 4 put c, 5 put d | 5', '6 put e | 6'])
    expect(bench.hub.progressOf([watcher])).toBe(6)
  })

  test('a blocked watcher whose resumption got lost is tried again by the clock', async () => {
    const bench = await makeBench()
    const { sink } = bench.watch()
    sink.isFull = true
    bench.write(put('a'))
    sink.isFull = false
    bench.clock.advance(1_000)
    expect(sink.lines).toEqual(['2 put a | 2'])
  })

  test('one slow watcher does not delay another', async () => {
    const bench = await makeBench()
    const slow = bench.watch()
    const fast = bench.watch()
    slow.sink.isFull = true
    for (const key of ['a', 'b']) bench.write(put(key))
    expect(fast.sink.lines).toEqual(['2 put a | 2', '3 put b | 3'])
  })

  test('progress is told only when every watcher asked about is up to date', async () => {
    const bench = await makeBench()
    bench.write(put('a'))
    const first = bench.watch()
    const second = bench.watch({ startRevision: 1 })
    expect(bench.hub.progressOf([first.watcher])).toBe(2)
    expect(bench.hub.progressOf([first.watcher, second.watcher])).toBeUndefined()
    bench.clock.settle()
    expect(bench.hub.progressOf([first.watcher, second.watcher])).toBe(2)
    expect(bench.hub.progressOf([])).toBeUndefined()
  })

  test('a watcher that matched nothing is not told the same revisions again after a snapshot (etcd #15271)', async () => {
    const bench = await makeBench()
    const { sink, watcher } = bench.watch({ range: only('z') })
    for (const key of ['a', 'z', 'b']) bench.write(put(key))
    expect(watcher.minRevision).toBe(5)
    bench.hub.reset(bench.subject.store)
    expect([watcher.isSynced, watcher.minRevision]).toEqual([false, 5])
    bench.clock.settle()
    expect(sink.lines).toEqual(['3 put z | 3'])
    expect(watcher.isSynced).toBe(true)
  })

  test('after a snapshot the skipped events are read from its history (etcd #8411, #9281)', async () => {
    const bench = await makeBench()
    const { sink, watcher } = bench.watch()
    bench.write(put('a'))
    const ahead = await StoreUnderTest.make()
    for (const key of ['a', 'b', 'c', 'd']) ahead.put(key, 'x')
    bench.hub.reset(ahead.store)
    bench.clock.settle()
    expect(sink.lines).toEqual(['2 put a | 2', '3 put b, 4 put c, 5 put d | 5'])
    const changes = ahead.write([put('e')])
    bench.hub.notify(changes ? [changes] : [])
    expect(sink.lines.at(-1)).toBe('6 put e | 6')
    expect(watcher.minRevision).toBe(7)
  })

  test('after a snapshot that has compacted what was skipped, the watcher is told so', async () => {
    const bench = await makeBench()
    const { sink } = bench.watch()
    bench.write(put('a'))
    const ahead = await StoreUnderTest.make()
    for (const key of ['a', 'b', 'c', 'd']) ahead.put(key, 'x')
    ahead.compact(5)
    bench.hub.reset(ahead.store)
    bench.clock.settle()
    expect(sink.lines).toEqual(['2 put a | 2', 'compacted at 5'])
  })

  test('the events of one revision come in one batch, however many there are, and slices cut between revisions', async () => {
    const bench = await makeBench()
    const many = Array.from({ length: 1_500 }, (_, number) => put(`key${number}`))
    bench.write(...many)
    for (let number = 0; number < 2_500; number++) bench.write(put('a'))
    const { sink, watcher } = bench.watch({ startRevision: 1 })
    bench.clock.runTurn()
    expect([sink.batches.length, watcher.isSynced, watcher.minRevision]).toEqual([1, false, 1_002])
    bench.clock.settle()
    expect(sink.batches.map(({ changes, revision }) => [changes.length, revision])).toEqual([
      [1_500 + 999, 1_001],
      [1_000, 2_001],
      [501, 2_502],
    ])
    expect(watcher.isSynced).toBe(true)
  })

  test('large values are read in slices of bounded size', async () => {
    const bench = await makeBench()
    const large = 'v'.repeat(400_000)
    for (let number = 0; number < 10; number++) bench.write(put('a', large))
    const { sink } = bench.watch({ startRevision: 1 })
    bench.clock.settle()
    expect(sink.batches.map(({ changes }) => changes.length)).toEqual([3, 3, 3, 1])
  })

  test('a watcher far behind does not hold up one that is nearly there', async () => {
    const bench = await makeBench()
    for (let number = 0; number < 5_000; number++) bench.write(put('a'))
    const far = bench.watch({ startRevision: 1 })
    const near = bench.watch({ startRevision: 5_000 })
    bench.clock.runTurn()
    bench.clock.runTurn()
    expect([far.watcher.isSynced, near.watcher.isSynced]).toEqual([false, true])
    bench.clock.settle()
    expect(far.sink.batches.flatMap(({ changes }) => changes).length).toBe(5_000)
  })

  test('many watchers that start at one place share one reading and its change objects', async () => {
    const bench = await makeBench()
    for (let number = 0; number < 10; number++) bench.write(put('a'))
    const one = bench.watch({ startRevision: 1 })
    const other = bench.watch({ startRevision: 5 })
    bench.clock.runTurn()
    expect(one.sink.batches[0]?.changes[5]).toBe(other.sink.batches[0]?.changes[2])
    expect(other.watcher.isSynced).toBe(true)
  })

  test('who has seen a part of what others get is given the rest of the same list', async () => {
    const bench = await makeBench()
    for (let number = 0; number < 10; number++) bench.write(put('a'))
    const one = bench.watch({ startRevision: 1 })
    const other = bench.watch({ startRevision: 5 })
    bench.clock.settle()
    const [whole, rest] = [one.sink.batches[0]!, other.sink.batches[0]!]
    expect(rest.source).toBe(whole.source)
    expect(rest.changes).toEqual(whole.changes.slice(3))
  })

  test('a live change is one batch for all who watch it, those of one owner side by side', async () => {
    const bench = await makeBench()
    const owners = [{}, {}, {}]
    const served: number[] = []
    const batches = new Set<EventBatch>()
    const watchers = Array.from({ length: 12 }, (_, number) =>
      bench.hub.watch(
        { range: everything, startRevision: 0, filters: { noPut: false, noDelete: false } },
        {
          owner: owners[number % 3]!,
          offer: (batch) => {
            served.push(number % 3)
            batches.add(batch)
            return true
          },
          compacted: () => true,
        },
      ),
    )
    bench.write(put('a'))
    expect(served).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    expect(batches.size).toBe(1)
    for (const number of [0, 5, 10]) watchers[number]!.cancel()
    served.length = 0
    bench.write(put('b'))
    expect(served.length).toBe(9)
    expect(served.filter((owner, position) => owner !== served[position + 1]).length).toBe(3)
  })

  test('a slice ends when its time is over, and the others are served in the next ones, in their order', async () => {
    const bench = await makeBench()
    for (let number = 0; number < 5; number++) bench.write(put('a'))
    let nowMs = 0
    bench.clock.monotonicMs = () => nowMs
    const watches = Array.from({ length: 20 }, () => bench.watch({ startRevision: 1 }))
    for (const { sink } of watches) {
      sink.onOffer = () => {
        nowMs += 1
      }
    }
    bench.clock.runTurn()
    const served = watches.map(({ watcher }) => watcher.isSynced)
    expect(served.filter(Boolean).length).toBeLessThan(7)
    expect(served).toEqual([...served].sort((left, right) => Number(right) - Number(left)))
    bench.clock.settle()
    for (const { sink, watcher } of watches) {
      expect([sink.batches.length, watcher.isSynced]).toEqual([1, true])
    }
  })

  test('the more watchers lag, the less is read for each at once', async () => {
    const bench = await makeBench()
    for (let number = 0; number < 200; number++) bench.write(put('a', 'x'.repeat(10_000)))
    const first = bench.watch({ startRevision: 1 })
    bench.clock.runTurn()
    const alone = first.sink.batches[0]!.changes.length
    first.watcher.cancel()
    const crowd = Array.from({ length: 2_000 }, () => bench.watch({ startRevision: 1 }))
    bench.clock.runTurn()
    expect(crowd[0]!.sink.batches[0]!.changes.length).toBeLessThan(alone / 5)
    bench.clock.settle()
    for (const { sink } of crowd) {
      expect(sink.batches.reduce((count, { changes }) => count + changes.length, 0)).toBe(200)
    }
  })

  test('after cancel nothing is offered, also when it is called from inside an offer', async () => {
    const bench = await makeBench()
    const first = bench.watch()
    const second = bench.watch()
    first.sink.onOffer = () => {
      second.watcher.cancel()
    }
    second.sink.onOffer = () => {
      first.watcher.cancel()
    }
    bench.write(put('a'))
    bench.write(put('b'))
    expect(first.sink.lines.length + second.sink.lines.length).toBe(2)
    first.watcher.cancel()
    second.watcher.cancel()
    expect(bench.hub.watcherCount).toBe(0)
    const late = bench.watch({ startRevision: 1 })
    late.watcher.cancel()
    late.watcher.resume()
    bench.clock.settle()
    expect(late.sink.lines).toEqual([])
    expect(bench.hub.watcherCount).toBe(0)
  })

  test('a sink that cancels its watcher while refusing leaves nothing behind', async () => {
    const bench = await makeBench()
    const holder: { watcher?: Watcher } = {}
    const request = {
      range: everything,
      startRevision: 0,
      filters: { noPut: false, noDelete: false },
    }
    holder.watcher = bench.hub.watch(request, {
      offer: () => {
        holder.watcher?.cancel()
        return false
      },
      compacted: () => true,
    })
    bench.write(put('a'))
    expect(bench.hub.watcherCount).toBe(0)
  })

  test('the previous pair is that of the revision before, absent for creations and where it was compacted', async () => {
    const bench = await makeBench()
    const { sink } = bench.watch()
    bench.write(put('a', '1'))
    bench.write(put('a', '2'))
    bench.write(remove('a'))
    bench.write(put('a', '3'))
    const previous = (): (string | undefined)[] =>
      sink.batches.map(({ changes }) => {
        const pair = bench.hub.previousKeyValue(changes[0]!)
        return pair && textOf(pair.value)
      })
    expect(previous()).toEqual([undefined, '1', '2', undefined])
    bench.subject.compact(3)
    expect(previous()).toEqual([undefined, undefined, '2', undefined])
    bench.subject.compact(4)
    expect(previous()).toEqual([undefined, undefined, undefined, undefined])
  })

  test('a revision told twice or out of order is a bug', async () => {
    const bench = await makeBench()
    const changes = bench.subject.write([put('a')])!
    bench.hub.notify([changes])
    expect(() => {
      bench.hub.notify([changes])
    }).toThrow('once and in order')
  })

  test('the hub ends its watchers and its timers', async () => {
    const bench = await makeBench()
    const { sink } = bench.watch()
    const behind = bench.watch({ startRevision: 1 })
    sink.isFull = true
    bench.write(put('a'))
    bench.hub.dispose()
    sink.isFull = false
    bench.clock.advance(10_000)
    expect([sink.lines, behind.sink.lines, bench.hub.watcherCount]).toEqual([[], [], 0])
  })

  test('the revision of a batch covers every event in it', async () => {
    const bench = await makeBench()
    for (let number = 0; number < 1_200; number++) bench.write(put(number % 3 === 0 ? 'a' : 'b'))
    const { sink } = bench.watch({ range: only('a'), startRevision: 1 })
    bench.clock.settle()
    bench.subject.turn((view) => view.put(bytes('q'), bytes('x'), noLease))
    for (const { changes, revision } of sink.batches) {
      expect(Math.max(...changes.map(({ keyValue }) => keyValue.modRevision))).toBeLessThanOrEqual(
        revision,
      )
    }
    expect(sink.batches.flatMap(({ changes }) => changes).length).toBe(400)
  })
})
