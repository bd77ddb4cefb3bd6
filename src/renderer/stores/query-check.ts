/** What is wrong with a transaction before it is sent: row by row, in the order and by the rules of etcd. */

import type { KeyRange, TxnOperation } from '../../preload/contract/kv.ts'
import { keyText } from '../format/bytes-text.ts'
import { compareKeys } from './key-order.ts'
import {
  endsOf,
  operationOf,
  parseBytes,
  parseLease,
  parseNumber,
  rangeOfDraft,
} from './query-compile.ts'
import type { OperationDraft, RangeDraft, ReadOptionsDraft, TxnDraft } from './query-draft.ts'

/** Operations that etcd takes in one transaction unless it was set up otherwise. */
export const operationsUsualMax = 128

export type ProblemCode =
  | 'emptyKey'
  | 'noEnd'
  | 'emptyInterval'
  | 'badNumber'
  | 'badLease'
  | 'badBase64'
  | 'badRead'
  | 'duplicateKey'
  | 'tooManyOperations'

/** Something wrong with a row. A warning may be what the server was set up for. */
export interface Problem {
  /** Absent for what concerns the whole. */
  readonly rowId?: number
  readonly code: ProblemCode
  readonly isWarning: boolean
  /** The row that it clashes with. */
  readonly otherRowId?: number
  readonly detail?: string
}

/** All problems of a transaction; those that are no warnings would be refused. */
export function problemsOf(draft: TxnDraft): readonly Problem[] {
  const problems: Problem[] = []
  checkRows(draft, problems)
  checkCounts(draft, operationsUsualMax, problems)
  for (const operations of [draft.thenOperations, draft.elseOperations]) {
    collectWrites(operations, problems)
  }
  return problems
}

/** What is wrong with a range. */
export function rangeProblem(range: RangeDraft): ProblemCode | undefined {
  if (range.kind === 'key' && range.key === '') return 'emptyKey'
  if (range.kind !== 'interval') return undefined
  const parsed = rangeOfDraft(range)
  if (parsed?.kind !== 'interval') return 'noEnd'
  return compareKeys(parsed.start, parsed.end) >= 0 ? 'emptyInterval' : undefined
}

/** Whether all numbers of a read are numbers. */
export function areReadNumbersGood(options: ReadOptionsDraft): boolean {
  return [
    options.limit,
    options.revision,
    options.minModRevision,
    options.maxModRevision,
    options.minCreateRevision,
    options.maxCreateRevision,
  ].every((text) => text.trim() === '' || parseNumber(text) !== undefined)
}

function checkRows(draft: TxnDraft, problems: Problem[]): void {
  const note = (rowId: number, code: ProblemCode | undefined): void => {
    if (code !== undefined) problems.push({ rowId, code, isWarning: code === 'emptyInterval' })
  }
  for (const { id, range, target, operand } of draft.compares) {
    note(id, rangeProblem(range))
    if (target === 'value') note(id, parseBytes(operand) === undefined ? 'badBase64' : undefined)
    else if (target === 'lease')
      note(id, parseLease(operand.text) === undefined ? 'badLease' : undefined)
    else note(id, parseNumber(operand.text) === undefined ? 'badNumber' : undefined)
  }
  for (const operation of [...draft.thenOperations, ...draft.elseOperations]) {
    if (operation.kind === 'txn') checkRows(operation.txn, problems)
    else note(operation.id, operationProblem(operation))
  }
}

function operationProblem(
  operation: Exclude<OperationDraft, { kind: 'txn' }>,
): ProblemCode | undefined {
  if (operation.kind === 'put') {
    if (operation.key === '') return 'emptyKey'
    if (parseBytes(operation.value) === undefined) return 'badBase64'
    const lease = operation.lease.trim()
    const isGood = lease === '' || lease === 'keep' || parseLease(lease) !== undefined
    return isGood ? undefined : 'badLease'
  }
  const problem = rangeProblem(operation.range)
  if (problem !== undefined || operation.kind === 'delete') return problem
  return areReadNumbersGood(operation.options) ? undefined : 'badRead'
}

/** Each level takes its longest list off the allowance of the levels below. */
function checkCounts(draft: TxnDraft, allowed: number, problems: Problem[]): void {
  const { compares, thenOperations, elseOperations } = draft
  const count = Math.max(compares.length, thenOperations.length, elseOperations.length)
  if (count > allowed) {
    const detail = `${String(count)} / ${String(allowed)}`
    problems.push({ code: 'tooManyOperations', isWarning: true, detail })
    return
  }
  for (const operation of [...thenOperations, ...elseOperations]) {
    if (operation.kind === 'txn') checkCounts(operation.txn, allowed - count, problems)
  }
}

/** What a branch writes, and which row does. */
interface BranchWrites {
  readonly puts: Map<string, { readonly key: Uint8Array; readonly rowId: number }>
  readonly deletes: {
    readonly start: Uint8Array
    readonly end: Uint8Array | undefined
    readonly rowId: number
  }[]
}

/**
 * Puts and deletes of a branch that meet. The order of the comparisons is etcd's: a delete without an upper bound covers
 * nothing, and what an earlier nested transaction puts is not held against what a later one deletes.
 */
function collectWrites(operations: readonly OperationDraft[], problems: Problem[]): BranchWrites {
  const writes: BranchWrites = { puts: new Map(), deletes: [] }
  for (const draft of operations) {
    const operation = draft.kind === 'delete' ? operationOf(draft) : undefined
    const bounds = operation?.kind === 'delete' ? boundsOfDelete(operation) : undefined
    if (bounds !== undefined) writes.deletes.push({ ...bounds, rowId: draft.id })
  }
  for (const draft of operations) {
    if (draft.kind !== 'txn') continue
    const branches = [draft.txn.thenOperations, draft.txn.elseOperations].map((branch) =>
      collectWrites(branch, problems),
    )
    // Only one of the two runs, so they may write the same keys.
    const puts = new Map(branches.flatMap((branch) => [...branch.puts]))
    for (const put of puts.values()) addPut(writes, put, problems)
    for (const branch of branches) writes.deletes.push(...branch.deletes)
  }
  for (const draft of operations) {
    const operation = draft.kind === 'put' ? operationOf(draft) : undefined
    if (operation?.kind === 'put') addPut(writes, { key: operation.key, rowId: draft.id }, problems)
  }
  return writes
}

function addPut(
  writes: BranchWrites,
  put: { readonly key: Uint8Array; readonly rowId: number },
  problems: Problem[],
): void {
  const { key, rowId } = put
  const name = keyText(key)
  const other =
    writes.puts.get(name)?.rowId ??
    writes.deletes.find(({ start, end }) =>
      end === undefined
        ? compareKeys(key, start) === 0
        : compareKeys(key, start) >= 0 && compareKeys(key, end) < 0,
    )?.rowId
  if (other !== undefined) {
    problems.push({
      ...{ rowId, code: 'duplicateKey', isWarning: false, otherRowId: other, detail: name },
    })
  }
  writes.puts.set(name, put)
}

function boundsOfDelete(
  operation: Extract<TxnOperation, { kind: 'delete' }>,
): { readonly start: Uint8Array; readonly end: Uint8Array | undefined } | undefined {
  const range: KeyRange = operation.range
  const { start, end } = endsOf(range)
  return end === 'toLastKey' ? undefined : { start, end }
}
