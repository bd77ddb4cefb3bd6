import { computed, ref, shallowRef, type ComputedRef, type Ref, type ShallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import type { ConnectionInfo } from '../../../preload/contract/connection.ts'
import { useClipboard } from '../../composables/use-clipboard.ts'
import { useClusterStore } from '../../stores/clusters.ts'
import { failureLine } from '../../stores/failure-text.ts'
import { useQueryStore } from '../../stores/queries.ts'
import { rangeOfDraft, readOptionsOf, txnPartsOf } from '../../stores/query-compile.ts'
import { getCommandOf, txnInputOf } from '../../stores/query-command.ts'
import type { Evaluation } from '../../stores/query-evaluate.ts'
import type { TxnDraft } from '../../stores/query-draft.ts'
import { rangeFormProblem, textOfRangeForm } from '../../stores/query-range.ts'
import { deletesOf, hasWrites, type QuerySession } from '../../stores/query-session.ts'
import { useToastStore } from '../../stores/toasts.ts'

/** What a transaction would do that has to be confirmed before. */
export interface AskedTxn {
  readonly draft: TxnDraft
  readonly evaluation: Evaluation
}

/** The acts of a session: run, look, save, copy. */
export interface QueryActs {
  readonly asked: ShallowRef<AskedTxn | undefined>
  readonly isSaving: Ref<boolean>
  /** Why the session cannot be run now, as the name of a reason of commands. */
  readonly obstacle: ComputedRef<string | undefined>
  readonly run: () => Promise<void>
  readonly confirm: () => Promise<void>
  readonly check: () => Promise<void>
  readonly save: (name: string) => Promise<void>
  readonly copyCommand: () => Promise<void>
}

/** Acts on the session of a tab. */
export function useQueryActs(
  session: ComputedRef<QuerySession | undefined>,
  connection: ComputedRef<ConnectionInfo | undefined>,
): QueryActs {
  const { t } = useI18n()
  const queries = useQueryStore()
  const clusters = useClusterStore()
  const toasts = useToastStore()
  const { copy } = useClipboard()
  const asked = shallowRef<AskedTxn>()
  const isSaving = ref(false)

  const obstacle = computed(() => {
    const now = session.value
    if (now === undefined) return 'noConnection'
    if (now.mode.value === 'range')
      return rangeFormProblem(now.rangeForm.value) === undefined ? undefined : 'incomplete'
    if (!now.isRunnable.value) return 'incomplete'
    const isRefused = connection.value?.isReadOnly === true && hasWrites(now.draft.value)
    return isRefused ? 'readOnly' : undefined
  })

  async function run(): Promise<void> {
    const now = session.value
    if (now === undefined || obstacle.value !== undefined || now.isRunning.value) return
    if (now.mode.value === 'range') {
      await runRange(now)
      return
    }
    const draft = now.draft.value
    const isProduction = connection.value?.environment === 'production' && hasWrites(draft)
    const deletesRange = deletesOf(draft).some(({ range }) => range.kind !== 'key')
    if (!isProduction && !deletesRange) {
      await send(now)
      return
    }
    try {
      asked.value = { draft, evaluation: await now.evaluationOf(draft) }
    } catch (failure) {
      now.evaluationError.value = failure
    }
  }

  async function confirm(): Promise<void> {
    asked.value = undefined
    if (session.value !== undefined) await send(session.value)
  }

  async function send(now: QuerySession): Promise<void> {
    const { txn: text } = now.state()
    const subject = subjectOfTxn(now.draft.value)
    const isDone = await now.run()
    const reply = isDone ? now.outcome.value?.reply : undefined
    const result = reply === undefined ? 'failed' : reply.hasSucceeded ? 'then' : 'else'
    queries.note({
      ...{ connectionId: now.connectionId, kind: 'txn', text, subject, result },
      ...(reply === undefined ? {} : { revision: reply.revision }),
    })
  }

  async function runRange(now: QuerySession): Promise<void> {
    const members = clusters.states.get(now.connectionId)?.snapshot?.members ?? []
    // A member that was added and never started has no name and no address.
    const started = members.filter((member) => member.clientUrls.length > 0)
    const form = now.rangeForm.value
    await now.runRange(started.map((member) => member.id))
    const replies = now.answers.value.flatMap((answer) => answer.reply ?? [])
    const [first] = replies
    queries.note({
      ...{ connectionId: now.connectionId, kind: 'range', text: textOfRangeForm(form) },
      subject: form.range.kind === 'all' ? t('query.ranges.all') : form.range.key,
      result: first === undefined ? 'failed' : 'read',
      ...(first === undefined ? {} : { revision: first.revision }),
    })
  }

  async function check(): Promise<void> {
    const now = session.value
    if (now?.mode.value === 'txn' && now.isRunnable.value) await now.evaluate()
  }

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
    const now = session.value
    if (now === undefined) return
    const text = now.mode.value === 'txn' ? txnCommand(now) : rangeCommand(now)
    if (text !== undefined) await copy(text)
  }

  function refuse(reason: 'compareRange' | 'leaseCompare' | 'nested' | 'incomplete'): undefined {
    toasts.show({ icon: 'info', tone: 'info', text: t(`query.obstacles.${reason}`) })
    return undefined
  }

  function txnCommand(now: QuerySession): string | undefined {
    const parts = txnPartsOf(now.draft.value)
    if (parts === undefined) return refuse('incomplete')
    const command = txnInputOf(parts)
    return command.kind === 'text' ? command.text : refuse(command.obstacle)
  }

  function rangeCommand(now: QuerySession): string | undefined {
    const form = now.rangeForm.value
    const range = rangeOfDraft(form.range)
    const options = readOptionsOf(form.options)
    if (range === undefined || options === undefined) return refuse('incomplete')
    return getCommandOf(range, { ...options, isSerializable: form.reads === 'serializable' })
  }

  return { asked, isSaving, obstacle, run, confirm, check, save, copyCommand }
}

/** The first key that a transaction names. */
function subjectOfTxn(draft: TxnDraft): string {
  for (const operation of [...draft.thenOperations, ...draft.elseOperations]) {
    if (operation.kind === 'put') return operation.key
    if (operation.kind !== 'txn') return operation.range.key
  }
  return draft.compares[0]?.range.key ?? ''
}
