/** Transactions that people write again and again, to begin from. */

import {
  asText,
  emptyRange,
  newCompare,
  nextRowId,
  plainRead,
  type OperationDraft,
  type TxnDraft,
} from './query-draft.ts'

export type TemplateName = 'create' | 'compareAndSet' | 'lock' | 'counter'

export const templateNames: readonly TemplateName[] = ['create', 'compareAndSet', 'lock', 'counter']

/** A template with names to be replaced. */
export function txnOfTemplate(name: TemplateName): TxnDraft {
  switch (name) {
    case 'create':
      return {
        compares: [newCompare('/new/key')],
        thenOperations: [put('/new/key', 'value')],
        elseOperations: [read('/new/key')],
      }
    case 'compareAndSet':
      return {
        compares: [{ ...newCompare('/some/key'), target: 'value', operand: asText('old value') }],
        thenOperations: [put('/some/key', 'new value')],
        elseOperations: [read('/some/key')],
      }
    case 'lock':
      return {
        compares: [{ ...newCompare('/locks/name'), target: 'create' }],
        thenOperations: [put('/locks/name', 'owner')],
        elseOperations: [read('/locks/name')],
      }
    case 'counter':
      return {
        compares: [{ ...newCompare('/counters/name'), target: 'value', operand: asText('41') }],
        thenOperations: [put('/counters/name', '42')],
        elseOperations: [
          {
            id: nextRowId(),
            kind: 'txn',
            txn: {
              compares: [newCompare('/counters/name')],
              thenOperations: [put('/counters/name', '1')],
              elseOperations: [read('/counters/name')],
            },
          },
        ],
      }
  }
}

function put(key: string, value: string): OperationDraft {
  return { id: nextRowId(), kind: 'put', key, value: asText(value), lease: '' }
}

function read(key: string): OperationDraft {
  return { id: nextRowId(), kind: 'range', range: { ...emptyRange, key }, options: plainRead }
}
