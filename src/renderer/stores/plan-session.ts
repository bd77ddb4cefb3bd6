/** One plan on its way: computed, looked at, run, reported. */

import { computed, shallowRef, triggerRef } from 'vue'
import { planRowAt, type PlanRow } from '../../preload/contract/plan-columns.ts'
import type {
  PlanColumns,
  PlanReport,
  PlanRequest,
  PlanRunItem,
  PlanSummary,
} from '../../preload/contract/plan.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import type { CallError } from '../api/bridge.ts'
import { planApi } from '../api/plan-api.ts'

/** More keys than this are confirmed by typing their number. */
const typedAboveKeys = 100

/** What a screen wants to be done. */
export interface PlanIntent extends PlanRequest {
  /** What the keys have in common, for titles: a prefix, a folder, a file's name. Text, never markup. */
  readonly subject: string
  /** Runs without waiting for a confirmation: for an undo, and for a few keys that the user named one by one. */
  readonly isImmediate?: boolean
}

/** Where a plan stands. */
export type PlanPhase = 'computing' | 'ready' | 'running' | 'reported' | 'failed'

let lastId = 0

export class PlanSession {
  /** Differs for each plan that is begun. */
  readonly id = ++lastId
  readonly intent: PlanIntent
  readonly phase = shallowRef<PlanPhase>('computing')
  readonly rowCount = shallowRef(0)
  readonly lookedAt = shallowRef({ lookedAtCount: 0, totalCount: 0 })
  readonly summary = shallowRef<PlanSummary>()
  /** Positions of rows that the user took out. */
  readonly excluded = shallowRef<ReadonlySet<number>>(new Set())
  readonly progress = shallowRef<Extract<PlanRunItem, { kind: 'progress' }>>()
  readonly report = shallowRef<PlanReport>()
  readonly error = shallowRef<CallError>()
  readonly isCancelling = shallowRef(false)
  /** Keys that will be written. */
  readonly writeCount = computed(() => {
    const summary = this.summary.value
    if (summary === undefined) return 0
    const { createCount, updateCount, deleteCount } = summary
    return createCount + updateCount + deleteCount - this.excluded.value.size
  })
  private readonly chunks: { readonly first: number; readonly columns: PlanColumns }[] = []
  private readonly onReported: (session: PlanSession) => void
  private plan: Subscription | undefined
  private running: Subscription | undefined

  constructor(intent: PlanIntent, onReported: (session: PlanSession) => void) {
    this.intent = intent
    this.onReported = onReported
    const { connectionId, source } = intent
    this.plan = planApi.open(
      { connectionId, source },
      {
        onBatch: (items) => {
          for (const item of items) {
            if (item.kind === 'progress') this.lookedAt.value = item
            else if (item.kind === 'rows') this.addRows(item.columns)
            else this.becomeReady(item.summary)
          }
        },
        onEnd: (error) => {
          this.fail(error)
        },
      },
    )
  }

  /** The row at a position, or undefined outside of those that were sent. */
  rowAt(position: number): PlanRow | undefined {
    let low = 0
    let high = this.chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.chunks[middle]?.first ?? 0) <= position) low = middle + 1
      else high = middle
    }
    const chunk = this.chunks[low - 1]
    if (chunk === undefined || position - chunk.first >= chunk.columns.rowCount) return undefined
    return planRowAt(chunk.columns, position - chunk.first)
  }

  /** Takes a row out, or in again. A conflict never runs. */
  toggle(position: number): void {
    if (this.phase.value !== 'ready' || this.rowAt(position)?.act === 'conflict') return
    const excluded = new Set(this.excluded.value)
    const isIn = excluded.has(position)
    for (const row of this.togetherWith(position)) {
      if (isIn) excluded.delete(row)
      else excluded.add(row)
    }
    this.excluded.value = excluded
  }

  /** A key and its new name are two rows that follow each other; either stands for both. */
  private togetherWith(position: number): readonly number[] {
    if (this.intent.source.kind !== 'rename') return [position]
    const isNewName = this.rowAt(position)?.act === 'create'
    return isNewName ? [position, position + 1] : [position - 1, position]
  }

  /** Whether the number of keys has to be typed: wide acts, and in production every one. */
  needsTyping(isProduction: boolean): boolean {
    const { source } = this.intent
    if (source.kind === 'undo') return isProduction && this.writeCount.value > typedAboveKeys
    if (isProduction || this.writeCount.value > typedAboveKeys) return true
    const isOver =
      (this.summary.value?.updateCount ?? 0) + (this.summary.value?.deleteCount ?? 0) > 0
    switch (source.kind) {
      case 'deleteRange':
        return true
      case 'restore':
      case 'apply':
        return source.keys === undefined && isOver
      case 'import':
        return isOver
      default:
        return false
    }
  }

  run(): void {
    const summary = this.summary.value
    if (this.phase.value !== 'ready' || summary === undefined) return
    this.phase.value = 'running'
    const { planId } = summary
    this.running = planApi.run(
      { planId, excludedRows: Uint32Array.from(this.excluded.value) },
      {
        onBatch: (items) => {
          for (const item of items) {
            if (item.kind === 'progress') this.progress.value = item
            else this.becomeReported(item.report)
          }
        },
        onEnd: (error) => {
          if (this.phase.value === 'running') this.fail(error)
        },
      },
    )
  }

  /** Stops the sending; what was written stays, and the report says so. */
  async cancelRun(): Promise<void> {
    const planId = this.summary.value?.planId
    if (planId === undefined || this.isCancelling.value) return
    this.isCancelling.value = true
    await planApi.cancel(planId)
  }

  /** Forgets the plan; a run that is under way is cancelled. */
  close(): void {
    this.plan?.close()
    this.running?.close()
    this.plan = undefined
    this.running = undefined
  }

  private addRows(columns: PlanColumns): void {
    this.chunks.push({ first: this.rowCount.value, columns })
    this.rowCount.value += columns.rowCount
    triggerRef(this.rowCount)
  }

  private becomeReady(summary: PlanSummary): void {
    this.summary.value = summary
    this.phase.value = 'ready'
    if (this.intent.isImmediate === true && this.writeCount.value > 0) this.run()
  }

  private becomeReported(report: PlanReport): void {
    this.report.value = report
    this.phase.value = 'reported'
    this.plan?.close()
    this.onReported(this)
  }

  private fail(error: CallError | undefined): void {
    if (this.phase.value === 'reported') return
    this.error.value = error
    this.phase.value = 'failed'
  }
}
