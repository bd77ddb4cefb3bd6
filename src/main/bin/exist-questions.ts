/**
 * Which of many keys exist: asked for 128 in a transaction, and with a few transactions under way, because each of them waits
 * for the server, which is busy with a replay, and for this process.
 */

import type { Clock, Timer } from '../../core/base/clock.ts'
import type { Disposable } from '../../core/base/disposable.ts'
import type { PlanCluster } from '../plans/plan-reading.ts'

/** Questions in one transaction: servers allow 128. */
const questionsAtOnce = 128
const transactionsAtOnce = 4
/** Keys gather this long, so that one transaction asks for many. */
const gatherMs = 20

/** Something with a key. */
interface Asked {
  readonly key: Uint8Array
}

export interface ExistOptions<One extends Asked> {
  readonly clock: Clock
  readonly kv: PlanCluster
  readonly signal: AbortSignal
  /** What was asked, and the revision of each key that exists now; 0: it does not. */
  readonly onAnswer: (asked: readonly One[], modRevisions: readonly number[]) => void
  readonly onFailed: (error: unknown) => void
}

/** Keys by name, each waiting for its question to be answered. Disposing it asks no more. */
export class ExistQuestions<One extends Asked> implements Disposable {
  private readonly options: ExistOptions<One>
  private readonly waiting = new Map<string, One>()
  private underWay = 0
  private timer: Timer | undefined

  constructor(options: ExistOptions<One>) {
    this.options = options
  }

  /** Keys whose question was not sent. */
  get waitingCount(): number {
    return this.waiting.size
  }

  /** Nothing waits for an answer. */
  get isSettled(): boolean {
    return this.waiting.size === 0 && this.underWay === 0
  }

  /** Puts a question, in the place of an older one of the same name that was not sent. */
  put(name: string, one: One): void {
    this.waiting.set(name, one)
  }

  forget(name: string): void {
    this.waiting.delete(name)
  }

  /** Sends what waits: at once where that is much, otherwise a moment later. */
  send(): void {
    if (this.options.signal.aborted) return
    while (this.waiting.size >= questionsAtOnce && this.underWay < transactionsAtOnce) {
      void this.ask()
    }
    // What is left is sent when an answer comes.
    if (this.underWay > 0 || this.waiting.size === 0) return
    this.timer ??= this.options.clock.setTimer(gatherMs, () => {
      this.timer = undefined
      if (this.waiting.size > 0) void this.ask()
    })
  }

  dispose(): void {
    this.timer?.cancel()
  }

  private async ask(): Promise<void> {
    const asked = this.take()
    const { kv, signal, onAnswer, onFailed } = this.options
    this.underWay++
    let modRevisions: readonly number[]
    try {
      const { results } = await kv.txn(
        {
          compares: [],
          thenOperations: asked.map(({ key }) => ({
            ...{ kind: 'range', interval: { start: key }, limit: 1, isKeysOnly: true },
          })),
          elseOperations: [],
        },
        { signal },
      )
      modRevisions = results.map((answer) =>
        answer.kind === 'range' ? (answer.pairs[0]?.modRevision ?? 0) : 0,
      )
    } catch (error) {
      onFailed(error)
      return
    } finally {
      this.underWay--
    }
    if (signal.aborted) return
    this.send()
    onAnswer(asked, modRevisions)
  }

  private take(): readonly One[] {
    const asked: One[] = []
    for (const [name, one] of this.waiting) {
      this.waiting.delete(name)
      asked.push(one)
      if (asked.length === questionsAtOnce) break
    }
    return asked
  }
}
