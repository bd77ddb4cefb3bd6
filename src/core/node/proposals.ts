/**
 * Requests on their way through the log, from the caller to the answer.
 *
 * The problem: whoever proposes learns nothing from Raft but, some time later, that an entry with its request id was
 * applied, or nothing ever. The plain idea: a table of waiters by id. Requests are queued until the driver's next turn, so
 * that all that arrive together share one write; without a leader they stay queued until their time is up. A time-out or an
 * abort ends the wait, not the request: it may still be applied, and the error texts leave that open.
 */
import { encodeEnvelope, type LoggedRequest } from '../apply/request-envelope.ts'
import type { ApplyResult } from '../apply/apply-result.ts'
import type { EntryOutcome } from '../apply/applier.ts'
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { RequestId } from '../base/ids.ts'
import type { StoreErrorCode } from '../errors/error-table.ts'
import { StoreError } from '../errors/store-error.ts'
import type { ProposalOutcome } from '../raft/raft-node.ts'
import type { RequestIds } from './request-ids.ts'

/** Requests that may wait for the driver's next turn, or for a leader. */
const queuedCountMax = 20_000

export interface ProposalOptions {
  readonly timeoutMs: number
  readonly requestSizeBytesMax: number
  /** Tells the driver that there is something to propose. */
  readonly wake: () => void
  /** The cause of a time-out of a request that was proposed at that monotonic time. */
  readonly timeoutCode: (startedMs: number) => StoreErrorCode
}

interface Waiter {
  readonly id: RequestId
  readonly data: Uint8Array
  readonly startedMs: number
  readonly resolve: (result: ApplyResult) => void
  readonly reject: (error: StoreError) => void
  readonly signal: AbortSignal | undefined
  onAbort: (() => void) | undefined
  isProposed: boolean
}

/** The waiters of one node. */
export class Proposals {
  private readonly clock: Clock
  private readonly ids: RequestIds
  private readonly options: ProposalOptions
  /** In the order of their start, therefore also of their time-outs. */
  private readonly waiters = new Map<RequestId, Waiter>()
  /** Not yet given to Raft, in order; may hold some that have ended meanwhile. */
  private queued: Waiter[] = []
  private isStopped = false

  constructor(clock: Clock, ids: RequestIds, options: ProposalOptions) {
    this.clock = clock
    this.ids = ids
    this.options = options
  }

  /** Requests without an answer. */
  get waitingCount(): number {
    return this.waiters.size
  }

  /**
   * Proposes a request and waits for its effect.
   * @throws StoreError `requestTooLarge`, `tooManyRequests`, the kinds of time-out, `canceled`, `stopped`, and whatever applying it answers
   */
  submit(logged: LoggedRequest, signal?: AbortSignal): Promise<ApplyResult> {
    if (this.isStopped) return Promise.reject(new StoreError('stopped'))
    if (signal?.aborted === true) return Promise.reject(new StoreError('canceled'))
    if (this.queued.length >= queuedCountMax)
      return Promise.reject(new StoreError('tooManyRequests'))
    const id = this.ids.draw()
    const data = encodeEnvelope({ id, logged })
    if (data.length > this.options.requestSizeBytesMax) {
      return Promise.reject(new StoreError('requestTooLarge', { sizeBytes: data.length }))
    }
    return new Promise((resolve, reject) => {
      const startedMs = this.clock.monotonicMs()
      this.add({
        id,
        data,
        startedMs,
        resolve,
        reject,
        signal,
        onAbort: undefined,
        isProposed: false,
      })
    })
  }

  private add(waiter: Waiter): void {
    assert(!this.waiters.has(waiter.id), 'request ids are drawn once')
    this.waiters.set(waiter.id, waiter)
    this.queued.push(waiter)
    if (waiter.signal !== undefined) {
      waiter.onAbort = (): void => {
        this.fail(waiter, 'canceled')
      }
      waiter.signal.addEventListener('abort', waiter.onAbort, { once: true })
    }
    this.options.wake()
  }

  /** Gives all queued requests to Raft at once; they stay queued when it cannot take them now. */
  flush(propose: (data: readonly Uint8Array[]) => ProposalOutcome): void {
    if (this.queued.length === 0) return
    const live = this.queued.filter((waiter) => this.waiters.get(waiter.id) === waiter)
    this.queued = live
    if (live.length === 0) return
    if (propose(live.map((waiter) => waiter.data)) !== 'accepted') return
    for (const waiter of live) waiter.isProposed = true
    this.queued = []
  }

  isAwaited(id: RequestId): boolean {
    return this.waiters.has(id)
  }

  /** Hands answers to those who wait for them. */
  settle(outcomes: readonly EntryOutcome[]): void {
    for (const { id, outcome } of outcomes) {
      const waiter = this.waiters.get(id)
      if (waiter === undefined) continue
      this.remove(waiter)
      if (outcome instanceof StoreError) waiter.reject(outcome)
      else waiter.resolve(outcome)
    }
  }

  /** Ends the waits that are over; one call for all of them, a few times a second. */
  sweep(): void {
    const latestStartMs = this.clock.monotonicMs() - this.options.timeoutMs
    for (const waiter of this.waiters.values()) {
      if (waiter.startedMs > latestStartMs) break
      // etcd's answer when Raft never took the request is the caller's deadline, although the caller set none.
      this.fail(
        waiter,
        waiter.isProposed ? this.options.timeoutCode(waiter.startedMs) : 'contextDeadlineExceeded',
      )
    }
  }

  /** Fails every wait, present and future, with `stopped`. */
  stop(): void {
    this.isStopped = true
    for (const waiter of this.waiters.values()) this.fail(waiter, 'stopped')
    this.queued = []
  }

  private fail(waiter: Waiter, code: StoreErrorCode): void {
    this.remove(waiter)
    waiter.reject(new StoreError(code))
  }

  private remove(waiter: Waiter): void {
    this.waiters.delete(waiter.id)
    if (waiter.onAbort !== undefined) waiter.signal?.removeEventListener('abort', waiter.onAbort)
  }
}
