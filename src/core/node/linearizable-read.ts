/**
 * Reads that must see everything acknowledged before they began.
 *
 * The problem: a node that believes to lead may have been replaced, and a follower lags. The plain idea, from section 6.4
 * of the Raft thesis: ask the leader for its commit index, let it confirm by a round of heartbeats that it still leads, and
 * serve the read once that index is applied here. All reads that arrive while a round is under way share the next one: an
 * index taken before a read arrived proves nothing for it. Example: reads a and b wait, round 1 starts with both, c
 * arrives, the index 41 comes back, 41 is applied, a and b go on, round 2 starts with c.
 *
 * Every attempt carries a fresh id, so that an answer to an earlier attempt cannot be taken for one to a later round
 * (etcd #20418, #21375).
 */
import type { Clock } from '../base/clock.ts'
import type { StoreErrorCode } from '../errors/error-table.ts'
import { StoreError } from '../errors/store-error.ts'
import type { LogIndex } from '../raft/message.ts'
import type { ReadState } from '../raft/ready.ts'
import type { RequestIds } from './request-ids.ts'

/** A lost question is repeated after this long; etcd's figure. */
const retryMs = 500

/** Time of asking of a question that must be put again in the next turn. */
const askAgain = Number.NEGATIVE_INFINITY

/** Reads that may wait; each is one small record. */
const waitingCountMax = 100_000

interface Waiter {
  readonly startedMs: number
  readonly resolve: () => void
  readonly reject: (error: StoreError) => void
  readonly signal: AbortSignal | undefined
  onAbort: (() => void) | undefined
  isEnded: boolean
}

interface Round {
  readonly waiters: readonly Waiter[]
  /** Ids of all attempts so far; an answer to any of them will do. */
  readonly attempts: Set<bigint>
  sentMs: number
  /** Set once the leader has confirmed: what must be applied before the reads go on. */
  index: LogIndex | undefined
}

export interface LinearizableReadOptions {
  readonly timeoutMs: number
  /** Asks Raft for a read index; the answer comes as a `ReadState` with the same context. */
  readonly ask: (context: Uint8Array) => 'accepted' | 'noLeader'
  readonly appliedIndex: () => LogIndex
  /** Tells the driver that there is something to ask. */
  readonly wake: () => void
}

/** All waiting reads of one node. */
export class LinearizableReads {
  private readonly clock: Clock
  private readonly ids: RequestIds
  private readonly options: LinearizableReadOptions
  private joining: Waiter[] = []
  private round: Round | undefined
  private isStopped = false

  constructor(clock: Clock, ids: RequestIds, options: LinearizableReadOptions) {
    this.clock = clock
    this.ids = ids
    this.options = options
  }

  /**
   * Resolves when a read may be served from the local state.
   * @throws StoreError `timeout`, `leaderChanged`, `contextCanceled`, `stopped`, `tooManyRequests`
   */
  confirm(signal?: AbortSignal): Promise<void> {
    if (this.isStopped) return Promise.reject(new StoreError('stopped'))
    if (signal?.aborted === true) return Promise.reject(new StoreError('contextCanceled'))
    if (this.joining.length >= waitingCountMax)
      return Promise.reject(new StoreError('tooManyRequests'))
    return new Promise((resolve, reject) => {
      const startedMs = this.clock.monotonicMs()
      const waiter: Waiter = {
        startedMs,
        resolve,
        reject,
        signal,
        onAbort: undefined,
        isEnded: false,
      }
      if (signal !== undefined) {
        waiter.onAbort = (): void => {
          end(waiter, 'contextCanceled')
        }
        signal.addEventListener('abort', waiter.onAbort, { once: true })
      }
      this.joining.push(waiter)
      this.options.wake()
    })
  }

