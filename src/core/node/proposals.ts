/**
 * Requests on their way through the log, from the caller to the answer.
 *
 * The problem: whoever proposes learns nothing from Raft but, some time later, that an entry with its request id was
 * applied, or nothing ever. The plain idea: a table of waiters by id. Requests are queued until the driver's next turn, so
 * that all that arrive together share one write; without a leader they stay queued until their time is up. A time-out or an
 * abort ends the wait, not the request: it may still be applied, and the error texts leave that open.
 */
import { EnvelopeEncoder, type LoggedRequest } from '../apply/request-envelope.ts'
import type { ApplyResult } from '../apply/apply-result.ts'
import type { EntryOutcome } from '../apply/applier.ts'
import { assert } from '../base/assert.ts'
import type { CancelListener, Cancellation } from '../base/cancellation.ts'
import type { Clock } from '../base/clock.ts'
import type { RequestId } from '../base/ids.ts'
import { settled, type Settler } from '../base/settler.ts'
import type { StoreErrorCode } from '../errors/error-table.ts'
import { StoreError } from '../errors/store-error.ts'
import type { TxnRequest } from '../proto/gen/rpc.ts'
import { wireFormOf } from '../proto/kv-request-codec.ts'
import type { ProposalOutcome } from '../raft/raft-node.ts'
import type { Caller } from './caller.ts'
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

/** The waiters of one node. */
export class Proposals {
  /** Waits that ended without an effect. */
  failedCount = 0
  /** Waits that ended with one, or with a refusal by what was applied. */
  settledCount = 0
  private readonly clock: Clock
  private readonly ids: RequestIds
  private readonly options: ProposalOptions
  private readonly envelopes = new EnvelopeEncoder()
  /** In the order of their start, therefore also of their time-outs. */
  private readonly waiters = new Map<RequestId, Waiter>()
  /** Not yet given to Raft, in order; may hold some that have ended meanwhile. */
  private queued: Waiter[] = []
  private queuedChanges: Waiter[] = []
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

  /** Requests that wait for the driver's next turn, or for a leader. */
  get queuedCount(): number {
    return this.queued.length
  }

  /**
   * Proposes a request and waits for its effect.
   * @throws StoreError `requestTooLarge`, `tooManyRequests`, the kinds of time-out, `canceled`, `stopped`, and whatever applying it answers
   */
  submit(logged: LoggedRequest, caller?: Caller): Promise<ApplyResult> {
    return settled((settler) => {
      this.begin(logged, settler, caller)
    })
  }

  /** As {@link submit}, without a promise. */
  begin(logged: LoggedRequest, settler: Settler<ApplyResult>, caller?: Caller): void {
    const refusal = this.refusalOf(caller)
    if (refusal !== undefined) {
      settler.fail(new StoreError(refusal))
      return
    }
    const id = this.ids.draw()
    const data = this.envelopes.encode({ id, logged, requester: caller?.requester })
    if (data.length > this.options.requestSizeBytesMax) {
      settler.fail(new StoreError('requestTooLarge', { sizeBytes: data.length }))
      return
    }
    assert(!this.waiters.has(id), 'request ids are drawn once')
    const waiter = new Waiter(this, { id, data, startedMs: this.clock.monotonicMs() }, settler)
    waiter.cancellation = caller
    if (logged.kind === 'txn' && wireFormOf(logged.request) !== undefined)
      waiter.txn = logged.request
    caller?.setCancelListener(waiter)
    this.waiters.set(id, waiter)
    this.queued.push(waiter)
    this.options.wake()
  }

  /**
   * Proposes a change of membership and waits for its effect.
   * @param encode  the entry that carries the id by which its answer is found
   */
  submitChange(encode: (id: RequestId) => Uint8Array): Promise<ApplyResult> {
    return settled((settler) => {
      const refusal = this.refusalOf(undefined)
      if (refusal !== undefined) {
        settler.fail(new StoreError(refusal))
        return
      }
      const id = this.ids.draw()
      const startedMs = this.clock.monotonicMs()
      const waiter = new Waiter(this, { id, data: encode(id), startedMs }, settler)
      this.waiters.set(id, waiter)
      this.queuedChanges.push(waiter)
      this.options.wake()
    })
  }

  /** Gives queued changes of membership to Raft, one by one; they stay queued when it cannot take them now. */
  flushChanges(propose: (data: Uint8Array) => ProposalOutcome): void {
    if (this.queuedChanges.length === 0) return
    this.queuedChanges = this.queuedChanges.filter((waiter) => {
      if (this.waiters.get(waiter.id) !== waiter) return false
      const outcome = propose(waiter.data)
      // A change that came too early is dropped by Raft; as with etcd, its wait runs out.
      waiter.isProposed = outcome === 'accepted' || outcome === 'confChangePending'
      return !waiter.isProposed
    })
  }

  private refusalOf(cancellation: Cancellation | undefined): StoreErrorCode | undefined {
    if (this.isStopped) return 'stopped'
    if (cancellation?.isCanceled === true) return 'canceled'
    return this.queued.length >= queuedCountMax ? 'tooManyRequests' : undefined
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

  /** The transaction that an entry was made from, if it is this very entry and not one that came back from a peer. */
  findKnownTxn(id: RequestId, data: Uint8Array): TxnRequest | undefined {
    const waiter = this.waiters.get(id)
    return waiter?.data === data ? waiter.txn : undefined
  }

  /** Hands answers to those who wait for them. */
  settle(outcomes: readonly EntryOutcome[]): void {
    for (const { id, outcome } of outcomes) {
      const waiter = this.waiters.get(id)
      if (waiter === undefined) continue
      this.settledCount++
      this.remove(waiter)
      if (outcome instanceof StoreError) waiter.settler.fail(outcome)
      else waiter.settler.succeed(outcome)
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

  /** Ends one wait. For the waiters themselves too. */
  fail(waiter: Waiter, code: StoreErrorCode): void {
    this.failedCount++
    this.remove(waiter)
    waiter.settler.fail(new StoreError(code))
  }

  private remove(waiter: Waiter): void {
    this.waiters.delete(waiter.id)
    waiter.cancellation?.setCancelListener(undefined)
  }
}

/** One request that waits for its effect. */
class Waiter implements CancelListener {
  readonly id: RequestId
  readonly data: Uint8Array
  readonly startedMs: number
  readonly settler: Settler<ApplyResult>
  cancellation: Cancellation | undefined
  isProposed = false
  /** Where it was read from bytes that went into the log as they are. */
  txn: TxnRequest | undefined
  private readonly owner: Proposals

  constructor(
    owner: Proposals,
    request: { readonly id: RequestId; readonly data: Uint8Array; readonly startedMs: number },
    settler: Settler<ApplyResult>,
  ) {
    this.owner = owner
    this.id = request.id
    this.data = request.data
    this.startedMs = request.startedMs
    this.settler = settler
  }

  canceled(): void {
    this.owner.fail(this, 'canceled')
  }
}
