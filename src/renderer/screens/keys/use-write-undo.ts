import { useI18n } from 'vue-i18n'
import { keyText } from '../../format/bytes-text.ts'
import { failureLine } from '../../stores/failure-text.ts'
import { useToastStore, type Toast } from '../../stores/toasts.ts'
import { useUndoStore, type UndoOutcome, type WrittenKey } from '../../stores/undo-writes.ts'

/** Writes of a tab that are told, and can be taken back. */
export interface WriteUndo {
  /** Remembers a write and shows what was written, with an act that takes it back. */
  readonly tell: (
    write: { readonly connectionId: string; readonly keys: readonly WrittenKey[] },
    told: Pick<Toast, 'icon' | 'tone' | 'text' | 'subject'>,
  ) => void
  /** Takes back the last write of the tab, and says what became of it. */
  readonly undoLast: () => Promise<void>
}

/** Toasts of writes with their undo. */
export function useWriteUndo(tabId: () => string): WriteUndo {
  const { t } = useI18n()
  const toasts = useToastStore()
  const undoes = useUndoStore()
  const names = {
    nothing: 'acts.undoNothing',
    done: 'acts.undone',
    doneWithoutLease: 'acts.undoneWithoutLease',
    changed: 'acts.undoChanged',
  }
  const namesOfDelete = {
    nothing: 'acts.undoNothing',
    done: 'key.undone',
    doneWithoutLease: 'key.undoneWithoutLease',
    changed: 'key.undoSkipped',
  }

  async function report(outcome: Promise<UndoOutcome>, ofDelete?: string): Promise<void> {
    try {
      const became = await outcome
      if (became === 'plan') return
      const isDone = became === 'done' || became === 'doneWithoutLease'
      const look = isDone
        ? ({ icon: 'check', tone: 'ok' } as const)
        : ({ icon: 'info', tone: 'info' } as const)
      const text =
        ofDelete === undefined
          ? { text: t(names[became]) }
          : { text: t(namesOfDelete[became]), subject: ofDelete }
      toasts.show({ ...look, ...text })
    } catch (failure) {
      const text = `${t('acts.undoFailed')} ${failureLine(failure)}`
      toasts.show({ icon: 'warn', tone: 'danger', text })
    }
  }

  return {
    tell: ({ connectionId, keys }, told) => {
      const id = tabId()
      const write = undoes.note(id, connectionId, keys)
      const [deleted] = keys.length === 1 && keys[0]?.revision === 0 ? keys : []
      toasts.show({
        ...told,
        act: {
          label: t('state.undo'),
          icon: 'undo',
          run: () => {
            const name = deleted === undefined ? undefined : keyText(deleted.key)
            void report(undoes.undoWrite(id, write), name)
          },
        },
      })
    },
    undoLast: () => report(undoes.undoLast(tabId())),
  }
}
