/** The words of the rows of events: asked for once, since a message with its values takes longer than the rest of a cell. */

import type { Operation } from '../../components/marks/operation.ts'

/** Words and sentences of one language. */
export interface RowTexts {
  readonly operations: Readonly<Record<Operation, string>>
  readonly expiredHint: string
  readonly timeUnknown: string
  readonly gone: string
  readonly txn: (count: string) => string
  readonly toggle: (key: string) => string
  readonly was: (value: string) => string
  readonly sizes: (now: string, before: string) => string
}

type Translate = (key: string, values?: Record<string, string>) => string

// No text of a user stands in a message when it is asked for, so that these are found again.
const first = '\u0001'
const second = '\u0002'

/** Asks for all of them. */
export function rowTexts(t: Translate): RowTexts {
  return {
    operations: {
      create: t('operation.create'),
      put: t('operation.put'),
      delete: t('operation.delete'),
      expire: t('watch.expired'),
    },
    expiredHint: t('watch.expiredHint'),
    timeUnknown: t('watch.timeUnknown'),
    gone: t('watch.gone'),
    txn: filler(t('watch.txn', { n: first })),
    toggle: filler(t('watch.details.toggle', { key: first })),
    was: filler(t('watch.was', { value: first })),
    sizes: pairFiller(t('watch.sizes', { now: first, before: second })),
  }
}

function filler(message: string): (value: string) => string {
  const parts = message.split(first)
  return (value) => parts.join(value)
}

function pairFiller(message: string): (one: string, other: string) => string {
  const parts = message.split(first).map((part) => part.split(second))
  return (one, other) => parts.map((part) => part.join(other)).join(one)
}
