/**
 * The plans of the app: computed for pages, run one at a time on each connection, kept for an undo.
 *
 * A plan exists while the stream that computed it is open. What it wrote is kept after its run, within limits: the oldest
 * runs are the first whose undo is given up.
 */

import type { Clock } from '../../core/base/clock.ts'
import { copyBytes, emptyBytes } from '../../core/base/bytes.ts'
import type { Disposable } from '../../core/base/disposable.ts'
import type { LeaseId } from '../../core/base/ids.ts'
import type { TxnResult } from '../../core/client/kv-client.ts'
import { planKeysMax, undoPlansMax } from '../../preload/contract/limits.ts'
import { planColumnsOf, type PlanRow } from '../../preload/contract/plan-columns.ts'
import type {
  PlanItem,
  PlanReport,
  PlanRequest,
  PlanRunItem,
  PlanRunRequest,
  PlanSource,
  PlanSummary,
} from '../../preload/contract/plan.ts'
import { HostError } from '../host-error.ts'
import { intervalOf } from '../ipc/key-conversion.ts'
import { bridgeErrorOf } from '../ipc/bridge-error.ts'
import type { StreamSink } from '../ipc/stream-hub.ts'
import { PlanBuilder } from './plan-builder.ts'
import { computePlan } from './plan-computing.ts'
import type { PlanCluster } from './plan-reading.ts'
import { PlanRun } from './plan-run.ts'
import type { PlanTable } from './plan-table.ts'

/** Rows that cross to the page; the others run unseen, and their number is told. */
export const planRowsShownMax = 100_000
const rowsInFirstMessage = 200
const rowsInMessage = 2_000
/** Old values kept for undos, of all runs together. */
const undoValuesSizeBytesMax = 33_554_432

/** What plans need of a connection. */
export interface PlanTarget {
  readonly connectionId: string
  readonly cluster: PlanCluster
  /** @throws HostError `readOnly` */
  assertWritable(): void
  listLeases(signal: AbortSignal): Promise<ReadonlySet<bigint>>
  grantLease(ttlSeconds: number): Promise<LeaseId>
  /** Runs a write so that the log of operations tells it. */
  record(keys: readonly Uint8Array[], send: () => Promise<TxnResult>): Promise<TxnResult>
}

export interface PlanHostParts {
  readonly clock: Clock
  /** @throws HostError `unknownConnection` */
  target(connectionId: string): PlanTarget
}

interface ReadyPlan {
  readonly planId: number
  readonly connectionId: string
  readonly source: PlanSource
  readonly table: PlanTable
  /** Of the side that values come from. */
  readonly fromConnectionId: string
  readonly subject: Uint8Array
}

interface FinishedRun {
  report: PlanReport
  undo: PlanTable | undefined
  undoValuesSizeBytes: number
}

export class PlanHost {
  private readonly parts: PlanHostParts
  private readonly plans = new Map<number, ReadyPlan>()
  private readonly running = new Map<number, { readonly connectionId: string; run: PlanRun }>()
  /** Newest last. */
  private finished: FinishedRun[] = []
  private newestPlanId = 0

  constructor(parts: PlanHostParts) {
    this.parts = parts
  }

  /** Computes a plan into a sink; the plan is forgotten when the answer is disposed. */
  open(request: PlanRequest, sink: StreamSink<PlanItem>): Disposable {
    const planId = ++this.newestPlanId
    const abort = new AbortController()
    void this.compute(request, { planId, sink, signal: abort.signal })
    return {
      dispose: () => {
        abort.abort()
        this.plans.delete(planId)
      },
    }
  }

  /** Runs a plan into a sink; disposing the answer cancels what was not sent. */
  run(request: PlanRunRequest, sink: StreamSink<PlanRunItem>): Disposable {
    const { planId } = request
    try {
      const run = this.begin(request, sink)
      return {
        dispose: () => {
          void run.cancel()
        },
      }
    } catch (error) {
      sink.end(bridgeErrorOf(error))
      this.running.delete(planId)
      return { dispose: () => undefined }
    }
  }

  /** Ends the sending of a run; one that has ended stays as it is. */
  cancel(planId: number): void {
    void this.running.get(planId)?.run.cancel()
  }

  /** What ran on a connection, newest first. */
  reports(connectionId: string): readonly PlanReport[] {
    return this.finished
      .filter(({ report }) => report.connectionId === connectionId)
      .map(({ report }) => report)
      .reverse()
  }

  private async compute(
    request: PlanRequest,
    stream: {
      readonly planId: number
      readonly sink: StreamSink<PlanItem>
      readonly signal: AbortSignal
    },
  ): Promise<void> {
    const { planId, sink, signal } = stream
    const { connectionId, source } = request
    try {
      const target = this.parts.target(connectionId)
      const fromConnectionId = source.kind === 'apply' ? source.from.connectionId : connectionId
      const from = fromConnectionId === connectionId ? target : this.parts.target(fromConnectionId)
      const rows = new RowSender(sink)
      const builder = new PlanBuilder((entry) => {
        rows.add(entry)
      })
      const place = await computePlan(
        {
          target: target.cluster,
          source: from.cluster,
          signal,
          findLeases: () => target.listLeases(signal),
          findUndo: (id) => this.findUndo(id, connectionId),
          onProgress: (progress) => {
            sink.push({ kind: 'progress', ...progress })
          },
        },
        source,
        builder,
      )
      if (signal.aborted) return
      rows.flush()
      const { table } = builder
      const subject = copyBytes(subjectOf(source, table))
      this.plans.set(planId, { planId, connectionId, source, table, fromConnectionId, subject })
      const counts = builder.countsSoFar()
      const summary: PlanSummary = { planId, ...place, ...counts, shownCount: rows.shownCount }
      sink.push({ kind: 'ready', summary })
    } catch (error) {
      sink.end(bridgeErrorOf(error))
    }
  }

