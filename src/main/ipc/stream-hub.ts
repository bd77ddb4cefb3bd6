/**
 * Streams from the main process to pages: batched, bounded, paced by the page.
 *
 * Items gather for about a frame and cross as one message; where so many come that nobody follows them one by one, for longer, if
 * the stream says so. Every batch is acknowledged by the page once its listener has
 * taken it; with a few batches unacknowledged, items wait here. Whoever feeds a stream is told when its queue is long, so
 * that it can stop reading at the source; what comes nevertheless pushes out the oldest items, and the page is told how
 * many.
 */

import type { Clock, Timer } from '../../core/base/clock.ts'
import type { Disposable } from '../../core/base/disposable.ts'
import { assert } from '../../core/base/assert.ts'
import type { BridgeError } from '../../preload/contract/reply.ts'
import type { StreamDelivery } from '../../preload/contract/stream-frame.ts'

/** One message about a frame at 60 Hz. */
const batchIntervalMs = 16
/** Items of one frame from which on a stream is busy. */
const busyItemsMin = 32
/** Five hundred small objects cross the context bridge in about 10 ms. */
const batchItemsDefault = 500
const batchSizeBytesMax = 262_144
const batchesInFlightMax = 4
const queueHighItems = 5_000
const queueLowItems = 1_000
const queueItemsMax = 20_000
/** What is counted for an item beside its own bytes. */
const itemOverheadBytes = 64
/** A page opens a handful; hundreds are a page that has lost its mind. */
const streamsPerPageMax = 256

/** Where a stream's items are put in. */
export interface StreamSink<Item> {
  readonly push: (item: Item) => void
  /** Ends the stream after everything pushed so far was delivered. Later pushes are ignored. */
  readonly end: (error?: BridgeError) => void
}

/** How a stream behaves under load. */
export interface StreamPolicy<Item> {
  /** Bytes of an item that count towards the size of a batch. */
  sizeBytesOf?(item: Item): number
  /** Called with true when the queue is long, with false when it is short again. */
  onPressure?(isHigh: boolean): void
  /** The item that says how many were pushed out; without it the stream ends with `streamOverflow`. */
  droppedItem?(count: number): Item
  /** Most items in one message, for items that cross cheaper than objects. */
  readonly batchItemsMax?: number
  /** Time between two messages of a stream that is busy: each one costs about the same, however much it holds. */
  readonly busyIntervalMs?: number
  /** Turns the items of one message into what crosses. */
  pack?(items: readonly Item[]): readonly unknown[]
  /** Only the newest item matters: an undelivered older one is replaced. */
  readonly keepsNewestOnly?: boolean
}

/** Delivers to one page. */
export interface StreamTarget {
  /** The same for all streams of one page. */
  readonly pageId: number
  deliver(delivery: StreamDelivery): void
}

export class StreamHub {
  private readonly clock: Clock
  /** By page, then by stream. */
  private readonly pages = new Map<number, Map<number, DeliveringStream>>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  /**
   * Opens a stream. `begin` is called once and returns what ends the feeding; it may push at once.
   *
   * @returns  false when the id is taken or the page has too many streams
   */
  open<Item>(
    target: StreamTarget,
    streamId: number,
    policy: StreamPolicy<Item>,
    begin: (sink: StreamSink<Item>) => Disposable,
  ): boolean {
    const streams = this.pages.get(target.pageId) ?? new Map<number, DeliveringStream>()
    if (streams.has(streamId) || streams.size >= streamsPerPageMax) return false
    this.pages.set(target.pageId, streams)
    const parts = { clock: this.clock, target, onDisposed: () => streams.delete(streamId) }
    const stream = new OpenStream<Item>(parts, streamId, policy)
    streams.set(streamId, stream)
    let hasBegun = false
    try {
      stream.begin(begin)
      hasBegun = true
    } finally {
      if (!hasBegun) streams.delete(streamId)
    }
    return true
  }

  acknowledge(pageId: number, streamId: number): void {
    this.pages.get(pageId)?.get(streamId)?.acknowledge()
  }

  close(pageId: number, streamId: number): void {
    this.pages.get(pageId)?.get(streamId)?.dispose()
  }

  /** The page is gone or was loaded anew. */
  closePage(pageId: number): void {
    const streams = this.pages.get(pageId)
    if (streams === undefined) return
    this.pages.delete(pageId)
    for (const stream of [...streams.values()]) stream.dispose()
  }
}

/** What the hub does with a stream, whatever it carries. */
interface DeliveringStream extends Disposable {
  acknowledge(): void
}

/** What a stream gets from the hub. */
interface StreamParts {
  readonly clock: Clock
  readonly target: StreamTarget
  readonly onDisposed: () => void
}

