/**
 * One watch stream: many watchers of one client, their answers in one order.
 *
 * Nothing is queued without bound. Events go to the socket at once while less than `queueSizeBytesMax` waits there;
 * above that a batch is refused and its watcher falls back to reading history when there is room again. Requests are not
 * read meanwhile either, because each of them is answered.
 *
 * @see etcd v3 API, Watch
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Random } from '../base/random.ts'
import { errorTable } from '../errors/error-table.ts'
import {
  isEmptyRange,
  keyRangeOfWire,
  type EventBatch,
  type Watcher,
  type WatchSink,
} from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import {
  WatchCreateRequest_FilterType,
  WatchRequest,
  type WatchCreateRequest,
} from '../proto/gen/rpc.ts'
import { decodeStreamMessage } from './method.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { StreamCall } from './rpc-call.ts'
import { isFatal, statusOfError } from './status-mapping.ts'
import { encodeWatchAnswer, fragmentsOf, type WatchAnswer } from './watch-encoding.ts'

export interface WatchStreamOptions {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Time between two notifications of progress; up to a tenth is added by chance. */
  readonly progressIntervalMs: number
  /** Size from which an answer is divided for watchers that allow it. */
  readonly fragmentSizeBytes: number
}

/** Bytes waiting for a slow client before its watchers fall back to history. */
const queueSizeBytesMax = 4 * 1024 * 1024
/** Refusals, and progress of all watchers of a stream, carry this id. */
const noWatchId = -1n
/** The smallest key: what an empty one means in a watch. */
const smallestKey = Uint8Array.of(0)

/** One watcher of the stream, under the id its client knows. */
interface Entry {
  readonly watchId: bigint
  readonly isFragmented: boolean
  readonly hasPrevious: boolean
  readonly notifiesProgress: boolean
  watcher: Watcher | undefined
  /** Events wait for the answer to the creation. */
  isAnnounced: boolean
  /** Something was refused for want of room. */
  isBlocked: boolean
  /** Told events since the last tick, which is progress enough. */
  hasSentEvents: boolean
}

/** Serves one call. It ends with the call. */
export class WatchStream {
  private readonly node: StoreNode
  private readonly headers: ResponseHeaders
  private readonly call: StreamCall
  private readonly options: WatchStreamOptions
  private readonly entries = new Map<bigint, Entry>()
  private nextWatchId = 0n
  private progressTimer: Timer | undefined

  constructor(
    node: StoreNode,
    headers: ResponseHeaders,
    call: StreamCall,
    options: WatchStreamOptions,
  ) {
    this.node = node
    this.headers = headers
    this.call = call
    this.options = options
  }

  /** Begins to read requests. */
  open(): void {
    this.call.onEnd(() => {
      this.close()
    })
    this.call.onDrain(() => {
      this.resume()
    })
    this.armProgressTimer()
    // The client may send its last request and go on listening.
    this.call.read(
      (message) => {
        this.receive(message)
      },
      () => undefined,
    )
  }

  private receive(message: Uint8Array): void {
    try {
      this.serve(decodeStreamMessage(WatchRequest, message))
    } catch (error) {
      if (isFatal(error)) throw error
      this.call.end(statusOfError(error))
      return
    }
    if (this.isFull) this.call.setReading(false)
  }

  private serve({ requestUnion }: WatchRequest): void {
    switch (requestUnion?.$case) {
      case 'createRequest':
        this.create(requestUnion.value)
        return
      case 'cancelRequest':
        this.cancel(requestUnion.value.watchId)
        return
      case 'progressRequest':
        this.answerProgress()
        return
      case undefined:
        this.options.logger.debug('watch request without content ignored')
    }
  }

  private create(request: WatchCreateRequest): void {
    const range = keyRangeOfWire(
      request.key.length === 0 ? smallestKey : request.key,
      request.rangeEnd,
    )
    if (request.startRevision < 0n) {
      this.refuse(errorTable.compacted.text)
      return
    }
    if (isEmptyRange(range)) {
      this.refuse('mvcc: watcher range is empty')
      return
    }
    const watchId = this.chooseWatchId(request.watchId)
    if (watchId === undefined) {
      this.refuse('mvcc: duplicate watch ID provided on the WatchStream')
      return
    }
    const entry: Entry = {
      watchId,
      isFragmented: request.fragment,
      hasPrevious: request.prevKv,
      notifiesProgress: request.progressNotify,
      watcher: undefined,
      isAnnounced: false,
      isBlocked: false,
      hasSentEvents: false,
    }
    this.entries.set(watchId, entry)
    const { filters } = request
    entry.watcher = this.node.watchHub.watch(
      {
        range,
        startRevision: startRevisionOf(request.startRevision),
        filters: {
          noPut: filters.includes(WatchCreateRequest_FilterType.NOPUT),
          noDelete: filters.includes(WatchCreateRequest_FilterType.NODELETE),
        },
        hasPreviousKeyValue: request.prevKv,
      },
      this.sinkOf(entry),
    )
    this.send({ watchId, revision: this.node.currentRevision, isCreated: true })
    entry.isAnnounced = true
    this.resumeEntry(entry)
  }