  private begin(request: PlanRunRequest, sink: StreamSink<PlanRunItem>): PlanRun {
    const plan = this.plans.get(request.planId)
    if (plan === undefined) {
      throw new HostError('invalidRequest', 'This plan has run already, or was closed')
    }
    const target = this.parts.target(plan.connectionId)
    target.assertWritable()
    const isBusy = [...this.running.values()].some(
      ({ connectionId }) => connectionId === plan.connectionId,
    )
    if (isBusy) {
      throw new HostError(
        'invalidRequest',
        'Another plan is running on this connection; wait for its end',
      )
    }
    const run = new PlanRun(
      {
        clock: this.parts.clock,
        target: target.cluster,
        source: this.parts.target(plan.fromConnectionId).cluster,
        record: async (keys, send) => {
          // Asked for each transaction: somebody may lock the connection while the plan runs.
          target.assertWritable()
          return target.record(keys, send)
        },
        grantLease: async (ttlSeconds) => {
          target.assertWritable()
          return target.grantLease(ttlSeconds)
        },
        undoValuesSizeBytesMax: Math.max(0, undoValuesSizeBytesMax - this.keptSizeBytes()),
        tellsConflicts: plan.source.kind === 'undo',
        onProgress: sink.push,
      },
      plan.table,
      new Set(request.excludedRows),
    )
    this.plans.delete(plan.planId)
    this.running.set(plan.planId, { connectionId: plan.connectionId, run })
    void this.finish(plan, run, sink)
    return run
  }

  private async finish(
    plan: ReadyPlan,
    run: PlanRun,
    sink: StreamSink<PlanRunItem>,
  ): Promise<void> {
    const { clock } = this.parts
    const { planId, connectionId, source, subject } = plan
    const startedAtMs = clock.wallMs()
    const result = await run.run()
    this.running.delete(planId)
    const report: PlanReport = {
      ...{ planId, connectionId, sourceKind: source.kind, subject, startedAtMs },
      finishedAtMs: clock.wallMs(),
      ...result,
      undoableCount: run.undo.count,
    }
    if (source.kind === 'undo' && result.doneCount > 0) this.dropUndo(source.planId)
    this.finished.push({
      report,
      undo: run.undo.count === 0 ? undefined : run.undo,
      undoValuesSizeBytes: run.undoValuesSizeBytes,
    })
    this.forgetOldest()
    sink.push({ kind: 'report', report })
    sink.end()
  }

  private findUndo(planId: number, connectionId: string): PlanTable | undefined {
    return this.finished.find(
      ({ report }) => report.planId === planId && report.connectionId === connectionId,
    )?.undo
  }

  private keptSizeBytes(): number {
    return this.finished.reduce((sum, { undoValuesSizeBytes }) => sum + undoValuesSizeBytes, 0)
  }

  private dropUndo(planId: number): void {
    for (const one of this.finished) {
      if (one.report.planId === planId) drop(one)
    }
  }

  private forgetOldest(): void {
    this.finished = this.finished.slice(-undoPlansMax)
    let keyCount = 0
    for (const one of [...this.finished].reverse()) {
      keyCount += one.undo?.count ?? 0
      if (keyCount > planKeysMax) drop(one)
    }
  }
}

function drop(run: FinishedRun): void {
  run.undo = undefined
  run.undoValuesSizeBytes = 0
  run.report = { ...run.report, undoableCount: 0 }
}

/** What a plan is about, for titles: its prefix, or its first key. */
function subjectOf(source: PlanSource, table: PlanTable): Uint8Array {
  switch (source.kind) {
    case 'deleteRange':
    case 'restore':
    case 'apply':
      return intervalOf(source.range).start
    case 'rename':
      return source.prefix
    default:
      return table.count === 0 ? emptyBytes : table.keys.at(0)
  }
}

/** Sends rows to the page: a few at once, then in larger messages. */
class RowSender {
  shownCount = 0
  private readonly sink: StreamSink<PlanItem>
  private rows: PlanRow[] = []
  private messageRows = rowsInFirstMessage

  constructor(sink: StreamSink<PlanItem>) {
    this.sink = sink
  }

  add(row: PlanRow): void {
    if (this.shownCount >= planRowsShownMax) return
    this.shownCount++
    this.rows.push(row)
    if (this.rows.length >= this.messageRows) this.flush()
  }

  flush(): void {
    if (this.rows.length === 0) return
    this.sink.push({ kind: 'rows', columns: planColumnsOf(this.rows) })
    this.rows = []
    this.messageRows = rowsInMessage
  }
}
