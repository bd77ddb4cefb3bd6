import { useDebounceFn } from '@vueuse/core'
import { computed, ref, watch } from 'vue'
import type { ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { preciseTimeText } from '../../../format/duration-text.ts'
import { findRevisionTime } from '../../../stores/key-calls.ts'
import type { RevisionTime } from '../../../../preload/contract/bin.ts'

/** A slider at rest asks for the time of its revision; one that is dragged does not. */
const restMs = 200

/** What is known of the time of a revision, in words: observed, between two bounds, or nothing; never a guess. */
export function useRevisionTime(
  place: () => { readonly connectionId: string; readonly revision: number },
): ComputedRef<{ readonly text: string; readonly isObserved: boolean }> {
  const { t } = useI18n()
  const known = ref<RevisionTime>()
  const ask = useDebounceFn(async (connectionId: string, revision: number) => {
    const found = await findRevisionTime(connectionId, revision)
    if (place().revision === revision) known.value = found
  }, restMs)
  watch(
    place,
    ({ connectionId, revision }) => {
      known.value = undefined
      if (revision !== 0) void ask(connectionId, revision)
    },
    { immediate: true },
  )
  return computed(() => {
    const time = known.value
    const afterMs = time?.afterMs
    const beforeMs = time?.beforeMs
    const text = (ms: number): string => preciseTimeText(new Date(ms))
    if (beforeMs !== undefined && beforeMs === afterMs)
      return { text: text(beforeMs), isObserved: true }
    if (beforeMs !== undefined && afterMs !== undefined) {
      const named = { from: text(afterMs), to: text(beforeMs) }
      return { text: t('travel.between', named), isObserved: false }
    }
    if (beforeMs !== undefined)
      return { text: t('travel.before', { time: text(beforeMs) }), isObserved: false }
    return { text: t('travel.timeUnknown'), isObserved: false }
  })
}
