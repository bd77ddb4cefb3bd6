/** Deleting several keys at once: asked about, done in guarded batches, told, and put back on demand. */

import { ref, shallowRef } from 'vue'
import type { Ref, ShallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import type { KeyRow } from '../../../preload/contract/key-columns.ts'
import type { KeyValue } from '../../../preload/contract/kv.ts'
import { countText } from '../../format/quantity-text.ts'
import { failureLine } from '../../stores/failure-text.ts'
import { deleteSome, putNewKey } from '../../stores/key-calls.ts'
import { useToastStore } from '../../stores/toasts.ts'

/** A delete that is asked about or under way. */
export interface BulkDelete {
  /** What is about to go; undefined: nothing is asked about. */
  readonly asked: ShallowRef<readonly KeyRow[] | undefined>
  readonly isBusy: Ref<boolean>
  readonly doneCount: Ref<number>
  readonly ask: (rows: readonly KeyRow[]) => void
  readonly confirm: (connectionId: string) => Promise<void>
  /** Drops the question, or stops after the batch that is under way. */
  readonly cancel: () => void
}

/** Undo puts this many keys back at once. */
const restoresAtOnce = 8

export function useBulkDelete(): BulkDelete {
  const { t } = useI18n()
  const toasts = useToastStore()
  const putBack = usePutBack()
  const asked = shallowRef<readonly KeyRow[]>()
  const isBusy = ref(false)
  const doneCount = ref(0)
  const isCancelled = ref(false)

  function tell(connectionId: string, deleted: readonly KeyValue[], skippedCount: number): void {
    const counts = { n: countText(deleted.length), skipped: countText(skippedCount) }
    toasts.show({
      icon: 'tombstone',
      tone: 'delete',
      text: t(skippedCount === 0 ? 'keys.deleted' : 'keys.deletedSome', counts, deleted.length),
      ...(deleted.length === 0
        ? {}
        : {
            act: {
              label: t('state.undo'),
              icon: 'undo',
              run: () => void putBack(connectionId, deleted),
            },
          }),
    })
  }

  async function confirm(connectionId: string): Promise<void> {
    const rows = asked.value
    if (rows === undefined || isBusy.value) return
    isBusy.value = true
    doneCount.value = 0
    const deleted: KeyValue[] = []
    let skippedCount = 0
    try {
      for await (const part of deleteSome(connectionId, rows)) {
        deleted.push(...part.deleted)
        skippedCount += part.skipped.length
        doneCount.value = deleted.length + skippedCount
        if (isCancelled.value) break
      }
    } catch (failure) {
      const text = `${t('key.deleteFailed')} ${failureLine(failure)}`
      toasts.show({ icon: 'warn', tone: 'danger', text })
    } finally {
      isBusy.value = false
      asked.value = undefined
    }
    if (deleted.length + skippedCount > 0) tell(connectionId, deleted, skippedCount)
  }

  return {
    ...{ asked, isBusy, doneCount, confirm },
    ask: (rows) => {
      doneCount.value = 0
      isCancelled.value = false
      asked.value = rows
    },
    cancel: () => {
      isCancelled.value = true
      if (!isBusy.value) asked.value = undefined
    },
  }
}

/** Puts deleted keys back, each only if nobody has made it anew, and says how many came back. */
function usePutBack(): (connectionId: string, deleted: readonly KeyValue[]) => Promise<void> {
  const { t } = useI18n()
  const toasts = useToastStore()
  return async function putBack(connectionId: string, deleted: readonly KeyValue[]): Promise<void> {
    const waiting = [...deleted]
    let backCount = 0
    let failure: unknown
    const worker = async (): Promise<void> => {
      for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
        try {
          const { key, value, lease } = pair
          const reply = await putNewKey(connectionId, { key, value, lease })
          if (reply.kind === 'written') backCount++
        } catch (error) {
          failure = error
        }
      }
    }
    await Promise.all(Array.from({ length: restoresAtOnce }, worker))
    const isWhole = backCount === deleted.length
    const counts = { n: countText(backCount), total: countText(deleted.length) }
    toasts.show({
      icon: isWhole ? 'check' : 'warn',
      tone: isWhole ? 'ok' : 'danger',
      text: t('keys.putBack', counts),
      ...(failure === undefined ? {} : { subject: failureLine(failure) }),
    })
  }
}
