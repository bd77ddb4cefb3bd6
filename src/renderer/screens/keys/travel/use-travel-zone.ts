/** The axis of revisions above a key browser: what is shown of it, what its commands do, and how the past is brought back. */

import { computed, nextTick, type ComputedRef, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { keyText } from '../../../format/bytes-text.ts'
import type { KeyBrowser } from '../../../stores/key-browser.ts'
import type { KeyDetail } from '../../../stores/key-detail.ts'
import { usePlanStore } from '../../../stores/plans.ts'
import { useTravelStore } from '../../../stores/travel.ts'
import { nameOfRange } from './range-name.ts'
import { useTravel, useTravelCommands } from './use-travel.ts'

/** What the axis stands above. */
export interface TravelZoneParts {
  readonly tabId: () => string
  readonly browser: () => KeyBrowser | undefined
  readonly detail: () => KeyDetail | undefined
  readonly isReadOnly: () => boolean
  /** The axis as it is on the screen, while it is. */
  readonly zone: Ref<{ focus(): void; bookmark(): void } | null>
}

/** The axis and what the screen does with it. */
export interface TravelZoneActs {
  readonly axis: ReturnType<typeof useTravel>
  readonly isPast: ComputedRef<boolean>
  /** What changed since is shown instead of the opened key. */
  readonly hasChanges: ComputedRef<boolean>
  /** Each part of the screen says it for itself: what changed since shows the present as well, on its own paper. */
  readonly tense: ComputedRef<'past' | undefined>
  readonly toggleChanges: () => void
  readonly showHead: () => void
  /** Plans that the opened key becomes as it was. */
  readonly restoreKey: () => void
  /** Plans that the whole range becomes as it was. */
  readonly restoreRange: () => void
}

export function useTravelZone({
  tabId,
  browser,
  detail,
  isReadOnly,
  zone,
}: TravelZoneParts): TravelZoneActs {
  const { t } = useI18n()
  const travel = useTravelStore()
  const plans = usePlanStore()
  const axis = useTravel(tabId, browser)
  const isPast = computed(() => (browser()?.atRevision.value ?? 0) !== 0)
  const hasChanges = computed(() => isPast.value && travel.hasChanges(tabId()))
  const tense = computed(() => (isPast.value ? 'past' : undefined))

  /** Opens the timeline and then acts on it. */
  function inZone(act: (shown: { focus(): void; bookmark(): void }) => void): void {
    axis.setOpen(true)
    void nextTick(() => {
      if (zone.value !== null) act(zone.value)
    })
  }

  function toggleChanges(): void {
    travel.setChanges(tabId(), !travel.hasChanges(tabId()))
  }

  useTravelCommands(axis, {
    focusField: () => {
      inZone((shown) => {
        shown.focus()
      })
    },
    addBookmark: () => {
      inZone((shown) => {
        shown.bookmark()
      })
    },
    ...{ toggleChanges, restoreRange, restoreKey },
    findRestoreObstacle: () => {
      if (isReadOnly()) return 'readOnly'
      return browser()?.error.value === undefined ? undefined : 'unreadable'
    },
    hasKey: () => detail() !== undefined,
  })

  function restoreKey(): void {
    const shown = browser()
    const opened = detail()
    if (shown === undefined || opened === undefined) return
    const { connectionId, atRevision } = shown
    const range = { kind: 'key', key: opened.key } as const
    const source = { kind: 'restore', range, revision: atRevision.value } as const
    plans.begin({ connectionId, source, subject: keyText(opened.key) })
  }

  function restoreRange(): void {
    const shown = browser()
    if (shown === undefined) return
    const { connectionId, range, atRevision } = shown
    const source = { kind: 'restore', range, revision: atRevision.value } as const
    plans.begin({ connectionId, source, subject: nameOfRange(range, t) })
  }

  return {
    ...{ axis, isPast, hasChanges, tense, toggleChanges, restoreKey, restoreRange },
    showHead: () => {
      travel.setRevision(tabId(), 0)
    },
  }
}
