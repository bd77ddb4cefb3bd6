/** Takes what is wanted and what there is, key by key, and keeps what has to be done. */

import { equalBytes } from '../../core/base/bytes.ts'
import { noLease, type LeaseId } from '../../core/base/ids.ts'
import type { KeyValue } from '../../core/client/key-value.ts'
import { planKeysMax } from '../../preload/contract/limits.ts'
import type { PlanAct, PlanSummary } from '../../preload/contract/plan.ts'
import { HostError } from '../host-error.ts'
import { PlanTable, type PlanEntry } from './plan-table.ts'

/** A value to be written. */
export interface WantedValue {
  readonly value: Uint8Array
  readonly lease: LeaseId | 'keep'
  readonly hasLostLease: boolean
  readonly leaseTtlSeconds: number
  /** Where it is read again when the plan runs; 0: it cannot be, so it is kept. */
  readonly sourceRevision: number
}

/** Counts of a plan while it is computed. */
export type PlanCounts = Omit<PlanSummary, 'planId' | 'revision' | 'sourceRevision' | 'shownCount'>

export class PlanBuilder {
  readonly table = new PlanTable()
  private readonly onRow: (entry: PlanEntry) => void
  private readonly counts: { -readonly [Name in keyof PlanCounts]: number } = {
    createCount: 0,
    updateCount: 0,
    deleteCount: 0,
    sameCount: 0,
    conflictCount: 0,
    unreadableCount: 0,
    lostLeaseCount: 0,
    oldSizeBytes: 0,
    newSizeBytes: 0,
  }

  /** @param onRow  told of every row that is kept; the entry's key is a view that lives as long as the table */
  constructor(onRow: (entry: PlanEntry) => void) {
    this.onRow = onRow
  }

  countsSoFar(): PlanCounts {
    return { ...this.counts }
  }

  /** The key is to have this value. */
  put(key: Uint8Array, wanted: WantedValue, current: KeyValue | undefined): void {
    if (current !== undefined && isSame(wanted, current)) {
      this.same()
      return
    }
    this.add(
      {
        key,
        act: current === undefined ? 'create' : 'update',
        expectedModRevision: current?.modRevision ?? 0,
        oldSizeBytes: current?.value.length ?? -1,
        newSizeBytes: wanted.value.length,
        sourceRevision: wanted.sourceRevision,
        lease: wanted.lease,
        hasLostLease: wanted.hasLostLease,
        leaseTtlSeconds: wanted.leaseTtlSeconds,
      },
      wanted.sourceRevision === 0 ? wanted.value : undefined,
    )
  }

  /** The key is to go. */
  delete(current: KeyValue): void {
    this.add({ ...this.without(current.key, 'delete', current) })
  }

  /** A key gets another name: both halves or none. A name that is taken leaves both keys alone. */
  rename(
    {
      from,
      to,
      taken,
    }: { readonly from: KeyValue; readonly to: Uint8Array; readonly taken: KeyValue | undefined },
    wanted: WantedValue,
  ): void {
    if (taken !== undefined) {
      this.conflict(to, taken)
      return
    }
    this.put(to, wanted, undefined)
    this.add({ ...this.without(from.key, 'delete', from), isBound: true })
  }

  /** The key is as wanted. */
  same(): void {
    this.counts.sameCount++
  }

  /** The key is not as expected and is left alone. */
  conflict(key: Uint8Array, current: KeyValue | undefined): void {
    this.add(this.without(key, 'conflict', current))
  }

  /** The wanted value was compacted away. */
  unreadable(key: Uint8Array, current: KeyValue | undefined): void {
    this.counts.unreadableCount++
    this.conflict(key, current)
  }

  private without(key: Uint8Array, act: PlanAct, current: KeyValue | undefined): PlanEntry {
    return {
      key,
      act,
      expectedModRevision: current?.modRevision ?? 0,
      oldSizeBytes: current?.value.length ?? -1,
      newSizeBytes: -1,
      sourceRevision: 0,
      lease: noLease,
      hasLostLease: false,
      leaseTtlSeconds: 0,
    }
  }

  private add(entry: PlanEntry, value?: Uint8Array): void {
    const { table, counts } = this
    if (table.count >= planKeysMax) {
      const limit = planKeysMax.toLocaleString('en')
      throw new HostError(
        'invalidRequest',
        `A plan holds at most ${limit} keys; take a narrower prefix`,
      )
    }
    table.add(entry, value)
    switch (entry.act) {
      case 'create':
        counts.createCount++
        break
      case 'update':
        counts.updateCount++
        break
      case 'delete':
        counts.deleteCount++
        break
      case 'conflict':
        counts.conflictCount++
        break
      case 'same':
        break
    }
    if (entry.act !== 'conflict') {
      counts.oldSizeBytes += Math.max(0, entry.oldSizeBytes)
      counts.newSizeBytes += Math.max(0, entry.newSizeBytes)
    }
    if (entry.hasLostLease) counts.lostLeaseCount++
    this.onRow({ ...entry, key: table.keys.at(table.count - 1) })
  }
}

function isSame(wanted: WantedValue, current: KeyValue): boolean {
  if (!equalBytes(wanted.value, current.value)) return false
  return wanted.lease === 'keep' || wanted.leaseTtlSeconds > 0 || wanted.lease === current.lease
}
