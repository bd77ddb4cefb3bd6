/** What all watch streams of a node share. */
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Random } from '../base/random.ts'
import type { StoreNode } from '../node/store-node.ts'
import { ProgressWheel } from './progress-wheel.ts'
import type { ResponseHeaders } from './response-header.ts'
import { WatchDelivery } from './watch-delivery.ts'

export interface WatchStreamOptions {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Time between two notifications of progress; up to a tenth is added by chance. */
  readonly progressIntervalMs: number
  /** Size from which an answer is divided for watchers that allow it. */
  readonly fragmentSizeBytes: number
}

/** What may wait for one slow client. */
const queueSizeBytesMax = 4 * 1024 * 1024
const queueSizeBytesMin = 64 * 1024
/** What may wait for all of them, should none of them read. */
const totalSizeBytes = 256 * 1024 * 1024

/** See the head of this file. */
export class WatchStreams {
  readonly node: StoreNode
  readonly headers: ResponseHeaders
  readonly options: WatchStreamOptions
  readonly delivery: WatchDelivery
  readonly progress: ProgressWheel
  /** Streams that are open. */
  streamCount = 0

  constructor(node: StoreNode, headers: ResponseHeaders, options: WatchStreamOptions) {
    const { watchHub } = node
    this.node = node
    this.headers = headers
    this.options = options
    this.progress = new ProgressWheel(options.clock, options.random, options.progressIntervalMs)
    this.delivery = new WatchDelivery(headers, (change) => watchHub.previousKeyValue(change))
    watchHub.onRoundEnd(() => {
      this.delivery.endRound()
    })
  }

  /** Bytes waiting for one client above which its watchers fall back to history: the more streams, the less for each. */
  get queueSizeBytesMax(): number {
    const shareBytes = totalSizeBytes / Math.max(this.streamCount, 1)
    return Math.max(queueSizeBytesMin, Math.min(queueSizeBytesMax, shareBytes))
  }
}
