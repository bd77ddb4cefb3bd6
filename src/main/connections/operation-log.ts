/** Everything that this app changed in a cluster, in order, without values. */

import { StoreError } from '../../core/errors/store-error.ts'
import type { Clock } from '../../core/base/clock.ts'
import type { Operation } from '../../preload/contract/operation.ts'
import { bridgeErrorOf } from '../ipc/bridge-error.ts'
import type { Connection } from './connection.ts'

/** Kept for pages that open the log later. */
const operationsKeptMax = 1_000

/** What a write does, before it is sent. */
export interface OperationStart {
  readonly call: string
  readonly key?: Uint8Array
  readonly keyCount: number
  readonly commandLine: string
}

export class OperationLog {
  private readonly clock: Clock
  private readonly listeners = new Set<(operation: Operation) => void>()
  private kept: Operation[] = []
  private newestSequence = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  list(): readonly Operation[] {
    return this.kept
  }

  onOperation(listener: (operation: Operation) => void): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /** Runs a write and notes what became of it; a failure goes on to the caller. */
  async record<Result extends { readonly revision: number }>(
    connection: Connection,
    start: OperationStart,
    run: () => Promise<Result>,
  ): Promise<Result> {
    const startedAtMs = this.clock.wallMs()
    const startedMonotonicMs = this.clock.monotonicMs()
    const note = (outcome: Pick<Operation, 'outcome' | 'revision' | 'reason'>): void => {
      this.add({
        sequence: ++this.newestSequence,
        connectionId: connection.description.id,
        connectionName: connection.description.name,
        startedAtMs,
        durationMs: this.clock.monotonicMs() - startedMonotonicMs,
        ...start,
        ...outcome,
      })
    }
    try {
      const result = await run()
      note({ outcome: 'done', revision: result.revision })
      return result
    } catch (error) {
      const isUnknown = error instanceof StoreError && error.details['isOutcomeUnknown'] === true
      note({ outcome: isUnknown ? 'unknown' : 'refused', reason: bridgeErrorOf(error).message })
      throw error
    }
  }

  private add(operation: Operation): void {
    this.kept.push(operation)
    if (this.kept.length > operationsKeptMax) this.kept = this.kept.slice(-operationsKeptMax)
    for (const listener of this.listeners) listener(operation)
  }
}
