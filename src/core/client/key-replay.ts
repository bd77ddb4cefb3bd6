/**
 * The changes of one key between the oldest revision that is kept and a newer one, delivered by watches.
 *
 * A watch that starts in the past is served in rounds: ten a second, each of a thousand changes. To have many changes soon,
 * the stretch is cut into lanes, each with a watch of its own on one stream, so that a round serves them all and the newest
 * changes do not wait for the oldest.
 *
 * When is the stretch complete? Where the key is known to have changed at its end, the lanes see that change. Where it is
 * not known (the key does not exist any more), the server is asked for its progress. Servers before 3.4.25 and 3.5.8 answer
 * that even while they owe changes, so the end is proven in another way as well: a fence is a further watch of which it is
 * known that the next round has to answer it. Two fences in a row without a change of the key between them leave no room
 * for one: what the first round owed was sent before the second.
 *
 * Example: compacted at 90, head 200, the key deleted. Lanes [91, 201); a watch from revision 1 is cancelled in the next
 * round because 1 is compacted: that is a fence. Where nothing was compacted, a watch on a key that lives, from its last
 * change on, serves as well.
 */

import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import type { Timer } from '../base/clock.ts'
import { StoreError } from '../errors/store-error.ts'
import { Event_EventType, type Event } from '../proto/gen/kv.ts'
import {
  WatchCreateRequest_FilterType,
  WatchDefinition,
  type WatchRequest as WireRequest,
  type WatchResponse as WireResponse,
} from '../proto/gen/rpc.ts'
import type { Endpoint } from './endpoint.ts'
import { keyValueOf, safeNumber, type KeyValue } from './key-value.ts'
import { reasonOf, type CallEnvironment } from './retry-policy.ts'
import { bindMethod } from './rpc-method.ts'
import {
  callFailureOf,
  failureOfCancelReason,
  unreachableFailure,
  type CallFailure,
} from './status-to-error.ts'

/** One change of the key. */
export type HistoryChange =
  | { readonly kind: 'put'; readonly revision: number; readonly pair: KeyValue }
  | { readonly kind: 'delete'; readonly revision: number }

export interface ReplayOptions {
  readonly key: Uint8Array
  /** Changes below this revision are wanted. */
  readonly endRevision: number
  /** The key changed at `endRevision`. */
  readonly isEndChange: boolean
  /** A key that lives, and the revision of its last change; for fences where nothing is compacted. */
  readonly fence: { readonly key: Uint8Array; readonly revision: number } | undefined
  readonly signal: AbortSignal
}

/** Receives what the replay finds. Must not throw. */
export interface ReplayListener {
  /** Rising revisions within one call; calls come in any order of stretches. No revision comes twice. */
  onChanges(changes: readonly HistoryChange[]): void
  /** Changes up to this revision are gone. May come again with a higher one. */
  onCompacted(revision: number): void
}

/**
 * Replays the key's changes below a revision.
 *
 * @throws StoreError  `contextCanceled` when the signal was aborted; what the server refuses the watch with; `unreachable`
 */
export async function replayKey(
  environment: CallEnvironment,
  options: ReplayOptions,
  listener: ReplayListener,
): Promise<void> {
  await new KeyReplay(environment, options, listener).run()
}

/** A stretch of revisions with its watch. */
interface Lane {
  /** First revision that is still owed. */
  next: number
  readonly end: number
  watchId: bigint
  isDone: boolean
}

const watchMethod = bindMethod(WatchDefinition, WatchDefinition.methods.watch)
const lanesMax = 8
/** A round delivers this many changes of a watch; shorter stretches need no second lane. */
const laneRevisionsMin = 1_000
const connectTimeoutMs = 1_000
const attemptsMax = 8
const retryPauseMs = 150
const tickMs = 100
const refusalsMax = 3
const streamWideWatchId = -1n
/** Enough where neither a compaction nor a key can be used as a fence: the store is empty then. */
const quietTicksNeeded = 4
const fencesNeeded = 2

