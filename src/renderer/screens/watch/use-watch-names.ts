/** How a watch is called, and how far it is, wherever that is told. */

import { useI18n } from 'vue-i18n'
import { revisionText } from '../../format/quantity-text.ts'
import type { PaneWatch } from '../../stores/pane-watch.ts'

/** Texts about a watch. */
export interface WatchNames {
  /** The user's name of the watch, or what it watches. */
  readonly titleOf: (watch: PaneWatch) => string
  /** A revision, or a dash where it is not known. */
  readonly reachedText: (revision: number) => string
}

/** The texts in the language of the window. */
export function useWatchNames(): WatchNames {
  const { t } = useI18n()
  return {
    titleOf: ({ definition }) => {
      if (definition.name !== '') return definition.name
      const isAll = definition.scope === 'all' || definition.keyText === ''
      if (isAll) return t('watch.scopes.all')
      const { scope, keyText, endText } = definition
      return scope === 'interval' ? t('watch.interval', { from: keyText, to: endText }) : keyText
    },
    reachedText: (revision) => (revision === 0 ? '–' : revisionText(revision)),
  }
}
