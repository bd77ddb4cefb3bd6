import { useI18n } from 'vue-i18n'
import { sizeText } from '../../../format/quantity-text.ts'
import { failureLine } from '../../../stores/failure-text.ts'
import { draftBytes, type KeyDetail } from '../../../stores/key-detail.ts'
import { useToastStore } from '../../../stores/toasts.ts'
import { loadValue, saveValue } from '../../../stores/value-files.ts'

/** A value to a file and back. */
export interface ValueFiles {
  readonly save: () => Promise<void>
  /** The file's content becomes the draft; nothing is written to the cluster. */
  readonly load: () => Promise<void>
}

/** The acts with files of an opened key, with what they say. */
export function useValueFiles(detail: () => KeyDetail): ValueFiles {
  const { t } = useI18n()
  const toasts = useToastStore()

  async function tell(act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (failure) {
      const text = `${t('value.fileFailed')} ${failureLine(failure)}`
      toasts.show({ icon: 'warn', tone: 'danger', text })
    }
  }

  return {
    save: () =>
      tell(async () => {
        const { key, draft, shown } = detail()
        const value = draft.value === undefined ? shown.value?.value : draftBytes(draft.value)
        const file = value === undefined ? undefined : await saveValue(key, value)
        if (file === undefined) return
        const text = t('value.saved', { size: sizeText(file.sizeBytes) })
        toasts.show({ icon: 'check', tone: 'ok', text, subject: file.name })
      }),
    load: () =>
      tell(async () => {
        const one = detail()
        const file = await loadValue()
        // The user may have gone on to another key while the dialog was open; the text belongs to the one it was for.
        if (file === undefined) return
        if (one.draft.value === undefined) one.edit()
        one.writeBytes(file.bytes)
        const text = t('value.loaded', { size: sizeText(file.bytes.length) })
        toasts.show({ icon: 'check', tone: 'ok', text, subject: file.name })
      }),
  }
}
