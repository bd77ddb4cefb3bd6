import { ref, type ComputedRef, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useClipboard } from '../../composables/use-clipboard.ts'
import { failureLine } from '../../stores/failure-text.ts'
import { useQueryStore } from '../../stores/queries.ts'
import { getCommandOf, txnInputOf, type CommandText } from '../../stores/query-command.ts'
import { rangeOfDraft, readOptionsOf, txnPartsOf } from '../../stores/query-compile.ts'
import type { QuerySession } from '../../stores/query-session.ts'
import { useToastStore } from '../../stores/toasts.ts'

/** What leaves a session as text: saved by name, or for etcdctl. */
export interface QueryTexts {
  /** The name is being asked for. */
  readonly isSaving: Ref<boolean>
  readonly save: (name: string) => Promise<void>
  readonly copyCommand: () => Promise<void>
}

/** Saving and copying of the session of a tab. */
export function useQueryTexts(session: ComputedRef<QuerySession | undefined>): QueryTexts {
  const { t } = useI18n()
  const queries = useQueryStore()
  const toasts = useToastStore()
  const { copy } = useClipboard()
  const isSaving = ref(false)

  async function save(name: string): Promise<void> {
    const now = session.value
    if (now === undefined) return
    const { mode, txn, range } = now.state()
    const isKept = await queries.save({ name, kind: mode, text: mode === 'txn' ? txn : range })
    isSaving.value = false
    if (isKept) {
      toasts.show({ icon: 'check', tone: 'ok', text: t('query.saveDialog.saved', { name }) })
      return
    }
    const { savedError } = queries
    const text =
      savedError === undefined
        ? t('query.saveDialog.full')
        : t('query.saveDialog.failed', { reason: failureLine(savedError) })
    toasts.show({ icon: 'warn', tone: 'danger', text })
  }

  async function copyCommand(): Promise<void> {
    if (session.value === undefined) return
    const command = commandOf(session.value)
    if (command === undefined || command.kind === 'obstacle') {
      const reason = command === undefined ? 'incomplete' : command.obstacle
      toasts.show({ icon: 'info', tone: 'info', text: t(`query.obstacles.${reason}`) })
      return
    }
    await copy(command.text)
  }

  return { isSaving, save, copyCommand }
}

/** The words for etcdctl; undefined while the form is not complete. */
function commandOf(session: QuerySession): CommandText | undefined {
  if (session.mode.value === 'txn') {
    const parts = txnPartsOf(session.draft.value)
    return parts === undefined ? undefined : txnInputOf(parts)
  }
  const form = session.rangeForm.value
  const range = rangeOfDraft(form.range)
  const options = readOptionsOf(form.options)
  if (range === undefined || options === undefined) return undefined
  const isSerializable = form.reads === 'serializable'
  return { kind: 'text', text: getCommandOf(range, { ...options, isSerializable }) }
}
