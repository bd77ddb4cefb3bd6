/** Where a tab stands on the axis of revisions, how it goes from one to another, and the commands for that. */

import { useIntervalFn } from '@vueuse/core'
import { computed, onScopeDispose } from 'vue'
import type { ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { useBookmarkStore } from '../../../stores/bookmarks.ts'
import type { Bookmark } from '../../../stores/bookmarks.ts'
import { useClusterStore } from '../../../stores/clusters.ts'
import { useCommandStore } from '../../../stores/commands.ts'
import { failureLine, isCompacted, isFutureRevision } from '../../../stores/failure-text.ts'
import type { KeyBrowser } from '../../../stores/key-browser.ts'
import { checkRevision } from '../../../stores/revision-check.ts'
import type { RevisionActivity } from '../../../stores/travel-activity.ts'
import { useToastStore } from '../../../stores/toasts.ts'
import { useTravelStore } from '../../../stores/travel.ts'

/** How often a revision that is looked at is asked for. */
const checkEveryMs = 5_000

/** A tab on the axis of revisions. */
export interface Travel {
  /** Whether the timeline is shown. */
  readonly isOpen: ComputedRef<boolean>
  readonly isPast: ComputedRef<boolean>
  /** The revision that is read; the head's while the head is read. */
  readonly position: ComputedRef<number>
  readonly headRevision: ComputedRef<number>
  /** The oldest revision that can be read; 1 while it is not known. */
  readonly oldestRevision: ComputedRef<number>
  /** Absent while the timeline is closed. */
  readonly activity: ComputedRef<RevisionActivity | undefined>
  readonly clusterId: ComputedRef<bigint | undefined>
  readonly bookmarks: ComputedRef<readonly Bookmark[]>
  /** The revision cannot be read: why, and where to go instead. */
  readonly obstacle: ComputedRef<'compacted' | 'future' | undefined>
  /** Reads as of a revision; the head or beyond it is the head, kept current. */
  readonly goTo: (revision: number) => void
  readonly step: (by: number) => void
  readonly stepChange: (direction: 'previous' | 'next') => void
  readonly setOpen: (isOpen: boolean) => void
}

export function useTravel(tabId: () => string, browser: () => KeyBrowser | undefined): Travel {
  const { t } = useI18n()
  const travel = useTravelStore()
  const clusters = useClusterStore()
  const bookmarkStore = useBookmarkStore()
  const toasts = useToastStore()

  const snapshot = computed(() => {
    const connectionId = browser()?.connectionId
    return connectionId === undefined ? undefined : clusters.states.get(connectionId)?.snapshot
  })
  const atRevision = computed(() => browser()?.atRevision.value ?? 0)
  const isOpen = computed(() => travel.isOpen(tabId()))
  const activity = computed(() => {
    const one = browser()
    if (!isOpen.value || one === undefined) return undefined
    return travel.activityOf(tabId(), one.connectionId, one.range)
  })
  const picture = computed(() => activity.value?.picture.value)
  const headRevision = computed(() =>
    Math.max(
      snapshot.value?.headRevision ?? 0,
      browser()?.headRevision.value ?? 0,
      picture.value?.headRevision ?? 0,
    ),
  )
  const oldestRevision = computed(() => picture.value?.oldestRevision ?? 1)
  const position = computed(() => (atRevision.value === 0 ? headRevision.value : atRevision.value))
  const clusterId = computed(() => snapshot.value?.clusterId)
  const bookmarks = computed(() =>
    clusterId.value === undefined ? [] : bookmarkStore.bookmarksOf(clusterId.value),
  )
  const obstacle = useObstacle(browser)

  function goTo(revision: number): void {
    const wanted = revision >= headRevision.value ? 0 : Math.max(1, revision)
    if (!travel.setRevision(tabId(), wanted))
      toasts.show({ icon: 'warn', tone: 'danger', text: t('travel.unsaved') })
  }

  function step(by: number): void {
    goTo(Math.max(oldestRevision.value, position.value + by))
  }

  async function findAndGo(direction: 'previous' | 'next'): Promise<void> {
    const found = await activity.value?.find(position.value, direction)
    if (found?.kind === 'found') {
      goTo(Math.max(oldestRevision.value, found.revision))
      return
    }
    if (direction === 'next' && found?.kind === 'none') goTo(headRevision.value)
    const text = found?.kind === 'none' ? `travel.no.${direction}` : 'travel.no.unknown'
    toasts.show({ icon: 'time', tone: 'info', text: t(text) })
  }

  function stepChange(direction: 'previous' | 'next'): void {
    travel.setOpen(tabId(), true)
    findAndGo(direction).catch((failure: unknown) => {
      toasts.show({ icon: 'warn', tone: 'danger', text: failureLine(failure) })
    })
  }

  return {
    ...{ isOpen, position, headRevision, oldestRevision, activity, clusterId, bookmarks, obstacle },
    ...{ isPast: computed(() => atRevision.value !== 0), goTo, step, stepChange },
    setOpen: (isWanted) => {
      if (!isWanted) goTo(headRevision.value)
      travel.setOpen(tabId(), isWanted)
    },
  }
}

/** Why the revision that is read cannot be. */
function useObstacle(browser: () => KeyBrowser | undefined): Travel['obstacle'] {
  // What is looked at may be compacted meanwhile, and nothing else would tell.
  useIntervalFn(() => {
    const one = browser()
    if (one !== undefined) void checkRevision(one)
  }, checkEveryMs)
  return computed(() => {
    const { atRevision, error } = browser() ?? {}
    if (atRevision?.value === 0 || error?.value === undefined) return undefined
    if (isCompacted(error.value)) return 'compacted'
    return isFutureRevision(error.value) ? 'future' : undefined
  })
}

/** The commands of time travel, for as long as the tab is shown. */
export function useTravelCommands(
  one: Travel,
  acts: {
    readonly focusField: () => void
    readonly addBookmark: () => void
    readonly toggleChanges: () => void
    readonly restoreRange: () => void
    readonly restoreKey: () => void
    readonly findRestoreObstacle: () => string | undefined
    readonly hasKey: () => boolean
  },
): void {
  const commands = useCommandStore()
  const findPastObstacle = (): string | undefined => (one.isPast.value ? undefined : 'atHead')
  const stepBy = (by: 1 | -1) => (): void => {
    one.step(by)
  }
  const findRestoreObstacle = (): string | undefined =>
    findPastObstacle() ?? acts.findRestoreObstacle()
  onScopeDispose(
    commands.register([
      { id: 'travel.goTo', icon: 'time', shortcuts: ['Mod+G'], run: acts.focusField },
      {
        ...{ id: 'travel.restoreRange', icon: 'undo', shortcuts: [], run: acts.restoreRange },
        findObstacle: findRestoreObstacle,
      },
      {
        ...{ id: 'travel.restoreKey', icon: 'undo', shortcuts: [], run: acts.restoreKey },
        findObstacle: () => findRestoreObstacle() ?? (acts.hasKey() ? undefined : 'noKey'),
      },
      { id: 'travel.back', icon: 'back', shortcuts: ['['], run: stepBy(-1) },
      {
        ...{ id: 'travel.forward', icon: 'fwd', shortcuts: [']'], run: stepBy(1) },
        findObstacle: findPastObstacle,
      },
      {
        ...{ id: 'travel.previousChange', icon: 'back', shortcuts: ['Alt+['] },
        run: () => {
          one.stepChange('previous')
        },
      },
      {
        ...{ id: 'travel.nextChange', icon: 'fwd', shortcuts: ['Alt+]'] },
        findObstacle: findPastObstacle,
        run: () => {
          one.stepChange('next')
        },
      },
      {
        ...{ id: 'travel.head', icon: 'undo', shortcuts: ['Mod+Shift+G'] },
        findObstacle: findPastObstacle,
        run: () => {
          one.goTo(one.headRevision.value)
        },
      },
      { id: 'travel.bookmark', icon: 'bookmark', shortcuts: ['Alt+B'], run: acts.addBookmark },
      {
        ...{ id: 'travel.changes', icon: 'diff', shortcuts: ['Alt+C'] },
        findObstacle: findPastObstacle,
        run: acts.toggleChanges,
      },
    ]),
  )
}
