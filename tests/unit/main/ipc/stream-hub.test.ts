import { describe, expect, test } from 'vitest'
import {
  StreamHub,
  type StreamPolicy,
  type StreamSink,
} from '../../../../src/main/ipc/stream-hub.ts'
import type { StreamDelivery } from '../../../../src/preload/contract/stream-frame.ts'
import { ManualClock } from '../../../helpers/manual-clock.ts'

interface OpenedStream {
  readonly clock: ManualClock
  readonly hub: StreamHub
  readonly sink: StreamSink<number>
  readonly deliveries: StreamDelivery[]
  readonly isDisposed: () => boolean
}

function open(policy: StreamPolicy<number> = {}): OpenedStream {
  const clock = new ManualClock()
  const hub = new StreamHub(clock)
  const deliveries: StreamDelivery[] = []
  let sink: StreamSink<number> | undefined
  let isDisposed = false
  hub.open<number>(
    { pageId: 7, deliver: (delivery) => deliveries.push(delivery) },
    1,
    policy,
    (opened) => {
      sink = opened
      return {
        dispose: () => {
          isDisposed = true
        },
      }
    },
  )
  return { clock, hub, sink: sink!, deliveries, isDisposed: () => isDisposed }
}

const items = (deliveries: readonly StreamDelivery[]): unknown[] =>
  deliveries.flatMap(({ message }) => (message.kind === 'batch' ? message.items : []))

describe('StreamHub', () => {
  test('items that come together cross in one message', () => {
    const { clock, sink, deliveries } = open()
    for (const item of [1, 2, 3]) sink.push(item)
    clock.advance(0)
    expect(deliveries).toEqual([{ streamId: 1, message: { kind: 'batch', items: [1, 2, 3] } }])
  })

  test('messages are at least a frame apart', () => {
    const { clock, hub, sink, deliveries } = open()
    sink.push(1)
    clock.advance(0)
    hub.acknowledge(7, 1)
    sink.push(2)
    clock.advance(15)
    expect(deliveries).toHaveLength(1)
    clock.advance(1)
    expect(items(deliveries)).toEqual([1, 2])
  })

  test('a busy stream gathers for longer where it says so, and a quiet one does not', () => {
    const { clock, hub, sink, deliveries } = open({ busyIntervalMs: 75 })
    const push = (count: number): void => {
      for (let item = 0; item < count; item++) sink.push(item)
      clock.advance(16)
      hub.acknowledge(7, 1)
    }
    // The second message shows that many come all the time.
    push(40)
    push(40)
    expect(deliveries).toHaveLength(2)
    for (let frame = 0; frame < 3; frame++) push(40)
    expect(deliveries).toHaveLength(2)
    push(40)
    expect(deliveries).toHaveLength(3)
    expect(items(deliveries)).toHaveLength(6 * 40)
    // Few have come since, which the next message finds.
    for (let frame = 0; frame < 5; frame++) push(1)
    expect(deliveries).toHaveLength(4)
    push(1)
    push(1)
    expect(deliveries).toHaveLength(6)
  })

  test('a page that does not acknowledge gets four batches and no more', () => {
    const { clock, hub, sink, deliveries } = open()
    for (let item = 0; item < 10; item++) {
      sink.push(item)
      clock.advance(20)
    }
    expect(items(deliveries)).toEqual([0, 1, 2, 3])
    hub.acknowledge(7, 1)
    clock.advance(20)
    expect(items(deliveries)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('the source is told to pause at a long queue and to go on at a short one', () => {
    const pressure: boolean[] = []
    const { clock, hub, sink } = open({ onPressure: (isHigh) => pressure.push(isHigh) })
    for (let item = 0; item < 6_000; item++) sink.push(item)
    expect(pressure).toEqual([true])
    for (let batch = 0; batch < 20; batch++) {
      clock.advance(16)
      hub.acknowledge(7, 1)
    }
    expect(pressure).toEqual([true, false])
  })

  test('what a full queue pushes out is counted and told', () => {
    const { clock, sink, deliveries } = open({ droppedItem: (count) => -count })
    for (let item = 0; item < 20_010; item++) sink.push(item)
    clock.advance(0)
    expect(items(deliveries).slice(0, 2)).toEqual([-10, 10])
  })

  test('a full queue without a way to tell ends the stream with the reason', () => {
    const { clock, sink, deliveries, isDisposed } = open()
    for (let item = 0; item <= 20_000; item++) sink.push(item)
    clock.advance(100)
    expect(deliveries.at(-1)?.message).toMatchObject({
      kind: 'ended',
      error: { code: 'streamOverflow' },
    })
    expect(isDisposed()).toBe(true)
  })

  test('the end comes after everything that was pushed before it, and nothing after it', () => {
    const { clock, sink, deliveries, isDisposed } = open()
    sink.push(1)
    sink.end()
    sink.push(2)
    clock.advance(100)
    expect(deliveries.map(({ message }) => message)).toEqual([
      { kind: 'batch', items: [1] },
      { kind: 'ended' },
    ])
    expect(isDisposed()).toBe(true)
    expect(clock.waitingCount).toBe(0)
  })

  test('only the newest item crosses where only that one matters', () => {
    const { clock, sink, deliveries } = open({ keepsNewestOnly: true })
    for (const item of [1, 2, 3]) sink.push(item)
    clock.advance(0)
    expect(items(deliveries)).toEqual([3])
  })

  test('a batch stays below its size, but one large item crosses alone', () => {
    const { clock, sink, deliveries } = open({ sizeBytesOf: () => 200_000 })
    for (const item of [1, 2, 3]) sink.push(item)
    clock.advance(100)
    expect(deliveries.map(({ message }) => message.kind === 'batch' && message.items)).toEqual([
      [1],
      [2],
      [3],
    ])
  })

  test('a page that goes takes its streams along', () => {
    const { clock, hub, sink, deliveries, isDisposed } = open()
    sink.push(1)
    hub.closePage(7)
    sink.push(2)
    clock.advance(100)
    expect({ deliveries, isDisposed: isDisposed() }).toEqual({ deliveries: [], isDisposed: true })
  })

  test('an id that is taken is refused, and one whose source throws is free again', () => {
    const { hub } = open()
    const target = { pageId: 7, deliver: () => undefined }
    const nothing = { dispose: () => undefined }
    expect(hub.open(target, 1, {}, () => nothing)).toBe(false)
    expect(() =>
      hub.open(target, 2, {}, () => {
        throw new Error('no such thing')
      }),
    ).toThrow('no such thing')
    expect(hub.open(target, 2, {}, () => nothing)).toBe(true)
  })
})
