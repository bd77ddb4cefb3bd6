import { onScopeDispose, ref } from 'vue'
import type { Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import type { ConnectionInfo } from '../../../preload/contract/connection.ts'
import { keyText } from '../../format/bytes-text.ts'
import { revisionText } from '../../format/quantity-text.ts'
import { useCommandStore } from '../../stores/commands.ts'
import { failureLine } from '../../stores/failure-text.ts'
import { draftBytes } from '../../stores/key-detail.ts'
import type { KeyDetail } from '../../stores/key-detail.ts'
import { useToastStore } from '../../stores/toasts.ts'
import { useWriteUndo } from './use-write-undo.ts'

/** What can be done with the opened key. */
export interface KeyActs {
  readonly isRemoving: Ref<boolean>
  readonly isBusy: Ref<boolean>
  readonly save: () => Promise<void>
  readonly overwrite: () => Promise<void>
  readonly discard: () => void
  readonly askRemove: () => void
  readonly remove: () => Promise<void>
  /** Starts a draft from the past value that is shown. */
  readonly restore: () => void
}

/** The acts of an opened key, with their commands, toasts and undo. */
export function useKeyActs(
  detail: () => KeyDetail,
  connection: () => ConnectionInfo,
  tabId: () => string,
): KeyActs {
  const { t } = useI18n()
  const undo = useWriteUndo(tabId)
  const removal = useRemoval(detail, connection, undo)

  async function save(): Promise<void> {
    const draft = detail().draft.value
    if (draft === undefined) return
    const reply = await detail().save(draftBytes(draft))
    if (reply?.kind !== 'written') return
    const subject = revisionText(reply.revision)
    const { key } = detail()
    const before = reply.previous === undefined ? {} : { before: reply.previous }
    const keys = [{ key, revision: reply.revision, ...before }]
    const text = t('key.saved', { key: keyText(key) })
    undo.tell({ connectionId: connection().id, keys }, { icon: 'check', tone: 'ok', text, subject })
  }

  function restore(): void {
    const text = detail().past.value?.pair?.value
    detail().edit()
    if (text !== undefined) detail().writeBytes(text)
  }

  useKeyCommands({ detail, connection, save, askRemove: removal.askRemove })
  return {
    ...removal,
    save,
    overwrite: async () => {
      detail().rebase()
      await save()
    },
    discard: () => {
      detail().discard()
    },
    restore,
  }
}

/** Deletes the opened key after a question, with an undo. */
function useRemoval(
  detail: () => KeyDetail,
  connection: () => ConnectionInfo,
  undo: ReturnType<typeof useWriteUndo>,
): Pick<KeyActs, 'isRemoving' | 'isBusy' | 'askRemove' | 'remove'> {
  const { t } = useI18n()
  const toasts = useToastStore()
  const isRemoving = ref(false)
  const isBusy = ref(false)

  function warn(text: string, subject?: string): void {
    toasts.show({
      icon: 'warn',
      tone: 'danger',
      text,
      ...(subject === undefined ? {} : { subject }),
    })
  }

  async function remove(): Promise<void> {
    isBusy.value = true
    try {
      const reply = await detail().remove()
      const [deleted] = reply.deleted
      if (deleted === undefined) {
        warn(t('key.deleteSkipped'), keyText(detail().key))
      } else {
        const keys = [{ key: deleted.key, revision: 0, before: deleted }]
        undo.tell(
          { connectionId: connection().id, keys },
          {
            ...{ icon: 'tombstone', tone: 'delete' },
            ...{ text: t('key.deleted'), subject: keyText(deleted.key) },
          },
        )
      }
    } catch (failure) {
      warn(`${t('key.deleteFailed')} ${failureLine(failure)}`)
    } finally {
      isBusy.value = false
      isRemoving.value = false
    }
  }

  function askRemove(): void {
    if (detail().head.value !== undefined && !connection().isReadOnly) isRemoving.value = true
  }

  return { isRemoving, isBusy, askRemove, remove }
}

function useKeyCommands(acts: {
  readonly detail: () => KeyDetail
  readonly connection: () => ConnectionInfo
  readonly save: () => Promise<void>
  readonly askRemove: () => void
}): void {
  const commands = useCommandStore()
  const findWriteObstacle = (): string | undefined => {
    if (acts.detail().past.value !== undefined || acts.detail().asOf.value !== 0)
      return 'pastRevision'
    return acts.connection().isReadOnly ? 'readOnly' : undefined
  }
  const findDraftObstacle = (): string | undefined =>
    acts.detail().draft.value === undefined ? 'notEditing' : undefined
  onScopeDispose(
    commands.register([
      {
        id: 'key.save',
        icon: 'check',
        shortcuts: ['Mod+S'],
        run: () => void acts.save(),
        findObstacle: findDraftObstacle,
      },
      {
        id: 'key.discard',
        icon: 'undo',
        shortcuts: [],
        run: () => {
          acts.detail().discard()
        },
        findObstacle: findDraftObstacle,
      },
      {
        id: 'key.edit',
        icon: 'edit',
        shortcuts: ['Mod+E'],
        run: () => {
          acts.detail().edit()
        },
        findObstacle: findWriteObstacle,
      },
      {
        id: 'key.delete',
        icon: 'trash',
        shortcuts: [],
        run: acts.askRemove,
        findObstacle: findWriteObstacle,
      },
    ]),
  )
}
