/** The words of the rows of events. */

import type { Operation } from '../../components/marks/operation.ts'
import { fillerOf, pairFillerOf } from '../../i18n/message-filler.ts'

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

/** Asks for all of them. */
export function rowTexts(t: (key: string, values?: Record<string, string>) => string): RowTexts {
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
    txn: fillerOf(t, 'watch.txn', 'n'),
    toggle: fillerOf(t, 'watch.details.toggle', 'key'),
    was: fillerOf(t, 'watch.was', 'value'),
    sizes: pairFillerOf(t, 'watch.sizes', ['now', 'before']),
  }
}
