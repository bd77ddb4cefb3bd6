/** One run of a plan: sends its rows, counts what became of them, keeps what an undo needs, and ends with a report. */

import { copyBytes } from '../../core/base/bytes.ts'
import { delay, type Clock } from '../../core/base/clock.ts'
import { noLease } from '../../core/base/ids.ts'
import type { PlanReport, PlanReportLine, PlanRunItem } from '../../preload/contract/plan.ts'
import { bridgeErrorOf } from '../ipc/bridge-error.ts'
import { PlanSender, type RowOutcome, type SenderParts } from './plan-sender.ts'
import { PlanTable, type PlanEntry } from './plan-table.ts'

/** Lines of a report; what is simply done has none. */
const reportLinesMax = 10_000
/** A transaction that is under way may end; beyond this its call is given up, and its keys are read back. */
const cancelPatienceMs = 250
const readBackPatienceMs = 200
const progressEveryMs = 100

/** The counts and lines of a report. */
export type RunResult = Pick<
  PlanReport,
  | 'isCanceled'
  | 'error'
  | 'doneCount'
  | 'putCount'
  | 'deletedCount'
  | 'skippedCount'
  | 'failedCount'
  | 'unknownCount'
  | 'notSentCount'
  | 'firstRevision'
  | 'lastRevision'
  | 'lines'
>

export interface RunParts extends Omit<SenderParts, 'stop' | 'abort' | 'giveUp' | 'onRow'> {
  readonly clock: Clock
  /** Bytes of old values that may be kept; what is above is read from the past for an undo. */
  readonly undoValuesSizeBytesMax: number
  /** Nobody looked at the plan before its run: the report tells of the keys that it left alone from the first. */
  readonly tellsConflicts: boolean
  onProgress(progress: Extract<PlanRunItem, { kind: 'progress' }>): void
}

export class PlanRun {
  /** What an undo would do. */
  readonly undo = new PlanTable()
  undoValuesSizeBytes = 0
  private readonly parts: RunParts
  private readonly table: PlanTable
  private readonly rows: readonly number[]
  private readonly stop = new AbortController()
  private readonly abort = new AbortController()
  private readonly giveUp = new AbortController()
  private readonly lines: PlanReportLine[] = []
  private readonly counts = {
    doneCount: 0,
    putCount: 0,
    deletedCount: 0,
    skippedCount: 0,
    failedCount: 0,
    unknownCount: 0,
    notSentCount: 0,
    firstRevision: 0,
    lastRevision: 0,
  }
  private readonly settled: Uint8Array
  private progressAtMs = Number.NEGATIVE_INFINITY

  /** @param excluded  positions of rows that are not to run; conflicts never run */
  constructor(parts: RunParts, table: PlanTable, excluded: ReadonlySet<number>) {
    this.parts = parts
    this.table = table
    this.settled = new Uint8Array(table.count)
    const rows: number[] = []
    const isBound = (row: number): boolean => row < table.count && table.at(row).isBound === true
    for (let row = 0; row < table.count; row++) {
      const isParted =
        (isBound(row) && excluded.has(row - 1)) || (isBound(row + 1) && excluded.has(row + 1))
      if (!isParted && !excluded.has(row) && table.at(row).act !== 'conflict') rows.push(row)
    }
    this.rows = rows
  }

  /** Runs to the end, or as far as it gets. Never rejects for anything that was expected. */
  async run(): Promise<RunResult> {
    const sender = new PlanSender(
      {
        ...this.parts,
        stop: this.stop.signal,
        abort: this.abort.signal,
        giveUp: this.giveUp.signal,
        onRow: (row, outcome) => {
          this.note(row, outcome)
        },
      },
      this.table,
    )
    if (this.parts.tellsConflicts) this.noteConflicts()
    let failure: unknown
    try {
      await sender.send(this.rows)
    } catch (error) {
      failure = error
    }
    const isCanceled = this.stop.signal.aborted
    const reason =
      failure === undefined || isCanceled
        ? 'The run was cancelled before'
        : bridgeErrorOf(failure).message
    for (const row of this.rows) {
      if (this.settled[row] === 0) this.note(row, { kind: 'notSent', reason })
    }
    return {
      ...this.counts,
      isCanceled,
      ...(failure === undefined || isCanceled ? {} : { error: bridgeErrorOf(failure) }),
      lines: this.lines,
    }
  }

