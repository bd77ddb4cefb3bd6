import { useI18n } from 'vue-i18n'
import { keyText, parseKeyText, textBytes } from '../../format/bytes-text.ts'
import { timeText } from '../../format/duration-text.ts'
import { revisionText } from '../../format/quantity-text.ts'
import { useBookmarkStore } from '../../stores/bookmarks.ts'
import { useClusterStore } from '../../stores/clusters.ts'
import { useCommandStore } from '../../stores/commands.ts'
import { useConnectionStore } from '../../stores/connections.ts'
import { failureLine } from '../../stores/failure-text.ts'
import { useKeyStore } from '../../stores/keys.ts'
import { useObservedTimes } from '../../stores/observed-times.ts'
import { parseRevision } from '../../stores/revision-entry.ts'
import { useTabStore } from '../../stores/tabs.ts'
import { parseTime } from '../../stores/time-entry.ts'
import { useToastStore } from '../../stores/toasts.ts'
import { useTravelStore } from '../../stores/travel.ts'

/** What the first character of the field asks for. */
export type PaletteMode = 'all' | 'commands' | 'keys' | 'revisions'

/** One line of the palette. */
export interface PaletteEntry {
  readonly id: string
  readonly kind: 'goto' | 'revisions' | 'commands' | 'keys'
  /** Groups stand in this order. */
  readonly order: number
  readonly icon: string
  readonly title: string
  readonly note?: string
  readonly shortcut?: string
  /** Why it cannot run now. */
  readonly obstacle?: string
  readonly run: () => void
}

const keysMax = 20

/** Finds what the palette offers for a text: commands, keys that this window has seen, and the key that was typed. */
export function usePaletteEntries(): {
  readonly entries: (text: string, mode: PaletteMode) => readonly PaletteEntry[]
} {
  const { t, ...texts } = useI18n()
  const commands = useCommandStore()
  const connections = useConnectionStore()
  const keys = useKeyStore()
  const ofRevisions = useRevisionEntries()
  const ofTyped = useTypedEntries()

  function ofCommands(): PaletteEntry[] {
    return commands.all
      .filter((command) => texts.te(`commands.${command.id}`) && command.id !== 'view.palette')
      .map((command) => {
        const obstacle = command.findObstacle?.()
        const shortcut = command.shortcuts[0]
        return {
          id: command.id,
          kind: 'commands',
          order: 1,
          icon: command.icon,
          title: t(`commands.${command.id}`),
          ...(shortcut === undefined ? {} : { shortcut }),
          ...(obstacle === undefined ? {} : { obstacle: t(`commands.reasons.${obstacle}`) }),
          run: () => {
            commands.run(command.id)
          },
        }
      })
  }

  function ofKeys(text: string, connectionId: string): PaletteEntry[] {
    if (text === '') return []
    return keys.searchSeen(connectionId, textBytes(text), keysMax).map((row) => {
      return {
        id: `key:${keyText(row.key)}`,
        kind: 'keys',
        order: 2,
        icon: 'leaf',
        title: keyText(row.key),
        note: revisionText(row.modRevision),
        run: () => {
          keys.goToKey(connectionId, row.key)
        },
      }
    })
  }

  function entries(text: string, mode: PaletteMode): readonly PaletteEntry[] {
    const connectionId = connections.activeId
    if (mode === 'revisions')
      return connectionId === undefined ? [] : ofRevisions(text, connectionId)
    const found = mode === 'keys' ? [] : ofCommands()
    if (mode === 'commands' || connectionId === undefined) return found
    const typed = mode === 'keys' ? ofTyped(text, connectionId) : []
    return [...typed, ...found, ...ofKeys(text, connectionId)]
  }

  return { entries }
}

/** What was typed, as a prefix and as a whole key. */
function useTypedEntries(): (text: string, connectionId: string) => readonly PaletteEntry[] {
  const { t } = useI18n()
  const keys = useKeyStore()
  const tabs = useTabStore()
  return (text, connectionId) => [
    {
      ...{ id: 'goto', kind: 'goto', order: 0, icon: 'folder' },
      title: t('palette.openPrefix', { prefix: text }),
      run: () => void tabs.open('keys', { connectionId, subject: text }),
    },
    {
      ...{ id: 'openKey', kind: 'goto', order: 0, icon: 'leaf' },
      title: t('palette.openKey', { key: text }),
      run: () => {
        keys.goToKey(connectionId, parseKeyText(text))
      },
    },
  ]
}

/** The revision that was typed, and bookmarks: read in the active tab of keys, or in a new one. */
function useRevisionEntries(): (text: string, connectionId: string) => PaletteEntry[] {
  const { t } = useI18n()
  const tabs = useTabStore()
  const travel = useTravelStore()
  const toasts = useToastStore()
  const times = useObservedTimes()
  const clusters = useClusterStore()
  const bookmarks = useBookmarkStore()

  return (text, connectionId) => {
    const go = (revision: number): void => {
      const tab = tabs.active
      if (tab?.view !== 'keys' || tab.connectionId !== connectionId) {
        travel.openAt({ connectionId, revision })
      } else if (!travel.setRevision(tab.id, revision)) {
        toasts.show({ icon: 'warn', tone: 'danger', text: t('travel.unsaved') })
      }
    }
    const entry = (revision: number, note?: string): PaletteEntry => ({
      ...{ id: `revision:${String(revision)}`, kind: 'revisions', order: 0, icon: 'time' },
      title:
        revision === 0
          ? t('travel.backToHead')
          : t('travel.readAt', { revision: revisionText(revision) }),
      ...(note === undefined ? {} : { note }),
      run: () => {
        go(revision)
      },
    })
    const atMs = parseTime(text, Date.now())
    const goToTime = async (whenMs: number): Promise<void> => {
      const { revision, sinceMs } = await times.revisionAt(connectionId, whenMs)
      const since = timeText(new Date(sinceMs ?? Date.now()))
      if (revision !== undefined) go(revision)
      else toasts.show({ icon: 'time', tone: 'info', text: t('travel.problem.unseen', { since }) })
    }
    const ofTime = (whenMs: number): PaletteEntry => ({
      ...{ id: `time:${text}`, kind: 'revisions', order: 0, icon: 'time' },
      title: t('travel.readAtTime', { time: text }),
      run: () => {
        goToTime(whenMs).catch((failure: unknown) => {
          toasts.show({ icon: 'warn', tone: 'danger', text: failureLine(failure) })
        })
      },
    })
    const revision = parseRevision(text)
    const clusterId = clusters.states.get(connectionId)?.snapshot?.clusterId
    const named = clusterId === undefined ? [] : bookmarks.bookmarksOf(clusterId)
    const wanted = text.toLowerCase()
    return [
      ...(revision === undefined ? [] : [entry(revision)]),
      ...(atMs === undefined ? [] : [ofTime(atMs)]),
      ...named
        .filter((one) => one.name.toLowerCase().includes(wanted) && one.revision !== revision)
        .map((one) => entry(one.revision, one.name)),
    ]
  }
}
