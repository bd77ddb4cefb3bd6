import { useI18n } from 'vue-i18n'
import { useToastStore } from '../stores/toasts.ts'
import { failureLine } from '../stores/failure-text.ts'
import { appApi } from '../api/host-api.ts'

/** Copies text and says so. */
export function useClipboard(): { readonly copy: (text: string) => Promise<void> } {
  const toasts = useToastStore()
  const { t } = useI18n()

  async function copy(text: string): Promise<void> {
    try {
      await appApi.writeClipboard(text)
      toasts.show({ icon: 'check', tone: 'ok', text: t('state.copied') })
    } catch (failure) {
      toasts.show({ icon: 'warn', tone: 'danger', text: failureLine(failure) })
    }
  }

  return { copy }
}
