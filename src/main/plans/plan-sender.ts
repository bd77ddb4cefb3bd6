/**
 * Sends rows of a plan as guarded transactions.
 *
 * A transaction writes all of its rows or none: each row is compared with the mod revision that the plan saw. One that is
 * refused answers with the keys as they are; those that changed are reported and left alone, and the rest is sent again.
 * One that is too large is halved, and so is every later one. One that is refused for a reason that may lie in a single row
 * (a permission, a lease) is halved until that row stands alone. Two rows that are bound to each other (a key and its new
 * name) never part: they are written in one transaction, or neither is.
 *
 * A write whose answer was lost is never sent again: its keys are read back, and the row says what was found.
 */

import { equalBytes } from '../../core/base/bytes.ts'
import { noLease, type LeaseId } from '../../core/base/ids.ts'
import { StoreError } from '../../core/errors/store-error.ts'
import type { KeyValue } from '../../core/client/key-value.ts'
import type { Txn, TxnOperation, TxnResult } from '../../core/client/kv-client.ts'
import type { PlanReportLine } from '../../preload/contract/plan.ts'
import { bridgeErrorOf } from '../ipc/bridge-error.ts'
import { isTooLarge, readKeys, type PlanCluster } from './plan-reading.ts'
import type { PlanEntry, PlanTable } from './plan-table.ts'

/** etcd's defaults; servers may be set up with less. */
const operationsMax = 128
const batchSizeBytesMax = 1_048_576
/** What a row costs beside its key and value: compare, operation and read of the other branch. */
const rowOverheadBytes = 64

/** What the sender needs of the world. */
export interface SenderParts {
  readonly target: PlanCluster
  readonly source: PlanCluster
  /** No further transaction is sent. */
  readonly stop: AbortSignal
  /** Calls under way are given up. */
  readonly abort: AbortSignal
  /** Reading back after a lost answer is given up, too. */
  readonly giveUp: AbortSignal
  /** Makes the write known to the log of operations, and refuses it on a connection that is for reading. */
  record(keys: readonly Uint8Array[], send: () => Promise<TxnResult>): Promise<TxnResult>
  grantLease(ttlSeconds: number): Promise<LeaseId>
  /** Called once a row, with what became of it. */
  onRow(row: number, outcome: RowOutcome): void
}

/** What became of a row. */
export type RowOutcome =
  | {
      readonly kind: 'done'
      /** 0: read back, and the revision is not known. */
      readonly revision: number
      readonly previous: KeyValue | undefined
      readonly isReadBack: boolean
    }
  | { readonly kind: Exclude<PlanReportLine['outcome'], 'applied'>; readonly reason: string }

interface LoadedRow {
  readonly row: number
  readonly entry: PlanEntry
  /** Absent for a delete. */
  readonly value: Uint8Array | undefined
}

export class PlanSender {
  private readonly parts: SenderParts
  private readonly table: PlanTable
  private readonly granted = new Map<number, LeaseId>()
  private operationsMax = operationsMax
  private sizeBytesMax = batchSizeBytesMax

  constructor(parts: SenderParts, table: PlanTable) {
    this.parts = parts
    this.table = table
  }

  /**
   * Sends rows, in order, until all are sent or the signal is aborted.
   *
   * @throws StoreError, HostError  what makes it senseless to go on; rows without an outcome were not sent
   */
  async send(rows: readonly number[]): Promise<void> {
    let next = 0
    while (next < rows.length && !this.parts.stop.aborted) {
      const batch = this.batchFrom(rows, next)
      next += batch.length
      await this.sendRows(await this.load(batch))
    }
  }

  /** As many rows as fit into one transaction and its answer; at least one. */
  private batchFrom(rows: readonly number[], first: number): readonly number[] {
    let sizeBytes = 0
    let end = first
    while (end < rows.length && end - first < this.operationsMax) {
      const { key, oldSizeBytes, newSizeBytes } = this.table.at(rows[end] ?? 0)
      const sent = 3 * key.length + Math.max(0, newSizeBytes) + rowOverheadBytes
      sizeBytes += sent + Math.max(0, oldSizeBytes)
      if (end > first && sizeBytes > this.sizeBytesMax) break
      end++
    }
    // Two rows that belong together go together: in the next transaction, or alone in this one.
    if (end < rows.length && this.table.at(rows[end] ?? 0).isBound === true)
      end += end - first > 1 ? -1 : 1
    return rows.slice(first, end)
  }

