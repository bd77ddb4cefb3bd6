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
 *
 * A leader that is the only voter needs nobody's word: its own commit index is the answer, in the same turn, without
 * waiting for whatever the driver has in hand.
 */
import type { CancelListener, Cancellation } from '../base/cancellation.ts'
import type { Clock } from '../base/clock.ts'
import { silentLogger, type Logger } from '../base/logger.ts'
import { settled, type Settler } from '../base/settler.ts'
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
  readonly logger?: Logger
  /** Asks Raft for a read index; the answer comes as a `ReadState` with the same context. */
  readonly ask: (context: Uint8Array) => 'accepted' | 'noLeader'
  /** The index that this node can vouch for alone, being the only voter; undefined: others have to be asked. */
  readonly indexAlone: () => LogIndex | undefined
  readonly appliedIndex: () => LogIndex
  /** Tells the driver that there is something to ask. */
  readonly wake: () => void
}

/** All waiting reads of one node. */
export class LinearizableReads {
  /** Questions that were not answered in time, and answers that came too late. */
  slowCount = 0
  /** Questions that a change of leaders left without an answer. */
  failedCount = 0
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

  /** Whether a read may be served from the local state at once, without being kept waiting. */
  isConfirmed(): boolean {
    if (this.isStopped) return false
    const index = this.options.indexAlone()
    return index !== undefined && index <= this.options.appliedIndex()
  }

  /**
   * Waits until a read may be served from the local state.
   *
   * Fails with StoreError `timeout`, `leaderChanged`, `contextCanceled`, `stopped`, `tooManyRequests`.
   */
  join(settler: Settler<void>, cancellation?: Cancellation): void {
    const refusal = this.refusalOf(cancellation)
    if (refusal !== undefined) {
      settler.fail(new StoreError(refusal))
      return
    }
    const waiter = new Waiter(this.clock.monotonicMs(), settler, cancellation)
    cancellation?.setCancelListener(waiter)
    this.joining.push(waiter)
    this.options.wake()
  }

  /** As {@link join}. @throws StoreError as there */
  confirm(cancellation?: Cancellation): Promise<void> {
    return settled((settler) => {
      this.join(settler, cancellation)
    })
  }

  private refusalOf(cancellation: Cancellation | undefined): StoreErrorCode | undefined {
    if (this.isStopped) return 'stopped'
    if (cancellation?.isCanceled === true) return 'contextCanceled'
    return this.joining.length >= waitingCountMax ? 'tooManyRequests' : undefined
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
    const index = this.options.indexAlone()
    this.round = { waiters, attempts: new Set(), sentMs: nowMs, index }
    if (index === undefined) this.attempt(this.round)
    else this.releaseApplied()
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
      else this.slowCount++
    }
    this.releaseApplied()
  }

  /** More entries were applied: the round may be over. */
  releaseApplied(): void {
    const round = this.round
    if (round?.index === undefined || round.index > this.options.appliedIndex()) return
    this.round = undefined
    for (const waiter of round.waiters) waiter.end(undefined)
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
    this.failedCount++
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
      const hasOverdue = endOverdue(round.waiters, latestStartMs)
      if (hasOverdue && round.index === undefined) this.noteSlow()
      if (round.waiters.every((waiter) => waiter.isEnded)) this.round = undefined
      else if (round.index === undefined && nowMs - round.sentMs >= retryMs) this.attempt(round)
    }
    this.pump()
  }

  private noteSlow(): void {
    this.slowCount++
    const { logger = silentLogger, timeoutMs } = this.options
    logger.warn('timed out waiting for read index response (local node might have slow network)', {
      timeout: `${timeoutMs}ms`,
    })
  }

  /** Fails every read, present and future, with `stopped`. */
  stop(): void {
    this.isStopped = true
    if (this.round !== undefined) this.failRound(this.round, 'stopped')
    for (const waiter of this.joining) waiter.end('stopped')
    this.joining = []
  }

  private failRound(round: Round, code: StoreErrorCode): void {
    this.round = undefined
    for (const waiter of round.waiters) waiter.end(code)
    if (this.joining.length > 0) this.options.wake()
  }
}

/** Ends the waits that are over; waiters stand in the order of their start. @returns whether there was one */
function endOverdue(waiters: readonly Waiter[], latestStartMs: number): boolean {
  let hasOverdue = false
  for (const waiter of waiters) {
    if (waiter.startedMs > latestStartMs) break
    hasOverdue ||= !waiter.isEnded
    waiter.end('timeout')
  }
  return hasOverdue
}

/** One read that waits. */
class Waiter implements CancelListener {
  readonly startedMs: number
  isEnded = false
  private readonly settler: Settler<void>
  private readonly cancellation: Cancellation | undefined

  constructor(startedMs: number, settler: Settler<void>, cancellation: Cancellation | undefined) {
    this.startedMs = startedMs
    this.settler = settler
    this.cancellation = cancellation
  }

  canceled(): void {
    this.end('contextCanceled')
  }

  /** @param code  undefined: the read may go on */
  end(code: StoreErrorCode | undefined): void {
    if (this.isEnded) return
    this.isEnded = true
    this.cancellation?.setCancelListener(undefined)
    if (code === undefined) this.settler.succeed()
    else this.settler.fail(new StoreError(code))
  }
}
