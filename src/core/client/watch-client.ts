/**
 * Live changes of a range, without gap or repetition, over any number of lost connections.
 *
 * A watch remembers the revision from which it still needs changes. When its stream is lost it asks again, at whatever
 * endpoint serves then, from that revision on. The order and completeness of the server's history makes this exact. Only a
 * compaction can take changes away that were not delivered yet; it is reported as a gap, never passed over.
 *
 * Each watch has a gRPC stream of its own: they share the connection anyway, and a slow reader of one cannot hold up
 * another.
 *
 * A watch of the past is told a thousand revisions at a time. It asks for them in fragments, because large values would make
 * that more than a message can hold. etcd's time for a fragment grows with the square of its changes, though (it adds up
 * the size of all of them again for each one): 15,000 small ones take five seconds. So a watch that was sent such a fragment
 * goes on without them, until a message comes that is too large.
 */

import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import type { Timer } from '../base/clock.ts'
import type { Disposable } from '../base/disposable.ts'
import type { StoreError } from '../errors/store-error.ts'
import { Event_EventType, type Event } from '../proto/gen/kv.ts'
import {
  WatchCreateRequest_FilterType,
  WatchDefinition,
  type WatchRequest as WireRequest,
  type WatchResponse as WireResponse,
} from '../proto/gen/rpc.ts'
import type { Endpoint } from './endpoint.ts'
import {
  keyValueOf,
  safeNumber,
  wireInterval,
  type KeyInterval,
  type KeyValue,
} from './key-value.ts'
import { reasonOf, type CallEnvironment } from './retry-policy.ts'
import { bindMethod } from './rpc-method.ts'
import {
  callFailureOf,
  failureOfCancelReason,
  unreachableFailure,
  type CallFailure,
} from './status-to-error.ts'

export interface WatchOptions {
  readonly interval: KeyInterval
  /** First revision to deliver; 0: from now on. */
  readonly startRevision: number
  readonly needsPrevious: boolean
  readonly isWithoutPuts?: boolean
  readonly isWithoutDeletes?: boolean
  /** Give a stream up at a member that sees no leader; true unless said otherwise. */
  readonly needsLeader?: boolean
}

/** One change of one key. */
export interface WatchEvent {
  readonly kind: 'put' | 'delete'
  /** Of a delete only the key and the mod revision tell something. */
  readonly pair: KeyValue
  /** What was there before; absent when there was nothing, or when it is compacted. */
  readonly previous?: KeyValue
}

/** Receives what happens to a watch, in order. Must not throw. */
export interface WatchListener {
  /** The server took the watch; changes from `startRevision` on follow. */
  onStarted(start: {
    readonly startRevision: number
    readonly endpoint: string
    readonly isResumed: boolean
  }): void
  /** Changes of one or more whole revisions, in order. */
  onEvents(events: readonly WatchEvent[]): void
  /**
   * The server says that everything up to this revision was delivered. Not to be relied on unless `isProven`: servers
   * before 3.4.25 and 3.5.8 answer a request for progress even while they still owe older changes.
   */
  onProgress(progress: { readonly revision: number; readonly isProven: boolean }): void
  /** The stream was lost; another one is on its way. */
  onInterrupted(reason: string): void
  /** Changes of these revisions, both included, were compacted away undelivered. */
  onGap(gap: { readonly fromRevision: number; readonly toRevision: number }): void
  /** The cluster refuses the watch; nothing follows. */
  onRefused(error: StoreError): void
}

const watchMethod = bindMethod(WatchDefinition, WatchDefinition.methods.watch)

const connectTimeoutMs = 1_000
const resumePauseMinMs = 50
const resumePauseMaxMs = 2_000
/** Tokens that are refused one after the other before a watch gives up. */
const loginAttemptsMax = 3
/** A fragment of so many changes holds small ones, about 370 bytes each or less. */
const smallChangesMin = 4_096
/** Answers that concern the whole stream carry this id. */
const streamWideWatchId = -1n
const startRevisionOfEverything = 1

export class WatchClient {
  private readonly environment: CallEnvironment

  constructor(environment: CallEnvironment) {
    this.environment = environment
  }

  /** Begins a watch. It goes on until it is disposed or refused. */
  open(options: WatchOptions, listener: WatchListener): RunningWatch {
    return new RunningWatch(this.environment, options, listener)
  }
}

