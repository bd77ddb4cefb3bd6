import { computed, ref, type ComputedRef, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import type { ConnectionInfo } from '../../../preload/contract/connection.ts'
import { keyRevisionColumnsOf } from '../../../preload/contract/plan-columns.ts'
import type { BinEntry } from '../../stores/bin-pane.ts'
import { usePlanStore } from '../../stores/plans.ts'
import type { BinTab } from './use-bin-tab.ts'

/** Ways to bring deleted keys back. Each opens the plan that shows what will be written. */
export interface BinRestore {
  /** The user is asked for a revision to restore the prefix to. */
  readonly isAsking: Ref<boolean>
  readonly isReadOnly: ComputedRef<boolean>
  readonly restoreOne: (entry: BinEntry) => void
  /** What was chosen; else what is opened. */
  readonly restoreChosen: () => void
  /** All that is found. */
  readonly restoreAll: () => void
  /** The whole prefix, also what was not deleted. */
  readonly restoreTo: (revision: number) => void
}

export function useBinRestore({
  pane,
  connection,
  subject,
  opened,
}: Omit<BinTab, 'open'>): BinRestore {
  const { t } = useI18n()
  const plans = usePlanStore()
  const isAsking = ref(false)
  const isReadOnly = computed(() => connection.value?.isReadOnly === true)
  const wholeText = (owner: ConnectionInfo): string =>
    subject.value === '' ? owner.name : subject.value
  const someText = (): string => (subject.value === '' ? t('bin.subjectSome') : subject.value)

  function restore(entries: readonly BinEntry[], about: string): void {
    if (connection.value === undefined || entries.length === 0 || isReadOnly.value) return
    const keys = keyRevisionColumnsOf(
      entries.map(({ key, deletedRevision }) => ({ key, revision: deletedRevision })),
    )
    const source = { kind: 'restoreDeleted', keys } as const
    plans.begin({ connectionId: connection.value.id, subject: about, source })
  }

  function restoreOne(entry: BinEntry): void {
    restore([entry], entry.text)
  }

  function restoreChosen(): void {
    const chosen = pane.value?.chosenEntries() ?? []
    const [first] = chosen
    if (first !== undefined) restore(chosen, chosen.length === 1 ? first.text : someText())
    else if (opened.value !== undefined) restoreOne(opened.value)
  }

  function restoreAll(): void {
    restore(pane.value?.found() ?? [], someText())
  }

  function restoreTo(revision: number): void {
    isAsking.value = false
    if (connection.value === undefined || pane.value === undefined) return
    const source = { kind: 'restore', range: pane.value.range, revision } as const
    const { id } = connection.value
    plans.begin({ connectionId: id, subject: wholeText(connection.value), source })
  }

  return { isAsking, isReadOnly, restoreOne, restoreChosen, restoreAll, restoreTo }
}
