/** The rows of a plan in the main process. */

import type { LeaseId } from '../../core/base/ids.ts'
import { planActs, type PlanAct } from '../../preload/contract/plan.ts'
import { KeyColumn, NumberColumn } from './key-column.ts'

/** What becomes of one key. */
export interface PlanEntry {
  readonly key: Uint8Array
  readonly act: PlanAct
  /** The key must still have this mod revision; 0: it must not exist. */
  readonly expectedModRevision: number
  /** -1 when there is none or it is unknown. */
  readonly oldSizeBytes: number
  readonly newSizeBytes: number
  /** Where the new value is read from when the row has none of its own. */
  readonly sourceRevision: number
  /** Lease of the new value; `keep`: that of the present one. */
  readonly lease: LeaseId | 'keep'
  /** The wanted value had a lease that is gone. */
  readonly hasLostLease: boolean
  /** Seconds of a lease that is granted when the plan runs; 0 for none. */
  readonly leaseTtlSeconds: number
  /** The row is written together with the one before it, or neither is. */
  readonly isBound?: boolean
}

const keepsLease = 1
const lostLease = 2
const boundToPrevious = 4

/** Rows in the order of their keys; numbers in columns, values only where they cannot be read again. */
export class PlanTable {
  readonly keys = new KeyColumn()
  /** New values of rows that have their own. */
  readonly values = new Map<number, Uint8Array>()
  private readonly acts = new NumberColumn()
  private readonly expected = new NumberColumn()
  private readonly oldSizes = new NumberColumn()
  private readonly newSizes = new NumberColumn()
  private readonly sources = new NumberColumn()
  private readonly flags = new NumberColumn()
  private readonly ttls = new NumberColumn()
  /** Few keys have one. */
  private readonly leases = new Map<number, LeaseId>()

  get count(): number {
    return this.keys.count
  }

  add(entry: PlanEntry, value?: Uint8Array): void {
    const row = this.keys.count
    this.keys.add(entry.key)
    this.acts.add(planActs.indexOf(entry.act))
    this.expected.add(entry.expectedModRevision)
    this.oldSizes.add(entry.oldSizeBytes)
    this.newSizes.add(entry.newSizeBytes)
    this.sources.add(entry.sourceRevision)
    this.flags.add(
      (entry.lease === 'keep' ? keepsLease : 0) |
        (entry.hasLostLease ? lostLease : 0) |
        (entry.isBound === true ? boundToPrevious : 0),
    )
    this.ttls.add(entry.leaseTtlSeconds)
    if (entry.lease !== 'keep' && entry.lease !== 0n) this.leases.set(row, entry.lease)
    if (value !== undefined) this.values.set(row, value)
  }

  at(row: number): PlanEntry {
    const flags = this.flags.at(row)
    return {
      key: this.keys.at(row),
      act: planActs[this.acts.at(row)] ?? 'conflict',
      expectedModRevision: this.expected.at(row),
      oldSizeBytes: this.oldSizes.at(row),
      newSizeBytes: this.newSizes.at(row),
      sourceRevision: this.sources.at(row),
      lease: (flags & keepsLease) === 0 ? (this.leases.get(row) ?? (0n as LeaseId)) : 'keep',
      hasLostLease: (flags & lostLease) !== 0,
      leaseTtlSeconds: this.ttls.at(row),
      isBound: (flags & boundToPrevious) !== 0,
    }
  }
}
