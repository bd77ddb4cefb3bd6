import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import { useObservedText } from '../../composables/use-observed-text.ts'
import { preciseTimeText } from '../../format/duration-text.ts'
import type { WatchPane } from '../../stores/watch-pane.ts'
import { rowTexts } from './row-texts.ts'
import type { EventList } from './use-event-list.ts'
import type { WatchRowProps } from './watch-row.ts'

/** The rows of the events: what each is drawn from, and what a click on one means. */
export interface EventRows {
  readonly rowAt: (index: number, isActive: boolean) => WatchRowProps
  /** A click on the fold of a row shows or hides its details, and does not choose the row. */
  readonly pressFold: (event: MouseEvent) => void
  /** The event that a double click is on. */
  readonly openedBy: (event: MouseEvent) => number | undefined
}

const noTime = { short: '', long: '' }

/** @param isFound  whether the search has found a row that is in sight */
export function useEventRows(
  pane: () => WatchPane,
  list: EventList,
  isFound: (id: number) => boolean,
): EventRows {
  const { t } = useI18n()
  const observed = useObservedText()
  const texts = computed(() => rowTexts(t))

  /** Of what was written before a watch looked, the app may know the time from elsewhere. */
  function timeOf(id: number): { readonly short: string; readonly long: string } {
    const seen = pane().log.seenOf(id)
    if (!seen.isReplayed) {
      const at = new Date(seen.atMs)
      return { short: preciseTimeText(at), long: at.toISOString() }
    }
    const { kind, short, long } = observed(pane().connectionId, pane().log.placeOf(id))
    const isKnown = kind !== 'unknown' && kind !== 'before'
    return { short: isKnown ? short : texts.value.timeUnknown, long }
  }

  function rowAt(index: number, isActive: boolean): WatchRowProps {
    const { log, marked } = pane()
    const line = list.view.value.lines.at(index)
    const row = line?.kind === 'row' ? line : undefined
    const id = row?.id
    const time = row?.isFirst === true ? timeOf(row.id) : noTime
    return {
      ...{ pane: pane(), texts: texts.value, id, index, isActive },
      op: id === undefined ? undefined : log.opOf(id),
      colour: id === undefined ? 0 : pane().colourOf(log.watchIdOf(id)),
      ...{ isFirst: row?.isFirst === true, isSecond: row?.isSecond === true },
      ...{ isLast: row?.isLast === true, groupSize: row?.groupSize ?? 0 },
      isSelected: id !== undefined && list.selected.value.has(id),
      isExpanded: id !== undefined && list.expandedId.value === id,
      isFound: id !== undefined && isFound(id),
      isMarked: id !== undefined && marked.has(id),
      ...{ timeShort: time.short, timeLong: time.long },
    }
  }

  function eventAround({ target }: Event): number | undefined {
    const row = target instanceof Element ? target.closest('[data-testid=watch-event]') : null
    const index = Number(row?.getAttribute('aria-rowindex') ?? 0) - 1
    return list.view.value.lines.idAt(index)
  }

  return {
    rowAt,
    pressFold: (event) => {
      if (!isOnFold(event)) return
      event.stopPropagation()
      list.toggleDetails(eventAround(event))
    },
    openedBy: (event) => (isOnFold(event) ? undefined : eventAround(event)),
  }
}

const isOnFold = ({ target }: Event): boolean =>
  target instanceof Element && target.closest('.fold') !== null