  /** Fetches the values that the rows have not kept. */
  private async load(rows: readonly number[]): Promise<readonly LoadedRow[]> {
    const entries = rows.map((row) => ({ row, entry: this.table.at(row) }))
    const absent = entries.filter(
      ({ row, entry }) => entry.act !== 'delete' && !this.table.values.has(row),
    )
    const read = await this.readSource(absent)
    return entries.flatMap(({ row, entry }): LoadedRow[] => {
      if (entry.act === 'delete') return [{ row, entry, value: undefined }]
      const value = this.table.values.get(row) ?? read.get(row)
      if (value !== undefined) return [{ row, entry, value }]
      this.parts.onRow(row, { kind: 'failed', reason: 'The value to be written was compacted' })
      return []
    })
  }

  private async readSource(
    rows: readonly { readonly row: number; readonly entry: PlanEntry }[],
  ): Promise<ReadonlyMap<number, Uint8Array>> {
    const values = new Map<number, Uint8Array>()
    if (rows.length === 0) return values
    const wanted = rows.map(({ entry }) => ({ key: entry.key, revision: entry.sourceRevision }))
    try {
      const pairs = await readKeys(this.parts.source, wanted, this.parts.abort)
      rows.forEach(({ row }, at) => {
        const pair = pairs[at]
        if (pair !== undefined) values.set(row, pair.value)
      })
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'compacted') throw error
      if (rows.length === 1) return values
      const half = rows.length >> 1
      for (const part of [rows.slice(0, half), rows.slice(half)]) {
        for (const [row, value] of await this.readSource(part)) values.set(row, value)
      }
    }
    return values
  }

  private async sendRows(rows: readonly LoadedRow[]): Promise<void> {
    let remaining = rows
    // Each refusal takes at least one row out, so there are at most as many rounds as rows.
    while (remaining.length > 0) {
      const result = await this.sendOnce(remaining)
      if (result === undefined) return
      if (result.hasSucceeded) {
        this.noteDone(remaining, result)
        return
      }
      const changed = withPartners(remaining, (row, at) => hasChanged(row, result, at))
      for (const { row } of changed.length === 0 ? remaining : changed) {
        this.parts.onRow(
          row,
          changed.length === 0
            ? { kind: 'failed', reason: 'The cluster refused it without telling why' }
            : { kind: 'skipped', reason: 'Changed since the preview' },
        )
      }
      if (changed.length === 0 || this.parts.stop.aborted) return
      remaining = remaining.filter((row) => !changed.includes(row))
    }
  }

  /** The answer, or undefined when the rows were dealt with in another way. */
  private async sendOnce(rows: readonly LoadedRow[]): Promise<TxnResult | undefined> {
    try {
      const txn = await this.txnOf(rows)
      const keys = rows.map(({ entry }) => entry.key)
      return await this.parts.record(keys, () =>
        this.parts.target.txn(txn, { signal: this.parts.abort }),
      )
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (this.parts.abort.aborted || error.details['isOutcomeUnknown'] === true) {
        await this.readBack(rows)
        return undefined
      }
      const isDivisible = rows.length > 2 || (rows.length === 2 && rows[1]?.entry.isBound !== true)
      if (isTooLarge(error) && isDivisible) {
        this.shrink(error, rows.length)
        await this.sendHalves(rows)
        return undefined
      }
      if (!mayLieInOneRow(error)) throw error
      if (isDivisible) await this.sendHalves(rows)
      else this.noteFailed(rows, error)
      return undefined
    }
  }

  private async sendHalves(rows: readonly LoadedRow[]): Promise<void> {
    const middle = rows.length >> 1
    const half = rows[middle]?.entry.isBound === true ? middle + 1 : middle
    await this.sendRows(rows.slice(0, half))
    if (!this.parts.stop.aborted) await this.sendRows(rows.slice(half))
  }

  private shrink(error: StoreError, rowCount: number): void {
    if (error.code === 'tooManyOps') this.operationsMax = Math.max(1, rowCount >> 1)
    else this.sizeBytesMax = Math.max(1, this.sizeBytesMax >> 1)
  }

  private async txnOf(rows: readonly LoadedRow[]): Promise<Txn> {
    const thenOperations: TxnOperation[] = []
    for (const { entry, value } of rows) {
      const { key } = entry
      if (value === undefined) {
        thenOperations.push({ kind: 'delete', interval: { start: key }, needsPrevious: true })
        continue
      }
      const lease = await this.leaseOf(entry)
      thenOperations.push({
        ...{ kind: 'put', key, value, needsPrevious: true },
        ...(lease === undefined ? {} : { lease }),
      })
    }
    return {
      compares: rows.map(({ entry }) => ({
        key: entry.key,
        relation: 'equal',
        operand: { kind: 'modRevision', modRevision: entry.expectedModRevision },
      })),
      thenOperations,
      elseOperations: rows.map(({ entry }) => ({
        ...{ kind: 'range', interval: { start: entry.key }, limit: 1, isKeysOnly: true },
      })),
    }
  }

  /** Undefined: the key keeps the lease that it has. */
  private async leaseOf(entry: PlanEntry): Promise<LeaseId | undefined> {
    const { leaseTtlSeconds } = entry
    if (leaseTtlSeconds > 0) {
      const known = this.granted.get(leaseTtlSeconds)
      if (known !== undefined) return known
      const lease = await this.parts.grantLease(leaseTtlSeconds)
      this.granted.set(leaseTtlSeconds, lease)
      return lease
    }
    if (entry.lease !== 'keep') return entry.lease
    // A key that is to be created has no lease to keep.
    return entry.act === 'create' ? noLease : undefined
  }

  private noteDone(rows: readonly LoadedRow[], result: TxnResult): void {
    const { revision } = result.header
    rows.forEach(({ row }, at) => {
      const answer = result.results[at]
      const previous =
        answer?.kind === 'put'
          ? answer.previous
          : answer?.kind === 'delete'
            ? answer.previous[0]
            : undefined
      this.parts.onRow(row, {
        ...{ kind: 'done', revision, isReadBack: false },
        previous,
      })
    })
  }

  private noteFailed(rows: readonly LoadedRow[], error: StoreError): void {
    const reason = bridgeErrorOf(error).message
    for (const { row } of rows) this.parts.onRow(row, { kind: 'failed', reason })
  }

  /** The answer was lost; the keys themselves may tell. They were written all together or not at all. */
  private async readBack(rows: readonly LoadedRow[]): Promise<void> {
    let currents: readonly (KeyValue | undefined)[]
    try {
      currents = await readKeys(
        this.parts.target,
        rows.map(({ entry }) => ({ key: entry.key, revision: 0 })),
        this.parts.giveUp,
      )
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      const reason = `The answer was lost, and the key could not be read back: ${error.message}`
      for (const { row } of rows) this.parts.onRow(row, { kind: 'unknown', reason })
      throw error
    }
    const isUntouched = rows.some(
      ({ entry }, at) => (currents[at]?.modRevision ?? 0) === entry.expectedModRevision,
    )
    rows.forEach((row, at) => {
      this.parts.onRow(row.row, readBackOutcome(row, currents[at], isUntouched))
    })
  }
}