/** One watch. Disposing it ends it; nothing is delivered any more after that. */
export class RunningWatch implements Disposable {
  private readonly environment: CallEnvironment
  private readonly options: WatchOptions
  private readonly listener: WatchListener
  private stream: ClientDuplexStream<WireRequest, WireResponse> | undefined
  private pauseTimer: Timer | undefined
  private isEnded = false
  private isPaused = false
  private hasStarted = false
  private failedAttempts = 0
  private token: string | undefined
  /** First revision whose changes are still owed; 0 before the server named one. Never goes back. */
  private nextRevision: number
  /** Events of a revision of which the other fragments of a response may hold more. */
  private fragments: Event[] = []
  private isFragmented = true
  private wasTooLarge = false
  /** The stream is made anew by our own will, which is nothing to be told. */
  private isReopening = false

  constructor(environment: CallEnvironment, options: WatchOptions, listener: WatchListener) {
    this.environment = environment
    this.options = options
    this.listener = listener
    this.nextRevision = options.startRevision
    void this.connect()
  }

  /** Stops reading from the server; what it sends waits there. */
  pause(): void {
    this.isPaused = true
    this.stream?.pause()
  }

  resume(): void {
    this.isPaused = false
    this.stream?.resume()
  }

  /** Asks the server to say up to where everything was delivered; it may keep silent while it is catching up. */
  requestProgress(): void {
    this.stream?.write({ requestUnion: { $case: 'progressRequest', value: {} } })
  }

  dispose(): void {
    this.isEnded = true
    this.pauseTimer?.cancel()
    this.closeStream()
  }

  private async connect(): Promise<void> {
    const endpoint = this.environment.pool.active()
    const state = endpoint.channelState()
    if (state !== 'ready' && (await endpoint.waitForChannel(connectTimeoutMs)) !== 'ready') {
      if (!this.isEnded)
        this.onLost(endpoint, unreachableFailure(endpoint.url, 'no connection was made'))
      return
    }
    const known = await endpoint.streamToken()
    if (this.isEnded) return
    if (known.ok) this.openStream(endpoint, known.token)
    else this.onLost(endpoint, known.failure)
  }

  private openStream(endpoint: Endpoint, token: string | undefined): void {
    const stream = endpoint.openStream(watchMethod, {
      needsLeader: this.options.needsLeader ?? true,
      token,
    })
    this.token = token
    this.stream = stream
    this.fragments = []
    const isCurrent = (): boolean => this.stream === stream && !this.isEnded
    stream.on('data', (response: WireResponse) => {
      if (isCurrent()) this.onResponse(endpoint, response)
    })
    stream.on('error', (error: ServiceError) => {
      if (isCurrent()) this.onLost(endpoint, callFailureOf(error, endpoint))
    })
    stream.on('end', () => {
      // A server that ends the stream without an error is shutting down.
      if (isCurrent())
        this.onLost(endpoint, unreachableFailure(endpoint.url, 'the server ended the stream'))
    })
    if (this.isPaused) stream.pause()
    stream.write(this.createRequest())
  }

  private createRequest(): WireRequest {
    const { options } = this
    const filters = [
      ...(options.isWithoutPuts === true ? [WatchCreateRequest_FilterType.NOPUT] : []),
      ...(options.isWithoutDeletes === true ? [WatchCreateRequest_FilterType.NODELETE] : []),
    ]
    return {
      requestUnion: {
        $case: 'createRequest',
        value: {
          ...wireInterval(options.interval),
          startRevision: BigInt(this.nextRevision),
          progressNotify: true,
          filters,
          prevKv: options.needsPrevious,
          watchId: 0n,
          fragment: this.isFragmented,
        },
      },
    }
  }

  private onResponse(endpoint: Endpoint, response: WireResponse): void {
    const headRevision = safeNumber(response.header?.revision ?? 0n)
    if (response.canceled) {
      this.onCanceled(endpoint, response)
    } else if (response.created) {
      this.onCreated(endpoint, headRevision)
    } else if (response.fragment || response.events.length > 0 || this.fragments.length > 0) {
      this.onEvents(response)
    } else if (headRevision > 0) {
      // The server speaks of its own accord under the watch's id, and answers requests under this one.
      const isProven = response.watchId !== streamWideWatchId
      if (isProven) this.nextRevision = Math.max(this.nextRevision, headRevision + 1)
      this.listener.onProgress({ revision: headRevision, isProven })
    }
  }

