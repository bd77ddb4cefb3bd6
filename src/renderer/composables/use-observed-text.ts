import { useI18n } from 'vue-i18n'
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
  return (connectionId, revision) => {
    const time = times.of(connectionId, revision)
    switch (time.kind) {
      case 'observed':
        return {
          kind: time.kind,
          short: clock.format(time.atMs),
          long: t('history.observed', { time: day.format(time.atMs) }),
        }
      case 'between':
        return {
          kind: time.kind,
          short: `${clock.format(time.afterMs)} – ${clock.format(time.beforeMs)}`,
          long: t('history.between', {
            after: day.format(time.afterMs),
            before: day.format(time.beforeMs),
          }),
        }
      case 'before':
        return {
          kind: time.kind,
          short: t('history.unknown'),
          long: t('history.before', { before: day.format(time.beforeMs) }),
        }
      case 'unknown':
        return { kind: time.kind, short: t('history.unknown'), long: t('history.unknownTime') }
    }
  }
}
