/** Transactions and ranges as they are typed: every field is text until it is checked. */

export type RangeKind = 'key' | 'prefix' | 'interval' | 'from' | 'all'

/** Which keys. `end` belongs to an interval only. */
export interface RangeDraft {
  readonly kind: RangeKind
  readonly key: string
  readonly end: string
}

export type CompareTarget = 'value' | 'version' | 'create' | 'mod' | 'lease'
export type Relation = '=' | '!=' | '<' | '>'

/** Bytes as text, or as base64 where they are none. */
export interface BytesDraft {
  readonly text: string
  readonly isBase64: boolean
}

export interface CompareDraft {
  readonly id: number
  readonly range: RangeDraft
  readonly target: CompareTarget
  readonly relation: Relation
  readonly operand: BytesDraft
}

/** What a range read may be told, as typed; empty numbers are not sent. */
export interface ReadOptionsDraft {
  readonly limit: string
  readonly revision: string
  readonly sortBy: 'key' | 'version' | 'createRevision' | 'modRevision' | 'value'
  readonly isDescending: boolean
  readonly isKeysOnly: boolean
  readonly isCountOnly: boolean
  readonly minModRevision: string
  readonly maxModRevision: string
  readonly minCreateRevision: string
  readonly maxCreateRevision: string
}

export interface PutDraft {
  readonly id: number
  readonly kind: 'put'
  readonly key: string
  readonly value: BytesDraft
  /** Hexadecimal digits; empty: none; `keep`: the one that the key has. */
  readonly lease: string
}

export interface DeleteDraft {
  readonly id: number
  readonly kind: 'delete'
  readonly range: RangeDraft
  readonly needsPrevious: boolean
}

export interface ReadDraft {
  readonly id: number
  readonly kind: 'range'
  readonly range: RangeDraft
  readonly options: ReadOptionsDraft
}

export interface NestedDraft {
  readonly id: number
  readonly kind: 'txn'
  readonly txn: TxnDraft
}

export type OperationDraft = PutDraft | DeleteDraft | ReadDraft | NestedDraft

export interface TxnDraft {
  readonly compares: readonly CompareDraft[]
  readonly thenOperations: readonly OperationDraft[]
  readonly elseOperations: readonly OperationDraft[]
}

/** One key, not yet named. */
export const emptyRange: RangeDraft = { kind: 'key', key: '', end: '' }

/** A read of the newest keys in their order. */
export const plainRead: ReadOptionsDraft = {
  limit: '100',
  revision: '',
  sortBy: 'key',
  isDescending: false,
  isKeysOnly: false,
  isCountOnly: false,
  minModRevision: '',
  maxModRevision: '',
  minCreateRevision: '',
  maxCreateRevision: '',
}

export const emptyTxn: TxnDraft = { compares: [], thenOperations: [], elseOperations: [] }

let lastId = 0

/** An id for a row: unlike those of all rows of this window. */
export function nextRowId(): number {
  return ++lastId
}

/** Bytes given as text. */
export function asText(text: string): BytesDraft {
  return { text, isBase64: false }
}

/** A condition that holds while the key does not exist. */
export function newCompare(key = ''): CompareDraft {
  return {
    id: nextRowId(),
    range: { ...emptyRange, key },
    target: 'version',
    relation: '=',
    operand: asText('0'),
  }
}

/** An operation of a kind, not yet filled in. */
export function newOperation(kind: OperationDraft['kind']): OperationDraft {
  const id = nextRowId()
  switch (kind) {
    case 'put':
      return { id, kind, key: '', value: asText(''), lease: '' }
    case 'delete':
      return { id, kind, range: emptyRange, needsPrevious: true }
    case 'range':
      return { id, kind, range: emptyRange, options: plainRead }
    case 'txn':
      return { id, kind, txn: emptyTxn }
  }
}

/** The list with one row moved by some places; rows stop at the ends. */
export function moved<Row>(rows: readonly Row[], from: number, to: number): readonly Row[] {
  const row = rows[from]
  if (row === undefined || to < 0 || to >= rows.length || from === to) return rows
  const rest = rows.filter((_, at) => at !== from)
  return [...rest.slice(0, to), row, ...rest.slice(to)]
}