  /** The id asked for, or the next free one; undefined when the one asked for is in use. */
  private chooseWatchId(requested: bigint): bigint | undefined {
    if (requested !== 0n) return this.entries.has(requested) ? undefined : requested
    while (this.entries.has(this.nextWatchId)) this.nextWatchId++
    return this.nextWatchId++
  }

  private refuse(cancelReason: string): void {
    this.send({
      watchId: noWatchId,
      revision: this.node.currentRevision,
      isCreated: true,
      isCanceled: true,
      cancelReason,
    })
  }

  private cancel(watchId: bigint): void {
    const entry = this.entries.get(watchId)
    // No answer: one with an id that was never told makes clients fail.
    if (entry === undefined) return
    this.entries.delete(watchId)
    entry.watcher?.cancel()
    this.send({ watchId, revision: this.node.currentRevision, isCanceled: true })
  }

  /** One answer for all watchers, if all are up to date; otherwise none, and the client asks again. */
  private answerProgress(): void {
    const revision = this.progressOf([...this.entries.values()])
    if (revision !== undefined) this.send({ watchId: noWatchId, revision })
  }

  private progressOf(entries: readonly Entry[]): number | undefined {
    if (entries.length === 0) return undefined
    const watchers: Watcher[] = []
    for (const { watcher } of entries) {
      if (watcher === undefined || watcher.isCompacted) return undefined
      watchers.push(watcher)
    }
    return this.node.watchHub.progressOf(watchers)
  }

  private sinkOf(entry: Entry): WatchSink {
    return {
      offer: (batch) => this.takeBatch(entry, batch),
      compacted: (compactRevision) => {
        if (!this.hasRoomFor(entry)) return false
        this.send({ watchId: entry.watchId, revision: 0, isCanceled: true, compactRevision })
        return true
      },
    }
  }

  private takeBatch(entry: Entry, batch: EventBatch): boolean {
    if (!this.hasRoomFor(entry)) return false
    const answer: WatchAnswer = {
      watchId: entry.watchId,
      revision: batch.revision,
      events: batch.changes.map((change) => ({
        change,
        previous: entry.hasPrevious ? this.node.watchHub.previousKeyValue(change) : undefined,
      })),
    }
    entry.hasSentEvents = true
    if (entry.isFragmented) {
      for (const part of fragmentsOf(this.headers, answer, this.options.fragmentSizeBytes)) {
        this.send(part)
      }
    } else this.send(answer)
    return true
  }

  private hasRoomFor(entry: Entry): boolean {
    if (entry.isAnnounced && !this.isFull) return true
    entry.isBlocked = true
    return false
  }

  private get isFull(): boolean {
    return this.call.queuedBytes >= queueSizeBytesMax
  }

  private send(answer: WatchAnswer): void {
    this.call.send(encodeWatchAnswer(this.headers, answer))
  }

  /** The client has taken everything that was queued. */
  private resume(): void {
    for (const entry of this.entries.values()) this.resumeEntry(entry)
    this.call.setReading(true)
  }

  private resumeEntry(entry: Entry): void {
    if (!entry.isBlocked) return
    entry.isBlocked = false
    entry.watcher?.resume()
  }

  private armProgressTimer(): void {
    const { clock, random, progressIntervalMs } = this.options
    const delayMs = progressIntervalMs * (1 + random.fraction() / 10)
    this.progressTimer = clock.setTimer(delayMs, () => {
      this.notifyProgress()
      this.armProgressTimer()
    })
  }

  private notifyProgress(): void {
    for (const entry of this.entries.values()) {
      if (!entry.notifiesProgress) continue
      const revision = entry.hasSentEvents || this.isFull ? undefined : this.progressOf([entry])
      entry.hasSentEvents = false
      if (revision !== undefined) this.send({ watchId: entry.watchId, revision })
    }
  }

  private close(): void {
    this.progressTimer?.cancel()
    for (const { watcher } of this.entries.values()) watcher?.cancel()
    this.entries.clear()
  }
}

/** A start above what a number holds exactly is as far away as the largest one. */
function startRevisionOf(revision: bigint): number {
  return revision > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(revision)
}
