/**
 * One watch stream: many watchers of one client, their answers in one order.
 *
 * Nothing is queued without bound. Events are sent at once while little waits for the client; above that a batch is
 * refused and its watcher falls back to reading history when there is room again. Requests are not read meanwhile either,
 * because each of them is answered.
 *
 * @see etcd v3 API, Watch
 */
import { errorTable } from '../errors/error-table.ts'
import { StoreError } from '../errors/store-error.ts'
import {
  isEmptyRange,
  keyRangeOfWire,
  type EventBatch,
  type Watcher,
  type WatchSink,
} from '../node/node-surface.ts'
import {
  RangeRequest,
  WatchCreateRequest_FilterType,
  WatchRequest,
  type WatchCreateRequest,
} from '../proto/gen/rpc.ts'
import { identifyCaller } from './access-guard.ts'
import { decodeStreamMessage } from './method.ts'
import type { ProgressListener } from './progress-wheel.ts'
import type { StreamCall } from './rpc-call.ts'
import { isFatal, statusOfError } from './status-mapping.ts'
import { encodeWatchAnswer, watchIdOf, type WatchAnswer, type WatchId } from './watch-encoding.ts'
import type { WatchStreams } from './watch-streams.ts'

/** Refusals, and progress of all watchers of a stream, carry this id. */
const noWatchId = -1n
/** The smallest key: what an empty one means in a watch. */
const smallestKey = Uint8Array.of(0)

/** One watcher of a stream, under the id its client knows. There may be very many of them. */
class StreamWatcher implements WatchSink {
  readonly owner: WatchStream
  readonly call: StreamCall
  readonly watchId: WatchId
  readonly isFragmented: boolean
  readonly hasPrevious: boolean
  readonly notifiesProgress: boolean
  watcher: Watcher | undefined
  /** Something was refused for want of room. */
  isBlocked = false
  /** Told events since the last tick, which is progress enough. */
  hasSentEvents = false

  constructor(
    owner: WatchStream,
    call: StreamCall,
    request: { readonly watchId: WatchId; readonly wish: WatchCreateRequest },
  ) {
    this.owner = owner
    this.call = call
    this.watchId = request.watchId
    this.isFragmented = request.wish.fragment
    this.hasPrevious = request.wish.prevKv
    this.notifiesProgress = request.wish.progressNotify
  }

  offer(batch: EventBatch): boolean {
    return this.owner.takeBatch(this, batch)
  }

  compacted(compactRevision: number): boolean {
    return this.owner.tellCompacted(this, compactRevision)
  }
}

/** Serves one call. It ends with the call. */
export class WatchStream implements ProgressListener {
  private readonly streams: WatchStreams
  private readonly call: StreamCall
  private readonly watchers = new Map<WatchId, StreamWatcher>()
  private nextWatchId = 0
  private progressSlot = 0
  private hasBlocked = false
  /** What arrived while it is being found out who asks; undefined at other times. */
  private deferred: WatchRequest[] | undefined

  constructor(streams: WatchStreams, call: StreamCall) {
    this.streams = streams
    this.call = call
  }

  /** Begins to read requests. */
  open(): void {
    this.streams.streamCount++
    this.progressSlot = this.streams.progress.add(this)
    this.call.onEnd(() => {
      this.close()
    })
    this.call.onDrain(() => {
      this.resume()
    })
    // The client may send its last request and go on listening.
    this.call.read(
      (message) => {
        this.receive(message)
      },
      () => undefined,
    )
  }

  /** For the watchers of this stream: see `WatchSink.offer`. */
  takeBatch(watcher: StreamWatcher, batch: EventBatch): boolean {
    if (!this.hasRoomFor(watcher)) return false
    watcher.hasSentEvents = true
    const { delivery, options } = this.streams
    if (watcher.isFragmented) delivery.addDivided(watcher, batch, options.fragmentSizeBytes)
    else delivery.add(watcher, batch)
    return true
  }

  /** For the watchers of this stream: see `WatchSink.compacted`. */
  tellCompacted(watcher: StreamWatcher, compactRevision: number): boolean {
    if (!this.hasRoomFor(watcher)) return false
    this.send({ watchId: watcher.watchId, revision: 0, isCanceled: true, compactRevision })
    return true
  }

  /** For the wheel: who asked for it, is up to date and heard nothing since the last time is told so. */
  progressIsDue(): void {
    for (const watcher of this.watchers.values()) {
      if (!watcher.notifiesProgress) continue
      const revision = watcher.hasSentEvents || this.isFull ? undefined : this.progressOf([watcher])
      watcher.hasSentEvents = false
      if (revision !== undefined) this.send({ watchId: watcher.watchId, revision })
    }
  }

  private receive(message: Uint8Array): void {
    try {
      this.serveInTurn(decodeStreamMessage(WatchRequest, message))
    } catch (error) {
      if (isFatal(error)) throw error
      this.call.end(statusOfError(error))
      return
    }
    if (this.isFull) this.call.setReading(false)
  }

  /** Requests are served in their order, also when one has to wait. */
  private serveInTurn(request: WatchRequest): void {
    if (this.deferred !== undefined) {
      this.deferred.push(request)
      return
    }
    const { requestUnion } = request
    if (requestUnion?.$case !== 'createRequest' || !this.streams.node.auth.isEnabled) {
      this.serve(request)
      return
    }
    this.deferred = []
    this.call.setReading(false)
    this.createIfAllowed(requestUnion.value).then(
      () => {
        this.serveDeferred()
      },
      (error: unknown) => {
        this.call.end(statusOfError(error))
      },
    )
  }