class OpenStream<Item> implements DeliveringStream {
  private readonly clock: Clock
  private readonly parts: StreamParts
  private readonly streamId: number
  private readonly policy: StreamPolicy<Item>
  private queue: Item[] = []
  /** Items that were pushed out since the last delivery. */
  private droppedCount = 0
  private batchesInFlight = 0
  private isUnderPressure = false
  private flushedAtMs = Number.NEGATIVE_INFINITY
  /** From the last message to the next one. */
  private intervalMs = batchIntervalMs
  private timer: Timer | undefined
  private end: { readonly error: BridgeError | undefined } | undefined
  private source: Disposable | undefined
  private isDisposed = false

  constructor(parts: StreamParts, streamId: number, policy: StreamPolicy<Item>) {
    this.clock = parts.clock
    this.parts = parts
    this.streamId = streamId
    this.policy = policy
  }

  begin(begin: (sink: StreamSink<Item>) => Disposable): void {
    const source = begin({
      push: (item) => {
        this.push(item)
      },
      end: (error) => {
        this.finish(error)
      },
    })
    if (this.isDisposed) source.dispose()
    else this.source = source
  }

  acknowledge(): void {
    // A page that acknowledges what it never got gains nothing.
    this.batchesInFlight = Math.max(0, this.batchesInFlight - 1)
    this.schedule()
  }

  dispose(): void {
    if (this.isDisposed) return
    this.isDisposed = true
    this.timer?.cancel()
    this.queue = []
    this.source?.dispose()
    this.parts.onDisposed()
  }

  private push(item: Item): void {
    if (this.isDisposed || this.end !== undefined) return
    if (this.policy.keepsNewestOnly === true) this.queue = []
    this.queue.push(item)
    if (this.queue.length > queueItemsMax) this.overflow()
    this.updatePressure()
    this.schedule()
  }

  private finish(error: BridgeError | undefined): void {
    if (this.isDisposed || this.end !== undefined) return
    this.end = { error }
    this.schedule()
  }

  private overflow(): void {
    if (this.policy.droppedItem === undefined) {
      this.queue = []
      this.finish({
        code: 'streamOverflow',
        message: 'The page could not keep up with the stream',
        isRetryable: true,
        isOutcomeUnknown: false,
        details: {},
      })
      return
    }
    const surplus = this.queue.length - queueItemsMax
    this.queue.splice(0, surplus)
    this.droppedCount += surplus
  }

  private updatePressure(): void {
    const { length } = this.queue
    const isHigh = this.isUnderPressure ? length > queueLowItems : length > queueHighItems
    if (isHigh === this.isUnderPressure) return
    this.isUnderPressure = isHigh
    this.policy.onPressure?.(isHigh)
  }

  private schedule(): void {
    if (this.isDisposed || this.timer !== undefined) return
    if (this.batchesInFlight >= batchesInFlightMax) return
    if (this.queue.length === 0 && this.end === undefined) return
    const delayMs = this.flushedAtMs + this.intervalMs - this.clock.monotonicMs()
    this.timer = this.clock.setTimer(Math.max(0, delayMs), () => {
      this.timer = undefined
      this.flush()
    })
  }

  private flush(): void {
    assert(!this.isDisposed, 'a timer of a stream ends with the stream')
    const nowMs = this.clock.monotonicMs()
    const framesSince = Math.max(1, (nowMs - this.flushedAtMs) / batchIntervalMs)
    this.flushedAtMs = nowMs
    const items = this.takeBatch()
    this.intervalMs = this.nextIntervalMs(items.length / framesSince)
    if (items.length > 0) {
      this.batchesInFlight++
      this.parts.target.deliver({
        streamId: this.streamId,
        message: { kind: 'batch', items: this.policy.pack?.(items) ?? items },
      })
      this.updatePressure()
    }
    if (this.queue.length > 0) {
      this.schedule()
    } else if (this.end !== undefined) {
      const { error } = this.end
      this.parts.target.deliver({
        streamId: this.streamId,
        message: error === undefined ? { kind: 'ended' } : { kind: 'ended', error },
      })
      this.dispose()
    }
  }

  /** @param perFrame  items that came in the time of a frame */
  private nextIntervalMs(perFrame: number): number {
    const { busyIntervalMs } = this.policy
    // What waits already crosses as fast as it can.
    const isBusy = perFrame >= busyItemsMin && this.queue.length === 0
    return isBusy && busyIntervalMs !== undefined ? busyIntervalMs : batchIntervalMs
  }

  private takeBatch(): Item[] {
    const items: Item[] = []
    if (this.droppedCount > 0 && this.policy.droppedItem !== undefined) {
      items.push(this.policy.droppedItem(this.droppedCount))
      this.droppedCount = 0
    }
    const { batchItemsMax = batchItemsDefault } = this.policy
    let sizeBytes = 0
    let count = 0
    for (const item of this.queue) {
      sizeBytes += itemOverheadBytes + (this.policy.sizeBytesOf?.(item) ?? 0)
      // One item larger than a batch still has to cross.
      if (count > 0 && (count >= batchItemsMax || sizeBytes > batchSizeBytesMax)) break
      items.push(item)
      count++
    }
    this.queue = this.queue.slice(count)
    return items
  }
}
