/** What one tab of transactions and queries holds: the text being written, what was found about it, and the answers. */

import { computed, shallowRef } from 'vue'
import type { TxnReply } from '../../preload/contract/kv.ts'
import { queryApi } from '../api/query-api.ts'
import { problemsOf } from './query-check.ts'
import { txnPartsOf, type TxnParts } from './query-compile.ts'
import { emptyTxn, type OperationDraft, type TxnDraft } from './query-draft.ts'
import { evaluate, readsOf, type Evaluation } from './query-evaluate.ts'
import { jsonOfTxn, txnOfJson, type JsonProblem } from './query-json.ts'
import {
  ask,
  askedAnswers,
  emptyRangeForm,
  rangeFormOfText,
  textOfRangeForm,
  type RangeAnswer,
  type RangeFormDraft,
} from './query-range.ts'

/** Reads of one look at a transaction: a server takes no more operations at once. */
const readsPerCall = 100

/** A transaction that was run, and what came of it. */
export interface TxnOutcome {
  readonly parts: TxnParts
  readonly reply: TxnReply
  readonly atMs: number
  readonly durationMs: number
}

/** A session as it is kept for the next start. */
export interface SessionState {
  readonly mode: 'txn' | 'range'
  readonly txn: string
  readonly range: string
}

export class QuerySession {
  readonly connectionId: string
  readonly mode = shallowRef<'txn' | 'range'>('txn')
  readonly view = shallowRef<'form' | 'json'>('form')
  readonly draft = shallowRef<TxnDraft>(emptyTxn)
  readonly jsonText = shallowRef('')
  readonly jsonProblems = shallowRef<readonly JsonProblem[]>([])
  readonly evaluation = shallowRef<Evaluation>()
  readonly evaluationError = shallowRef<unknown>()
  readonly isEvaluating = shallowRef(false)
  readonly outcome = shallowRef<TxnOutcome>()
  readonly runError = shallowRef<unknown>()
  readonly isRunning = shallowRef(false)
  readonly rangeForm = shallowRef<RangeFormDraft>(emptyRangeForm)
  readonly answers = shallowRef<readonly RangeAnswer[]>([])
  /** The form that the answers belong to. */
  readonly answeredForm = shallowRef<RangeFormDraft>()
  readonly problems = computed(() => problemsOf(this.draft.value))
  readonly isRunnable = computed(
    () =>
      this.jsonProblems.value.length === 0 &&
      this.problems.value.every((problem) => problem.isWarning) &&
      this.draft.value.compares.length +
        this.draft.value.thenOperations.length +
        this.draft.value.elseOperations.length >
        0,
  )
  private rangeRun = 0

  constructor(connectionId: string) {
    this.connectionId = connectionId
  }

  /** Chooses between a transaction and a range. */
  setMode(mode: 'txn' | 'range'): void {
    this.mode.value = mode
  }

  /** Takes over what was typed into the range form. */
  writeRange(form: RangeFormDraft): void {
    this.rangeForm.value = form
  }

  /** Puts away what went wrong last. */
  dropErrors(): void {
    this.runError.value = undefined
    this.evaluationError.value = undefined
  }

  /** Takes over what was typed; what was found about the text of before no longer holds. */
  write(draft: TxnDraft): void {
    this.draft.value = draft
    this.evaluation.value = undefined
    this.evaluationError.value = undefined
  }

  /** Replaces the transaction, whatever the view. */
  open(draft: TxnDraft): void {
    this.mode.value = 'txn'
    this.write(draft)
    this.showJson()
  }

  /** Shows the form or the JSON text of the same transaction. Text that cannot be read keeps its view. */
  show(view: 'form' | 'json'): void {
    if (view === 'json') this.showJson()
    if (view === 'form' && this.jsonProblems.value.length > 0) return
    this.view.value = view
  }

  /** Takes over JSON text; the transaction stays as it was while the text cannot be read. */
  writeJson(text: string): void {
    this.jsonText.value = text
    const reading = txnOfJson(text)
    this.jsonProblems.value = reading.kind === 'refused' ? reading.problems : []
    if (reading.kind === 'read') this.write(reading.draft)
  }