class KeyReplay {
  private readonly environment: CallEnvironment
  private readonly options: ReplayOptions
  private readonly listener: ReplayListener
  private stream: ClientDuplexStream<WireRequest, WireResponse> | undefined
  private lanes: Lane[] = []
  private token: string | undefined
  private refusalCount = 0
  private compactedRevision = 0
  private hasDelivered = false
  private lastWatchId = 0n
  /** Watches that were asked for and not answered, oldest first: the server may give them ids of its own. */
  private unanswered: bigint[] = []
  private readonly serverIds = new Map<bigint, bigint>()
  /** Watches that were given up before the server answered them. */
  private readonly unwanted = new Set<bigint>()
  private fragments = new Map<bigint, Event[]>()
  private fenceId = 0n
  /** Fences passed, and ticks, since the last change arrived. */
  private fencesPassed = 0
  private quietTicks = 0
  private isProgressTold = false
  private timer: Timer | undefined
  private settle: ((failure: CallFailure | StoreError | undefined) => void) | undefined

  constructor(environment: CallEnvironment, options: ReplayOptions, listener: ReplayListener) {
    this.environment = environment
    this.options = options
    this.listener = listener
    this.planLanes(1)
  }

  async run(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const failure = await this.attempt()
      if (failure === undefined) return
      if (failure instanceof StoreError) throw failure
      if (attempt >= attemptsMax) throw failure.error
      await new Promise<void>((resolve) => {
        this.environment.clock.setTimer(retryPauseMs * attempt, resolve)
      })
    }
  }

  /** One stream, until everything is delivered or the stream is lost. A `StoreError` is final. */
  private async attempt(): Promise<CallFailure | StoreError | undefined> {
    const { signal } = this.options
    const { pool } = this.environment
    const canceled = new StoreError('contextCanceled', {})
    if (signal.aborted) return canceled
    const endpoint = pool.active()
    if (
      endpoint.channelState() !== 'ready' &&
      (await endpoint.waitForChannel(connectTimeoutMs)) !== 'ready'
    ) {
      pool.markFailed(endpoint, 'no connection was made')
      return unreachableFailure(endpoint.url, 'no connection was made')
    }
    const known = await endpoint.streamToken()
    if (!known.ok) return known.failure.isTransportFailure ? known.failure : known.failure.error
    this.token = known.token
    return new Promise((resolve) => {
      const onAbort = (): void => this.settle?.(canceled)
      this.settle = (failure) => {
        this.settle = undefined
        signal.removeEventListener('abort', onAbort)
        this.timer?.cancel()
        this.closeStream()
        resolve(failure)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.openStream(endpoint)
    })
  }

  private openStream(endpoint: Endpoint): void {
    const stream = endpoint.openStream(watchMethod, {
      needsLeader: true,
      token: this.token,
    })
    this.stream = stream
    this.unanswered = []
    this.serverIds.clear()
    this.unwanted.clear()
    this.fragments.clear()
    this.restartProof()
    stream.on('data', (response: WireResponse) => {
      if (this.stream === stream) this.onResponse(endpoint, response)
    })
    stream.on('error', (error: ServiceError) => {
      if (this.stream === stream) this.onLost(endpoint, callFailureOf(error, endpoint))
    })
    stream.on('end', () => {
      if (this.stream !== stream) return
      this.onLost(endpoint, unreachableFailure(endpoint.url, 'the server ended the stream'))
    })
    // Told first whether anything was compacted, and up to where.
    if (this.compactedRevision === 0) this.createProbe()
    for (const lane of this.lanes) this.beginLane(lane)
    this.tick()
    this.settleIfComplete()
  }

  private tick(): void {
    this.timer = this.environment.clock.setTimer(tickMs, () => {
      this.quietTicks++
      if (!this.options.isEndChange) {
        this.stream?.write({ requestUnion: { $case: 'progressRequest', value: {} } })
        if (this.fenceId === 0n) this.createFence()
        this.settleIfComplete()
      }
      if (this.settle !== undefined) this.tick()
    })
  }

  private onResponse(endpoint: Endpoint, response: WireResponse): void {
    if (response.watchId === streamWideWatchId && !response.created) {
      if (response.canceled) {
        this.onRefused(endpoint, failureOfCancelReason(response.cancelReason, endpoint))
        return
      }
      const head = safeNumber(response.header?.revision ?? 0n)
      if (head + 1 >= this.options.endRevision) this.isProgressTold = true
      return
    }
    if (response.created) {
      this.environment.pool.markReady(endpoint)
      const asked = this.unanswered.shift()
      if (asked !== undefined) this.serverIds.set(response.watchId, asked)
      if (asked !== undefined && this.unwanted.delete(asked)) this.cancelWatch(asked)
    }
    const watchId = this.serverIds.get(response.watchId)
    if (watchId === undefined) return
    if (response.canceled) this.onCanceled(endpoint, watchId, response)
    else if (response.events.length > 0 || response.fragment) this.onEvents(watchId, response)
    if (!response.created) this.settleIfComplete()
  }

  private onEvents(watchId: bigint, response: WireResponse): void {
    const events = [...(this.fragments.get(watchId) ?? []), ...response.events]
    if (response.fragment) {
      this.fragments.set(watchId, events)
      return
    }
    this.fragments.delete(watchId)
    if (watchId === this.fenceId) {
      this.passFence()
      return
    }
    const lane = this.lanes.find((one) => one.watchId === watchId && !one.isDone)
    if (lane === undefined) return
    this.restartProof()
    this.hasDelivered = true
    const changes: HistoryChange[] = []
    for (const event of events) {
      const change = findChange(event)
      if (change === undefined || change.revision < lane.next) continue
      lane.next = change.revision + 1
      if (change.revision >= lane.end) lane.isDone = true
      else changes.push(change)
    }
    if (changes.length > 0) this.listener.onChanges(changes)
    if (lane.isDone) this.cancelWatch(lane.watchId)
  }

  private onCanceled(endpoint: Endpoint, watchId: bigint, response: WireResponse): void {
    const compactedRevision = safeNumber(response.compactRevision)
    const lane = this.lanes.find((one) => one.watchId === watchId && !one.isDone)
    const isFence = watchId === this.fenceId
    if (compactedRevision === 0) {
      // The end of a watch that is not needed any more.
      if (lane === undefined && !isFence) return
      this.onRefused(endpoint, failureOfCancelReason(response.cancelReason, endpoint))
      return
    }
    // Servers hold their answers about progress back while a watch that they ended is not cancelled.
    if (isFence) this.passFence()
    else this.cancelWatch(watchId)
    if (compactedRevision > this.compactedRevision) this.takeCompacted(compactedRevision)
    else if (lane !== undefined) this.beginLane(lane)
  }

  private takeCompacted(compactedRevision: number): void {
    this.compactedRevision = compactedRevision
    this.listener.onCompacted(compactedRevision)
    this.restartProof()
    const oldest = compactedRevision + 1
    if (!this.hasDelivered) {
      // Most of the lanes may lie behind the seam: what is left is cut anew.
      for (const lane of this.lanes) this.cancelWatch(lane.watchId)
      this.planLanes(oldest)
      for (const lane of this.lanes) this.beginLane(lane)
      return
    }
    for (const lane of this.lanes) {
      if (lane.isDone || lane.next >= oldest) continue
      // A lane is served from its first revision on, so that one which had delivered nothing was cancelled as a whole.
      this.cancelWatch(lane.watchId)
      lane.next = oldest
      if (oldest >= lane.end) lane.isDone = true
      else this.beginLane(lane)
    }
  }

  private planLanes(oldest: number): void {
    const { endRevision } = this.options
    const span = Math.max(0, endRevision - oldest)
    const count = Math.max(1, Math.min(lanesMax, Math.floor(span / laneRevisionsMin)))
    const bound = (at: number): number => oldest + Math.floor((span * at) / count)
    this.lanes = Array.from({ length: count }, (_, at) => ({
      next: bound(at),
      end: bound(at + 1),
      watchId: 0n,
      isDone: bound(at) >= bound(at + 1),
    })).reverse()
  }

  private beginLane(lane: Lane): void {
    if (!lane.isDone) lane.watchId = this.create(this.options.key, lane.next)
  }

  private createProbe(): void {
    this.fenceId = 0n
    this.create(this.options.key, 1, { isSilent: true })
  }

  private createFence(): void {
    const { key, fence } = this.options
    if (this.compactedRevision > 1) this.fenceId = this.create(key, 1, { isSilent: true })
    else if (fence !== undefined) this.fenceId = this.create(fence.key, fence.revision)
  }

  private passFence(): void {
    this.cancelWatch(this.fenceId)
    this.fenceId = 0n
    this.fencesPassed++
    if (this.fencesPassed < fencesNeeded) this.createFence()
  }

  /** A change arrived, so that whatever seemed to prove the end does not. */
  private restartProof(): void {
    this.fencesPassed = 0
    this.quietTicks = 0
    this.isProgressTold = false
    if (this.fenceId !== 0n) this.cancelWatch(this.fenceId)
    this.fenceId = 0n
  }

  private settleIfComplete(): void {
    if (this.lanes.every((lane) => lane.isDone)) {
      this.settle?.(undefined)
      return
    }
    if (this.options.isEndChange || !this.isProgressTold) return
    const hasFence = this.compactedRevision > 1 || this.options.fence !== undefined
    const isProven = hasFence
      ? this.fencesPassed >= fencesNeeded
      : this.quietTicks >= quietTicksNeeded
    if (isProven) this.settle?.(undefined)
  }

  private create(
    key: Uint8Array,
    startRevision: number,
    options: { readonly isSilent: boolean } = { isSilent: false },
  ): bigint {
    const watchId = ++this.lastWatchId
    this.unanswered.push(watchId)
    const filters = options.isSilent
      ? [WatchCreateRequest_FilterType.NOPUT, WatchCreateRequest_FilterType.NODELETE]
      : []
    this.stream?.write({
      requestUnion: {
        $case: 'createRequest',
        value: {
          ...{ key, rangeEnd: new Uint8Array(0), startRevision: BigInt(startRevision) },
          ...{ progressNotify: false, filters, prevKv: false, watchId, fragment: true },
        },
      },
    })
    return watchId
  }

  private cancelWatch(watchId: bigint): void {
    if (this.unanswered.includes(watchId)) this.unwanted.add(watchId)
    for (const [serverId, ownId] of this.serverIds) {
      if (ownId !== watchId) continue
      this.serverIds.delete(serverId)
      this.stream?.write({
        requestUnion: { $case: 'cancelRequest', value: { watchId: serverId } },
      })
    }
  }

  private onLost(endpoint: Endpoint, failure: CallFailure): void {
    const { pool } = this.environment
    if (['unauthenticated', 'permissionDenied', 'unimplemented'].includes(failure.status)) {
      this.onRefused(endpoint, failure)
      return
    }
    if (failure.isTransportFailure) pool.markFailed(endpoint, reasonOf(failure))
    else pool.moveOnFrom(endpoint)
    this.settle?.(failure)
  }

  /** A forgotten token is no refusal; a new one that is refused again is. */
  private onRefused(endpoint: Endpoint, failure: CallFailure): void {
    this.refusalCount++
    const mayTryAgain =
      this.refusalCount < refusalsMax && endpoint.noteStreamFailure(failure, this.token)
    this.settle?.(mayTryAgain ? failure : failure.error)
  }

  private closeStream(): void {
    const { stream } = this
    this.stream = undefined
    if (stream === undefined) return
    // A cancelled call still reports an error, and an error nobody listens to ends the process.
    stream.removeAllListeners('error')
    stream.on('error', () => undefined)
    stream.cancel()
  }
}

function findChange(event: Event): HistoryChange | undefined {
  if (event.kv === undefined) return undefined
  const pair = keyValueOf(event.kv)
  const revision = pair.modRevision
  return event.type === Event_EventType.DELETE
    ? { kind: 'delete', revision }
    : { kind: 'put', revision, pair }
}
