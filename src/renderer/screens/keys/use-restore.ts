import { ref, watch } from 'vue'
import type { Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import type { ConnectionInfo } from '../../../preload/contract/connection.ts'
import { keyText } from '../../format/bytes-text.ts'
import { revisionText } from '../../format/quantity-text.ts'
import { failureLine } from '../../stores/failure-text.ts'
import type { KeyDetail } from '../../stores/key-detail.ts'
import { useToastStore } from '../../stores/toasts.ts'
import { useWriteUndo } from './use-write-undo.ts'

/** Writes an older value as a new revision, and takes that back. In production it asks first. */
export function useRestore(
  detail: () => KeyDetail,
  connection: () => ConnectionInfo,
  tabId: () => string,
): {
  /** The revision that is being written again; 0: none. */
  readonly restoring: Ref<number>
  /** The revision that the user is asked about; 0: none. */
  readonly asked: Ref<number>
  /** Writes it, or asks. */
  readonly restore: (revision: number) => void
  /** Writes what was asked about. */
  readonly confirm: () => Promise<void>
} {
  const { t } = useI18n()
  const toasts = useToastStore()
  const undo = useWriteUndo(tabId)
  const restoring = ref(0)
  const asked = ref(0)

  function restore(revision: number): void {
    if (connection().environment === 'production') asked.value = revision
    else void write(revision)
  }

  async function confirm(): Promise<void> {
    await write(asked.value)
    asked.value = 0
  }

  async function write(revision: number): Promise<void> {
    const from = detail()
    if (restoring.value !== 0 || revision === 0) return
    restoring.value = revision
    try {
      const reply = await from.restore(revision)
      if (reply?.kind === 'written') {
        const { key } = from
        const before = reply.previous === undefined ? {} : { before: reply.previous }
        const keys = [{ key, revision: reply.revision, ...before }]
        undo.tell(
          { connectionId: from.connectionId, keys },
          {
            ...{ icon: 'undo', tone: 'ok' },
            ...{ text: t('history.restored', { revision: revisionText(revision) }) },
            subject: revisionText(reply.revision),
          },
        )
      } else {
        toasts.show({
          icon: 'warn',
          tone: 'danger',
          text: t(reply === undefined ? 'history.nothingToRestore' : 'history.restoreSkipped'),
          subject: keyText(from.key),
        })
      }
    } catch (failure) {
      const text = `${t('history.restoreFailed')} ${failureLine(failure)}`
      toasts.show({ icon: 'warn', tone: 'danger', text })
    } finally {
      restoring.value = 0
    }
  }

  watch(detail, () => {
    asked.value = 0
  })
  return { restoring, asked, restore, confirm }
}
