import { onScopeDispose, ref } from 'vue'
import type { Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { countText } from '../../format/quantity-text.ts'
import type { WatchPane } from '../../stores/watch-pane.ts'

const everySeconds = 5
const msPerSecond = 1_000

/** A sentence for assistive technology about what came in the last seconds; never one for each row. */
export function useAnnouncements(pane: () => WatchPane): Ref<string> {
  const { t } = useI18n()
  const text = ref('')
  let source = pane()
  let total = source.total
  const timer = setInterval(() => {
    const now = pane()
    const count = now === source ? now.total - total : 0
    source = now
    total = now.total
    text.value =
      count === 0 ? '' : t('watch.announce', { n: countText(count), seconds: everySeconds })
  }, everySeconds * msPerSecond)
  onScopeDispose(() => {
    clearInterval(timer)
  })
  return text
}