function readBackOutcome(
  { value }: LoadedRow,
  current: KeyValue | undefined,
  isUntouched: boolean,
): RowOutcome {
  if (isUntouched) {
    return { kind: 'notApplied', reason: 'The answer was lost; read back: it was not written' }
  }
  const isAsWritten =
    value === undefined
      ? current === undefined
      : current !== undefined && equalBytes(current.value, value)
  if (!isAsWritten) {
    const reason = 'The answer was lost, and somebody else wrote the key since'
    return { kind: 'unknown', reason }
  }
  // Its previous value is read from the past when it is to be undone.
  return {
    ...{ kind: 'done', revision: current?.modRevision ?? 0, isReadBack: true },
    previous: undefined,
  }
}

/** Rows that are so, with those that are bound to them. */
function withPartners(
  rows: readonly LoadedRow[],
  isSo: (row: LoadedRow, at: number) => boolean,
): readonly LoadedRow[] {
  const found = rows.map(isSo)
  return rows.filter((row, at) => {
    const isWithNext = rows[at + 1]?.entry.isBound === true && found[at + 1] === true
    const isWithPrevious = row.entry.isBound === true && found[at - 1] === true
    return found[at] === true || isWithNext || isWithPrevious
  })
}

function hasChanged({ entry }: LoadedRow, result: TxnResult, at: number): boolean {
  const answer = result.results[at]
  const current = answer?.kind === 'range' ? answer.pairs[0] : undefined
  return (current?.modRevision ?? 0) !== entry.expectedModRevision
}

/** Refusals that name no row, but are often about one. */
function mayLieInOneRow(error: StoreError): boolean {
  switch (error.code) {
    case 'permissionDenied':
    case 'leaseNotFound':
    case 'emptyKey':
    case 'keyNotFound':
    case 'duplicateKey':
    case 'requestTooLarge':
      return true
    default:
      return isTooLarge(error)
  }
}