  /** Starts the next round when none is under way, or repeats a question at once; called in each of the driver's turns. */
  pump(): void {
    if (this.round !== undefined) {
      if (this.round.index === undefined && this.round.sentMs === askAgain) this.attempt(this.round)
      return
    }
    if (this.joining.length === 0) return
    const waiters = this.joining.filter((waiter) => !waiter.isEnded)
    this.joining = []
    if (waiters.length === 0) return
    const nowMs = this.clock.monotonicMs()
    this.round = { waiters, attempts: new Set(), sentMs: nowMs, index: undefined }
    this.attempt(this.round)
  }

  private attempt(round: Round): void {
    const id = this.ids.draw()
    const context = new Uint8Array(8)
    new DataView(context.buffer).setBigUint64(0, id)
    round.sentMs = this.clock.monotonicMs()
    if (this.options.ask(context) === 'accepted') round.attempts.add(id)
  }

  /** Raft confirmed some questions; those of other rounds are ignored. */
  takeReadStates(states: readonly ReadState[]): void {
    for (const { index, context } of states) {
      const round = this.round
      if (round === undefined || round.index !== undefined || context.length !== 8) continue
      const id = new DataView(context.buffer, context.byteOffset, 8).getBigUint64(0)
      if (round.attempts.has(id)) round.index = index
    }
    this.releaseApplied()
  }

  /** More entries were applied: the round may be over. */
  releaseApplied(): void {
    const round = this.round
    if (round?.index === undefined || round.index > this.options.appliedIndex()) return
    this.round = undefined
    for (const waiter of round.waiters) end(waiter, undefined)
    if (this.joining.length > 0) this.options.wake()
  }

  /** Another leader: what the old one was asked proves nothing. A question that nobody took is simply put again. */
  noteNewLeader(): void {
    const round = this.round
    if (round === undefined || round.index !== undefined) return
    if (round.attempts.size === 0) {
      round.sentMs = askAgain
      this.options.wake()
      return
    }
    this.failRound(round, 'leaderChanged')
  }

  /** The first entry of a term was applied: a leader may answer now what it had to leave open. */
  noteTermStart(): void {
    const round = this.round
    if (round === undefined || round.index !== undefined) return
    round.sentMs = askAgain
    this.options.wake()
  }

  /** Repeats an unanswered question and ends waits that are over; a few times a second, and after a new leader. */
  sweep(): void {
    const nowMs = this.clock.monotonicMs()
    const latestStartMs = nowMs - this.options.timeoutMs
    // Each read has its own time limit: one that joined while a round was under way would wait twice as long with the
    // rounds' alone.
    endOverdue(this.joining, latestStartMs)
    this.joining = this.joining.filter((waiter) => !waiter.isEnded)
    const { round } = this
    if (round !== undefined) {
      endOverdue(round.waiters, latestStartMs)
      if (round.waiters.every((waiter) => waiter.isEnded)) this.round = undefined
      else if (round.index === undefined && nowMs - round.sentMs >= retryMs) this.attempt(round)
    }
    this.pump()
  }

  /** Fails every read, present and future, with `stopped`. */
  stop(): void {
    this.isStopped = true
    if (this.round !== undefined) this.failRound(this.round, 'stopped')
    for (const waiter of this.joining) end(waiter, 'stopped')
    this.joining = []
  }

  private failRound(round: Round, code: StoreErrorCode): void {
    this.round = undefined
    for (const waiter of round.waiters) end(waiter, code)
    if (this.joining.length > 0) this.options.wake()
  }
}

/** Ends the waits that are over; waiters stand in the order of their start. */
function endOverdue(waiters: readonly Waiter[], latestStartMs: number): void {
  for (const waiter of waiters) {
    if (waiter.startedMs > latestStartMs) return
    end(waiter, 'timeout')
  }
}

function end(waiter: Waiter, code: StoreErrorCode | undefined): void {
  if (waiter.isEnded) return
  waiter.isEnded = true
  if (waiter.onAbort !== undefined) waiter.signal?.removeEventListener('abort', waiter.onAbort)
  if (code === undefined) waiter.resolve()
  else waiter.reject(new StoreError(code))
}
