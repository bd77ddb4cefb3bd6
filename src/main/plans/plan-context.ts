/** What every way of computing a plan shares: where it reads, which leases are alive, how far it is. */

import { noLease } from '../../core/base/ids.ts'
import type { KeyValue } from '../../core/client/key-value.ts'
import type { WantedValue } from './plan-builder.ts'
import type { PlanCluster } from './plan-reading.ts'
import type { PlanTable } from './plan-table.ts'

/** Keys that are read at once. */
export const chunkKeys = 500
const progressEveryKeys = 1_000

/** What a plan is computed from. */
export interface PlanContext {
  readonly target: PlanCluster
  /** Where wanted values are read; the target itself, but for a plan that brings over another cluster. */
  readonly source: PlanCluster
  /** Leases of the target that exist. */
  findLeases(): Promise<ReadonlySet<bigint>>
  /** What a plan that ran has written, for its undo; undefined: no longer kept. */
  findUndo(planId: number): PlanTable | undefined
  readonly signal: AbortSignal
  onProgress(progress: { readonly lookedAtCount: number; readonly totalCount: number }): void
}

export interface PlanPlace {
  readonly revision: number
  readonly sourceRevision: number
}

/** Leases of wanted values: asked for once, and only when there is one. */
export class LeaseJudge {
  private readonly context: PlanContext
  private leases: ReadonlySet<bigint> | undefined

  constructor(context: PlanContext) {
    this.context = context
  }

  async wantedOf(pair: KeyValue, sourceRevision: number): Promise<WantedValue> {
    const { value } = pair
    const common = { value, sourceRevision, leaseTtlSeconds: 0 }
    if (this.context.source !== this.context.target) {
      // A lease of another cluster means nothing here.
      return { ...common, lease: 'keep', hasLostLease: pair.lease !== noLease }
    }
    if (pair.lease === noLease) return { ...common, lease: noLease, hasLostLease: false }
    this.leases ??= await this.context.findLeases()
    const isAlive = this.leases.has(pair.lease)
    return { ...common, lease: isAlive ? pair.lease : noLease, hasLostLease: !isAlive }
  }
}

/** Tells how many keys were looked at, now and then. */
export class Progress {
  private readonly context: PlanContext
  private lookedAtCount = 0
  private totalCount = 0

  constructor(context: PlanContext) {
    this.context = context
  }

  addTotal(count: number): void {
    this.totalCount += count
  }

  step(): void {
    this.lookedAtCount++
    if (this.lookedAtCount % progressEveryKeys !== 0) return
    this.context.onProgress({ lookedAtCount: this.lookedAtCount, totalCount: this.totalCount })
  }
}
