import { watch } from 'vue'
import { useI18n } from 'vue-i18n'
import { countText } from '../../format/quantity-text.ts'
import { useTabStore } from '../../stores/tabs.ts'
import { useToastStore } from '../../stores/toasts.ts'
import type { WatchPane } from '../../stores/watch-pane.ts'
import { useWatchStore } from '../../stores/watches.ts'
import { useWatchNames } from '../watch/use-watch-names.ts'

/** Tells of changes of watches that are to be told while their list is not in sight. */
export function useWatchNews(): void {
  const { t } = useI18n()
  const tabs = useTabStore()
  const toasts = useToastStore()
  const watches = useWatchStore()
  const { titleOf } = useWatchNames()

  function tell({ connectionId, told, watches: running }: WatchPane): void {
    const item = told.value
    const source = running.find((one) => one.id === item?.watchId)
    const isInSight = tabs.active?.view === 'watch' && tabs.active.connectionId === connectionId
    if (item === undefined || source === undefined || isInSight) return
    toasts.show({
      ...{ icon: 'watch', tone: 'info', subject: titleOf(source) },
      text: t('watch.news', { n: countText(item.changeCount) }, item.changeCount),
      act: {
        ...{ label: t('watch.newsShow'), icon: 'watch' },
        run: () => void tabs.open('watch', { connectionId }),
      },
    })
  }

  watch(
    () => [...watches.panes.values()].map((pane) => ({ pane, told: pane.told.value })),
    (now, before) => {
      for (const { pane, told } of now) {
        const known = before.find((one) => one.pane === pane)?.told
        if (told !== undefined && told !== known) tell(pane)
      }
    },
  )
}