  /** Looks what every condition and operation would meet now, all at one revision. */
  async evaluate(): Promise<void> {
    const draft = this.draft.value
    this.isEvaluating.value = true
    this.evaluationError.value = undefined
    try {
      const evaluation = await this.evaluationOf(draft)
      if (this.draft.value === draft) this.evaluation.value = evaluation
    } catch (failure) {
      if (this.draft.value === draft) this.evaluationError.value = failure
    } finally {
      this.isEvaluating.value = false
    }
  }

  /** What a transaction would meet now. Throws `CallError`. */
  async evaluationOf(draft: TxnDraft): Promise<Evaluation> {
    const reads = readsOf(draft)
    const replies = new Map<number, TxnReply['replies'][number]>()
    let revision = 0
    for (let first = 0; first === 0 || first < reads.length; first += readsPerCall) {
      const batch = reads.slice(first, first + readsPerCall)
      const reply = await queryApi.txn({
        connectionId: this.connectionId,
        compares: [],
        // The first batch decides the revision that the others read at.
        thenOperations: batch.map(({ operation }) =>
          revision === 0 ? operation : { ...operation, revision },
        ),
        elseOperations: [],
      })
      if (revision === 0) revision = reply.revision
      batch.forEach(({ rowId }, at) => {
        const one = reply.replies[at]
        if (one !== undefined) replies.set(rowId, one)
      })
    }
    return evaluate(draft, revision, replies)
  }

  /** Runs the transaction; answers whether it was. */
  async run(): Promise<boolean> {
    const parts = txnPartsOf(this.draft.value)
    if (parts === undefined || this.isRunning.value) return false
    this.isRunning.value = true
    this.runError.value = undefined
    const startedAtMs = performance.now()
    try {
      const reply = await queryApi.txn({ connectionId: this.connectionId, ...parts })
      const durationMs = performance.now() - startedAtMs
      this.outcome.value = { parts, reply, atMs: Date.now(), durationMs }
      this.evaluation.value = undefined
      return true
    } catch (failure) {
      this.runError.value = failure
      return false
    } finally {
      this.isRunning.value = false
    }
  }

  /** Reads the range as often as the form says; answers come as they arrive. */
  async runRange(memberIds: readonly bigint[]): Promise<void> {
    const run = ++this.rangeRun
    const form = this.rangeForm.value
    this.answeredForm.value = form
    this.answers.value = askedAnswers(form.reads, memberIds)
    this.isRunning.value = true
    await Promise.all(
      this.answers.value.map(async (asked) => {
        const answer = await ask(this.connectionId, form, asked)
        if (run !== this.rangeRun) return
        this.answers.value = this.answers.value.map((one) => (one.id === answer.id ? answer : one))
      }),
    )
    if (run === this.rangeRun) this.isRunning.value = false
  }

  /** What is kept for the next start. */
  state(): SessionState {
    return {
      mode: this.mode.value,
      txn: jsonOfTxn(this.draft.value),
      range: textOfRangeForm(this.rangeForm.value),
    }
  }

  /** Goes on with what was kept. */
  restore(state: SessionState): void {
    const reading = txnOfJson(state.txn)
    if (reading.kind === 'read') this.write(reading.draft)
    this.rangeForm.value = rangeFormOfText(state.range) ?? emptyRangeForm
    this.mode.value = state.mode
  }

  private showJson(): void {
    if (this.jsonProblems.value.length > 0) return
    this.jsonText.value = jsonOfTxn(this.draft.value)
  }
}

/** Every operation of a transaction that deletes, at any depth. */
export function deletesOf(draft: TxnDraft): readonly Extract<OperationDraft, { kind: 'delete' }>[] {
  return [...draft.thenOperations, ...draft.elseOperations].flatMap((operation) =>
    operation.kind === 'txn'
      ? deletesOf(operation.txn)
      : operation.kind === 'delete'
        ? [operation]
        : [],
  )
}

/** Whether a transaction writes, at any depth. */
export function hasWrites(draft: TxnDraft): boolean {
  return [...draft.thenOperations, ...draft.elseOperations].some((operation) =>
    operation.kind === 'txn' ? hasWrites(operation.txn) : operation.kind !== 'range',
  )
}