  private onCreated(endpoint: Endpoint, headRevision: number): void {
    this.environment.pool.markReady(endpoint)
    this.failedAttempts = 0
    if (this.nextRevision === 0) this.nextRevision = headRevision + 1
    const isResumed = this.hasStarted
    this.hasStarted = true
    const isTold = !this.isReopening
    this.isReopening = false
    if (!isTold) return
    this.listener.onStarted({
      startRevision: this.nextRevision,
      endpoint: endpoint.url,
      isResumed,
    })
  }

  private onEvents(response: WireResponse): void {
    const owed =
      this.fragments.length === 0 ? response.events : this.fragments.concat(response.events)
    // Only the last revision may go on in the next fragment; a whole past is too much to be gathered.
    const wholeCount = response.fragment ? countBeforeLastRevision(owed) : owed.length
    this.fragments = owed.slice(wholeCount)
    const events = owed.slice(0, wholeCount).flatMap(eventOf)
    // A server may repeat what was delivered before a resume; each revision is delivered once.
    const newEvents = events.filter((event) => event.pair.modRevision >= this.nextRevision)
    const newest = newEvents.at(-1)
    if (newest !== undefined) {
      this.nextRevision = newest.pair.modRevision + 1
      this.listener.onEvents(newEvents)
    }
    const isOfSmall = response.fragment && response.events.length >= smallChangesMin
    if (isOfSmall && !this.wasTooLarge && !this.isEnded) this.reopen({ isFragmented: false })
  }

  /** Asks anew from the first revision on that is owed. */
  private reopen({ isFragmented }: { readonly isFragmented: boolean }): void {
    this.isFragmented = isFragmented
    this.isReopening = this.hasStarted
    this.closeStream()
    void this.connect()
  }

  private onCanceled(endpoint: Endpoint, response: WireResponse): void {
    const compactRevision = safeNumber(response.compactRevision)
    this.closeStream()
    if (compactRevision > this.nextRevision) {
      const fromRevision = Math.max(this.nextRevision, startRevisionOfEverything)
      this.nextRevision = compactRevision
      this.listener.onGap({ fromRevision, toRevision: compactRevision - 1 })
      void this.connect()
      return
    }
    const failure = failureOfCancelReason(response.cancelReason, endpoint)
    if (this.mayLogInAgain(endpoint, failure)) {
      this.failedAttempts++
      void this.connect()
      return
    }
    this.isEnded = true
    this.listener.onRefused(failure.error)
  }

  /** A forgotten token is no refusal; a new one that is refused too soon is. */
  private mayLogInAgain(endpoint: Endpoint, failure: CallFailure): boolean {
    return this.failedAttempts < loginAttemptsMax && endpoint.noteStreamFailure(failure, this.token)
  }

  private onLost(endpoint: Endpoint, failure: CallFailure): void {
    this.closeStream()
    if (failure.status === 'resourceExhausted' && !this.isFragmented) {
      this.wasTooLarge = true
      this.reopen({ isFragmented: true })
      return
    }
    this.isReopening = false
    const { clock, pool, random } = this.environment
    if (isFinal(failure) && !this.mayLogInAgain(endpoint, failure)) {
      this.isEnded = true
      this.listener.onRefused(failure.error)
      return
    }
    if (failure.isTransportFailure) pool.markFailed(endpoint, reasonOf(failure))
    else pool.moveOnFrom(endpoint)
    if (this.failedAttempts === 0) this.listener.onInterrupted(reasonOf(failure))
    const pauseMs = Math.min(resumePauseMaxMs, resumePauseMinMs * 2 ** this.failedAttempts)
    this.failedAttempts++
    this.pauseTimer = clock.setTimer(pauseMs * (0.5 + random.fraction()), () => {
      void this.connect()
    })
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

/** Failures that would come again at any member and at any time. */
function isFinal(failure: CallFailure): boolean {
  switch (failure.status) {
    case 'unauthenticated':
    case 'permissionDenied':
    case 'unimplemented':
    case 'invalidArgument':
      return true
    default:
      return false
  }
}

/** How many events come before those of the last one's revision. */
function countBeforeLastRevision(events: readonly Event[]): number {
  const last = events.at(-1)?.kv?.modRevision
  let count = events.length
  while (count > 0 && events[count - 1]?.kv?.modRevision === last) count--
  return count
}

function eventOf(event: Event): WatchEvent[] {
  // An event without a pair says nothing; servers do not send it.
  if (event.kv === undefined) return []
  return [
    {
      kind: event.type === Event_EventType.DELETE ? 'delete' : 'put',
      pair: keyValueOf(event.kv),
      ...(event.prevKv === undefined ? {} : { previous: keyValueOf(event.prevKv) }),
    },
  ]
}