  private serveDeferred(): void {
    const requests = this.deferred ?? []
    this.deferred = undefined
    if (this.call.hasEnded) return
    if (!this.isFull) this.call.setReading(true)
    for (const request of requests) this.serveInTurn(request)
  }

  /** A watch that may not be is answered as one that ends at once; the stream goes on. */
  private async createIfAllowed(request: WatchCreateRequest): Promise<void> {
    const { node } = this.streams
    try {
      const requester = await identifyCaller(node, this.call)
      const { key, rangeEnd } = request
      const range = { key: key.length === 0 ? smallestKey : key, rangeEnd }
      node.auth.check(requester, { kind: 'range', request: RangeRequest.create(range) })
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (!this.call.hasEnded) this.refuse(accessRefusalOf(error))
      return
    }
    if (!this.call.hasEnded) this.create(request)
  }

  private serve({ requestUnion }: WatchRequest): void {
    switch (requestUnion?.$case) {
      case 'createRequest':
        this.create(requestUnion.value)
        return
      case 'cancelRequest':
        this.cancel(watchIdOf(requestUnion.value.watchId))
        return
      case 'progressRequest':
        this.answerProgress()
        return
      case undefined:
        this.streams.options.logger.debug('watch request without content ignored')
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
    const watchId = this.chooseWatchId(watchIdOf(request.watchId))
    if (watchId === undefined) {
      this.refuse('mvcc: duplicate watch ID provided on the WatchStream')
      return
    }
    const watcher = new StreamWatcher(this, this.call, { watchId, wish: request })
    this.watchers.set(watchId, watcher)
    const { filters } = request
    watcher.watcher = this.streams.node.watchHub.watch(
      {
        range,
        startRevision: startRevisionOf(request.startRevision),
        filters: {
          noPut: filters.includes(WatchCreateRequest_FilterType.NOPUT),
          noDelete: filters.includes(WatchCreateRequest_FilterType.NODELETE),
        },
      },
      watcher,
    )
    // The hub offers nothing before the next turn, so this is the first that the client hears of it.
    this.send({ watchId, revision: this.streams.node.currentRevision, isCreated: true })
  }

  /** The id asked for, or the next free one; undefined when the one asked for is in use. */
  private chooseWatchId(requested: WatchId): WatchId | undefined {
    if (requested !== 0) return this.watchers.has(requested) ? undefined : requested
    while (this.watchers.has(this.nextWatchId)) this.nextWatchId++
    return this.nextWatchId++
  }

  private refuse(cancelReason: string): void {
    this.send({
      watchId: noWatchId,
      revision: this.streams.node.currentRevision,
      isCreated: true,
      isCanceled: true,
      cancelReason,
    })
  }

  private cancel(watchId: WatchId): void {
    const watcher = this.watchers.get(watchId)
    // No answer: one with an id that was never told makes clients fail.
    if (watcher === undefined) return
    this.watchers.delete(watchId)
    watcher.watcher?.cancel()
    this.send({ watchId, revision: this.streams.node.currentRevision, isCanceled: true })
  }

  /** One answer for all watchers, if all are up to date; otherwise none, and the client asks again. */
  private answerProgress(): void {
    const revision = this.progressOf(this.watchers.values())
    if (revision !== undefined) this.send({ watchId: noWatchId, revision })
  }

  private progressOf(watchers: Iterable<StreamWatcher>): number | undefined {
    const asked: Watcher[] = []
    for (const { watcher } of watchers) {
      if (watcher === undefined) return undefined
      asked.push(watcher)
    }
    return this.streams.node.watchHub.progressOf(asked)
  }

  private hasRoomFor(watcher: StreamWatcher): boolean {
    if (!this.isFull) return true
    watcher.isBlocked = true
    this.hasBlocked = true
    return false
  }

  private get isFull(): boolean {
    return this.call.queuedBytes >= this.streams.queueSizeBytesMax
  }

  private send(answer: WatchAnswer): void {
    // Events that were gathered for this stream come first.
    this.streams.delivery.flush()
    this.call.send(encodeWatchAnswer(this.streams.headers, answer))
  }

  /** The client has taken everything that was queued. */
  private resume(): void {
    if (this.hasBlocked) {
      this.hasBlocked = false
      for (const watcher of this.watchers.values()) {
        if (!watcher.isBlocked) continue
        watcher.isBlocked = false
        watcher.watcher?.resume()
      }
    }
    this.call.setReading(true)
  }

  private close(): void {
    this.streams.streamCount--
    this.streams.progress.delete(this, this.progressSlot)
    for (const { watcher } of this.watchers.values()) watcher?.cancel()
    this.watchers.clear()
  }
}

/** etcd gives the reason as its client library would print the error; all but three are told as a lack of permission. */
function accessRefusalOf({ code }: StoreError): string {
  switch (code) {
    case 'invalidAuthToken':
      return `rpc error: code = Unauthenticated desc = ${errorTable.invalidAuthToken.text}`
    case 'authOldRevision':
    case 'userEmpty':
      return `rpc error: code = InvalidArgument desc = ${errorTable[code].text}`
    default:
      return `rpc error: code = PermissionDenied desc = ${errorTable.permissionDenied.text}`
  }
}

/** A start above what a number holds exactly is as far away as the largest one. */
function startRevisionOf(revision: bigint): number {
  return revision > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(revision)
}
