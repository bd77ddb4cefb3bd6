import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import { fillerOf, pairFillerOf } from '../i18n/message-filler.ts'
import { useObservedTimes } from '../stores/observed-times.ts'

// Each row of a list may ask, and to make them takes long.
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })
const day = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' })

/** The time of a revision as text, with how it is known. */
export interface ObservedText {
  readonly kind: 'observed' | 'between' | 'before' | 'unknown'
  /** For a narrow column. */
  readonly short: string
  /** A sentence. */
  readonly long: string
}

/** Texts of times, the same in every screen; nothing is guessed where nothing was seen. */
export function useObservedText(): (connectionId: string, revision: number) => ObservedText {
  const { t } = useI18n()
  const times = useObservedTimes()
  const texts = computed(() => ({
    observed: fillerOf(t, 'history.observed', 'time'),
    between: pairFillerOf(t, 'history.between', ['after', 'before']),
    before: fillerOf(t, 'history.before', 'before'),
    unknown: t('history.unknown'),
    unknownTime: t('history.unknownTime'),
  }))
  return (connectionId, revision) => {
    const time = times.of(connectionId, revision)
    const { observed, between, before, unknown, unknownTime } = texts.value
    switch (time.kind) {
      case 'observed': {
        const long = observed(day.format(time.atMs))
        return { kind: time.kind, short: clock.format(time.atMs), long }
      }
      case 'between':
        return {
          kind: time.kind,
          short: `${clock.format(time.afterMs)} – ${clock.format(time.beforeMs)}`,
          long: between(day.format(time.afterMs), day.format(time.beforeMs)),
        }
      case 'before':
        return { kind: time.kind, short: unknown, long: before(day.format(time.beforeMs)) }
      case 'unknown':
        return { kind: time.kind, short: unknown, long: unknownTime }
    }
  }
}
