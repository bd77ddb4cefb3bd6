/**
 * What a transaction would do now: every condition and every target of a write is read in one transaction that only
 * reads, so that all answers are of one revision.
 */

import type {
  Compare,
  KeyRange,
  KeyValue,
  TxnOperation,
  TxnOperationReply,
} from '../../preload/contract/kv.ts'
import { compareKeys } from './key-order.ts'
import { compareOf, operationOf } from './query-compile.ts'
import type { CompareDraft, OperationDraft, TxnDraft } from './query-draft.ts'

/** Keys of a condition's range that are looked at. */
const comparedKeysMax = 2_000

/** Whether a condition holds; `unknown`: it holds for all keys that were looked at, and there are more. */
export type Verdict = 'true' | 'false' | 'unknown'

/** What was found about each row of a transaction, by its id. */
export interface Evaluation {
  readonly revision: number
  readonly compares: ReadonlyMap<number, CompareFinding>
  readonly operations: ReadonlyMap<number, OperationFinding>
  /** Which branch of each transaction would run, by the id of its row; the outermost under 0. */
  readonly branches: ReadonlyMap<number, 'then' | 'else' | 'unknown'>
}

export interface CompareFinding {
  readonly verdict: Verdict
  readonly keyCount: number
  /** The pair, where the condition names one key that exists. */
  readonly pair?: KeyValue
}

export interface OperationFinding {
  /** Keys that exist now in what the operation names. */
  readonly keyCount: number
}

/** One thing to be read, and for which row. */
export interface EvaluationRead {
  readonly rowId: number
  readonly operation: Extract<TxnOperation, { kind: 'range' }>
}

/** Everything that has to be read to know what a transaction would do. */
export function readsOf(draft: TxnDraft): readonly EvaluationRead[] {
  const reads: EvaluationRead[] = []
  for (const compare of draft.compares) {
    const parsed = compareOf(compare)
    if (parsed === undefined) continue
    const range = rangeOfCompare(parsed)
    const isKeysOnly = parsed.operand.kind !== 'value'
    const operation = { kind: 'range', range, limit: comparedKeysMax, isKeysOnly } as const
    reads.push({ rowId: compare.id, operation })
  }
  for (const operation of [...draft.thenOperations, ...draft.elseOperations]) {
    if (operation.kind === 'txn') {
      reads.push(...readsOf(operation.txn))
      continue
    }
    const range = rangeOfOperation(operation)
    if (range === undefined) continue
    reads.push({
      rowId: operation.id,
      operation: { kind: 'range', range, limit: 1, isCountOnly: true },
    })
  }
  return reads
}

/** Puts the answers to `readsOf` together. */
export function evaluate(
  draft: TxnDraft,
  revision: number,
  replies: ReadonlyMap<number, TxnOperationReply>,
): Evaluation {
  const compares = new Map<number, CompareFinding>()
  const operations = new Map<number, OperationFinding>()
  const branches = new Map<number, 'then' | 'else' | 'unknown'>()
  const visit = (txn: TxnDraft, rowId: number): void => {
    const verdicts = txn.compares.map((compare): Verdict => {
      const finding = findingOf(compare, replies.get(compare.id))
      compares.set(compare.id, finding)
      return finding.verdict
    })
    const branch = verdicts.includes('false')
      ? 'else'
      : verdicts.includes('unknown')
        ? 'unknown'
        : 'then'
    branches.set(rowId, branch)
    for (const operation of [...txn.thenOperations, ...txn.elseOperations]) {
      if (operation.kind === 'txn') visit(operation.txn, operation.id)
      const reply = replies.get(operation.id)
      if (reply?.kind === 'range') operations.set(operation.id, { keyCount: reply.count })
    }
  }
  visit(draft, 0)
  return { revision, compares, operations, branches }
}

function findingOf(compare: CompareDraft, reply: TxnOperationReply | undefined): CompareFinding {
  const parsed = compareOf(compare)
  if (parsed === undefined || reply?.kind !== 'range') return { verdict: 'unknown', keyCount: 0 }
  const { pairs, count, hasMore } = reply
  const [pair] = parsed.end === undefined ? pairs : []
  return {
    verdict: judge(parsed, pairs, hasMore),
    keyCount: count,
    ...(pair === undefined ? {} : { pair }),
  }
}

/**
 * Whether a condition holds for some pairs. A key that does not exist has version, revisions and lease 0, but no value:
 * a condition on its value never holds. A range holds if each of its keys does, and one without keys is a missing key.
 */
export function judge(compare: Compare, pairs: readonly KeyValue[], hasMore: boolean): Verdict {
  if (pairs.length === 0) {
    return compare.operand.kind !== 'value' && isMet(compare, undefined) ? 'true' : 'false'
  }
  if (!pairs.every((pair) => isMet(compare, pair))) return 'false'
  return hasMore ? 'unknown' : 'true'
}

function isMet({ relation, operand }: Compare, pair: KeyValue | undefined): boolean {
  const order = orderOf(operand, pair)
  switch (relation) {
    case 'equal':
      return order === 0
    case 'notEqual':
      return order !== 0
    case 'greater':
      return order > 0
    case 'less':
      return order < 0
  }
}

function orderOf(operand: Compare['operand'], pair: KeyValue | undefined): number {
  switch (operand.kind) {
    case 'value':
      return compareKeys(pair?.value ?? new Uint8Array(0), operand.value)
    case 'version':
      return (pair?.version ?? 0) - operand.version
    case 'createRevision':
      return (pair?.createRevision ?? 0) - operand.createRevision
    case 'modRevision':
      return (pair?.modRevision ?? 0) - operand.modRevision
    case 'lease': {
      const lease = pair?.lease ?? 0n
      return lease < operand.lease ? -1 : lease > operand.lease ? 1 : 0
    }
  }
}

function rangeOfCompare({ key, end }: Compare): KeyRange {
  if (end === undefined) return { kind: 'key', key }
  if (end === 'toLastKey') return { kind: 'from', start: key }
  return { kind: 'interval', start: key, end }
}

function rangeOfOperation(draft: OperationDraft): KeyRange | undefined {
  const operation = operationOf(draft)
  if (operation === undefined || operation.kind === 'txn') return undefined
  return operation.kind === 'put' ? { kind: 'key', key: operation.key } : operation.range
}