  /** Sends nothing more. The run ends within half a second, whatever the cluster does. */
  async cancel(): Promise<void> {
    if (this.stop.signal.aborted) return
    this.stop.abort()
    await delay(this.parts.clock, cancelPatienceMs)
    this.abort.abort()
    await delay(this.parts.clock, readBackPatienceMs)
    this.giveUp.abort()
  }

  private noteConflicts(): void {
    const reason = 'Written since, or what it held was compacted away'
    for (let row = 0; row < this.table.count; row++) {
      if (this.table.at(row).act === 'conflict') this.note(row, { kind: 'skipped', reason })
    }
  }

  private note(row: number, outcome: RowOutcome): void {
    this.settled[row] = 1
    const entry = this.table.at(row)
    const { counts } = this
    switch (outcome.kind) {
      case 'done':
        this.noteDone(entry, outcome)
        break
      case 'skipped':
        counts.skippedCount++
        break
      case 'failed':
      case 'notApplied':
        counts.failedCount++
        break
      case 'unknown':
        counts.unknownCount++
        break
      case 'notSent':
        counts.notSentCount++
        break
    }
    if (outcome.kind !== 'done') this.addLine(entry, outcome.kind, outcome.reason)
    this.tellProgress()
  }

  private noteDone(entry: PlanEntry, outcome: Extract<RowOutcome, { kind: 'done' }>): void {
    const { counts } = this
    counts.doneCount++
    if (entry.act === 'delete') counts.deletedCount++
    else counts.putCount++
    if (outcome.revision > 0) {
      counts.firstRevision ||= outcome.revision
      counts.lastRevision = outcome.revision
    }
    if (outcome.isReadBack) {
      this.addLine(entry, 'applied', 'The answer was lost; read back: it was written')
    }
    this.keepForUndo(entry, outcome)
  }

  private keepForUndo(entry: PlanEntry, outcome: Extract<RowOutcome, { kind: 'done' }>): void {
    const { previous, revision } = outcome
    const value = previous?.value
    const isKept =
      value !== undefined &&
      this.undoValuesSizeBytes + value.length <= this.parts.undoValuesSizeBytesMax
    if (isKept) this.undoValuesSizeBytes += value.length
    this.undo.add(
      {
        key: entry.key,
        act: entry.act === 'create' ? 'delete' : entry.act === 'delete' ? 'create' : 'update',
        expectedModRevision: entry.act === 'delete' ? 0 : revision,
        oldSizeBytes: entry.newSizeBytes,
        newSizeBytes: entry.oldSizeBytes,
        // Any revision from the old value's own up to just before ours shows it; the newest is compacted last.
        sourceRevision: revision > 0 ? revision - 1 : entry.expectedModRevision,
        lease: previous?.lease ?? noLease,
        hasLostLease: false,
        leaseTtlSeconds: 0,
      },
      isKept ? copyBytes(value) : undefined,
    )
  }

  private addLine(entry: PlanEntry, outcome: PlanReportLine['outcome'], reason: string): void {
    if (this.lines.length >= reportLinesMax) return
    this.lines.push({ key: copyBytes(entry.key), act: entry.act, outcome, reason })
  }

  private tellProgress(): void {
    const nowMs = this.parts.clock.monotonicMs()
    if (nowMs - this.progressAtMs < progressEveryMs) return
    this.progressAtMs = nowMs
    const { doneCount, skippedCount, failedCount, unknownCount } = this.counts
    this.parts.onProgress({
      kind: 'progress',
      doneCount,
      skippedCount,
      failedCount: failedCount + unknownCount,
      totalCount: this.rows.length,
    })
  }
}
