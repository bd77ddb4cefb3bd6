import { computed, shallowRef, type ComputedRef, type ShallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import type { ConnectionInfo } from '../../../preload/contract/connection.ts'
import { useClusterStore } from '../../stores/clusters.ts'
import { useQueryStore } from '../../stores/queries.ts'
import type { Evaluation } from '../../stores/query-evaluate.ts'
import type { TxnDraft } from '../../stores/query-draft.ts'
import { rangeFormProblem, textOfRangeForm } from '../../stores/query-range.ts'
import { deletesOf, hasWrites, type QuerySession } from '../../stores/query-session.ts'

/** What a transaction would do that has to be confirmed before. */
export interface AskedTxn {
  readonly draft: TxnDraft
  readonly evaluation: Evaluation
}

/** Running a session, and looking before. */
export interface QueryActs {
  readonly asked: ShallowRef<AskedTxn | undefined>
  /** Why the session cannot be run now, as the name of a reason of commands. */
  readonly obstacle: ComputedRef<string | undefined>
  readonly run: () => Promise<void>
  readonly confirm: () => Promise<void>
  readonly check: () => Promise<void>
}

/** Acts on the session of a tab. */
export function useQueryActs(
  session: ComputedRef<QuerySession | undefined>,
  connection: ComputedRef<ConnectionInfo | undefined>,
): QueryActs {
  const { t } = useI18n()
  const queries = useQueryStore()
  const clusters = useClusterStore()
  const asked = shallowRef<AskedTxn>()

  const obstacle = computed(() => obstacleOf(session.value, connection.value))

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

  return { asked, obstacle, run, confirm, check }
}

/** The first key that a transaction names. */
function subjectOfTxn(draft: TxnDraft): string {
  for (const operation of [...draft.thenOperations, ...draft.elseOperations]) {
    if (operation.kind === 'put') return operation.key
    if (operation.kind !== 'txn') return operation.range.key
  }
  return draft.compares[0]?.range.key ?? ''
}

function obstacleOf(
  session: QuerySession | undefined,
  connection: ConnectionInfo | undefined,
): string | undefined {
  if (session === undefined) return 'noConnection'
  if (session.mode.value === 'range')
    return rangeFormProblem(session.rangeForm.value) === undefined ? undefined : 'incomplete'
  if (!session.isRunnable.value) return 'incomplete'
  const isRefused = connection?.isReadOnly === true && hasWrites(session.draft.value)
  return isRefused ? 'readOnly' : undefined
}
