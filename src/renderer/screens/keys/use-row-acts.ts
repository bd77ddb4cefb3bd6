/** What can be done with a key of a list: the lines of its menu, and the same by keys. */

import { nextTick } from 'vue'
import { useI18n } from 'vue-i18n'
import type { ConnectionInfo } from '../../../preload/contract/connection.ts'
import type { KeyRow } from '../../../preload/contract/key-columns.ts'
import type { KeyValue } from '../../../preload/contract/kv.ts'
import type { MenuItem } from '../../components/menu/menu-item.ts'
import { shortcutText } from '../../composables/shortcut.ts'
import { useClipboard } from '../../composables/use-clipboard.ts'
import { base64Text, findText, keyText } from '../../format/bytes-text.ts'
import { countText, revisionText } from '../../format/quantity-text.ts'
import { useCommandStore } from '../../stores/commands.ts'
import { failureLine } from '../../stores/failure-text.ts'
import { useCompareStore } from '../../stores/compare.ts'
import { getKey } from '../../stores/key-calls.ts'
import { useKeyDialogStore, type KeyDialog } from '../../stores/key-dialogs.ts'
import { subjectOf } from '../../stores/key-subject.ts'
import { useTabStore } from '../../stores/tabs.ts'
import { useToastStore } from '../../stores/toasts.ts'
import { plainDefinition } from '../../stores/watch-definition.ts'
import { useWatchStore } from '../../stores/watches.ts'
import { keyCommand, keyPutCommand } from '../../transfer/key-command.ts'
import { recordOf } from '../../transfer/row-record.ts'
import { useWriteUndo } from './use-write-undo.ts'

/** Where the acts happen. */
export interface RowActsPlace {
  readonly connection: () => ConnectionInfo
  readonly tabId: () => string
  /** The revision that is read; 0: the head. */
  readonly revision: () => number
  readonly separator: () => string
  readonly open: (key: Uint8Array) => void
  readonly remove: (rows: readonly KeyRow[]) => void
  /** Plans that rows become as they are shown, at the revision that is read. */
  readonly restore: (rows: readonly KeyRow[]) => void
  readonly copyRows: () => void
}

/** Keys that are put on the clipboard with their values; each is read. */
const copiedValuesMax = 1_000

/** A key as a row names it. */
type NamedKey = Pick<KeyRow, 'key' | 'modRevision'>

export interface RowActs {
  /** Lines for some rows: those of one key, or those that several keys have in common. */
  readonly itemsFor: (rows: readonly KeyRow[]) => readonly MenuItem[]
  readonly duplicate: (row: NamedKey) => Promise<void>
  readonly rename: (row: NamedKey) => Promise<void>
  readonly copyCommand: (row: NamedKey) => Promise<void>
  readonly undo: () => Promise<void>
}

/** Makes a line of the menu whose text is that of its id. */
type MakeItem = (id: string, icon: string, run: () => void, more?: Partial<MenuItem>) => MenuItem

export function useRowActs(place: RowActsPlace): RowActs {
  const { t } = useI18n()
  const make: MakeItem = (id, icon, run, more) => ({
    ...{ id, icon, run },
    label: more?.label ?? t(`acts.${id}`),
    ...more,
  })
  const { withPair, tell } = useReading(place)
  const copies = useCopies(place, { withPair, tell })
  const writes = useWrites(place, withPair, make)
  const views = useViews(place, make)
  const itemsForMany = (rows: readonly KeyRow[]): readonly MenuItem[] => [
    make('copyRows', 'copy', place.copyRows, { shortcut: shortcutText('Mod+C') }),
    make('copyJson', 'copy', () => void copies.copyManyJson(rows)),
    views.exportItem(rows),
    ...writes.restoreItems(rows),
    writes.deleteItem(rows),
  ]

  return {
    itemsFor: (rows) => {
      const [only] = rows
      if (only === undefined) return []
      if (rows.length > 1) return itemsForMany(rows)
      const prefix = folderOf(only.key, place.separator())
      return [
        make('open', 'enter', () => {
          place.open(only.key)
        }),
        ...writes.itemsFor(only, prefix),
        ...copies.itemsFor(only, make),
        ...views.itemsFor(only),
        ...writes.restoreItems(rows),
        writes.deleteItem(rows),
      ]
    },
    duplicate: writes.duplicate,
    rename: writes.rename,
    copyCommand: copies.copyGet,
    undo: useWriteUndo(place.tabId).undoLast,
  }
}

/** The folder that a key lies in. */
function folderOf(key: Uint8Array, separatorText: string): Uint8Array {
  const separator = new TextEncoder().encode(separatorText)
  for (let at = key.length - 1; separator.length > 0 && at >= 0; at--) {
    if (separator.every((byte, index) => key[at + index] === byte))
      return key.slice(0, at + separator.length)
  }
  return new Uint8Array(0)
}

type WithPair = (row: NamedKey, then: (pair: KeyValue) => void) => Promise<void>

/** Acts that write, and why they cannot. */
function useWrites(
  place: RowActsPlace,
  withPair: WithPair,
  make: MakeItem,
): Pick<RowActs, 'duplicate' | 'rename'> & {
  readonly itemsFor: (row: KeyRow, prefix: Uint8Array) => readonly MenuItem[]
  readonly deleteItem: (rows: readonly KeyRow[]) => MenuItem
  /** Of the past only. */
  readonly restoreItems: (rows: readonly KeyRow[]) => readonly MenuItem[]
} {
  const { t } = useI18n()
  const dialogs = useKeyDialogStore()
  const findObstacle = (): string | undefined => {
    if (place.connection().isReadOnly) return t('commands.reasons.readOnly')
    return place.revision() === 0 ? undefined : t('commands.reasons.pastRevision')
  }
  const ask = (dialog: KeyDialog): void => {
    if (findObstacle() === undefined) dialogs.ask(place.connection().id, dialog)
  }
  const duplicate = (row: NamedKey): Promise<void> =>
    withPair(row, (template) => {
      ask({ kind: 'new', prefix: template.key, template })
    })
  const rename = (row: NamedKey): Promise<void> =>
    withPair(row, (pair) => {
      ask({ kind: 'rename', pair })
    })
  const changeLease = (row: NamedKey): Promise<void> =>
    withPair(row, (pair) => {
      ask({ kind: 'lease', pair })
    })
  return {
    duplicate,
    rename,
    itemsFor: (row, prefix) => {
      const obstacle = findObstacle()
      const askNew = (): void => {
        ask({ kind: 'new', prefix })
      }
      return [
        make('newHere', 'plus', askNew, { obstacle, shortcut: shortcutText('Mod+N') }),
        make('duplicate', 'copy', () => void duplicate(row), {
          ...{ obstacle, shortcut: shortcutText('Mod+D') },
        }),
        make('rename', 'edit', () => void rename(row), { obstacle, shortcut: 'F2' }),
        make('lease', 'lease', () => void changeLease(row), { obstacle }),
      ]
    },
    restoreItems: (rows) => {
      const revision = place.revision()
      if (revision === 0) return []
      const obstacle = place.connection().isReadOnly ? t('commands.reasons.readOnly') : undefined
      const restore = (): void => {
        place.restore(rows)
      }
      const label = t('acts.restoreTo', { revision: revisionText(revision) })
      return [make('restore', 'undo', restore, { label, obstacle, isGroupStart: true })]
    },
    deleteItem: (rows) => {
      const remove = (): void => {
        place.remove(rows)
      }
      const more = { obstacle: findObstacle(), isDanger: true, isGroupStart: true }
      return make('delete', 'trash', remove, { ...more, shortcut: 'Del' })
    },
  }
}

/** Acts that show a key somewhere else. */
function useViews(
  place: RowActsPlace,
  make: MakeItem,
): {
  readonly itemsFor: (row: KeyRow) => readonly MenuItem[]
  readonly exportItem: (rows: readonly KeyRow[]) => MenuItem
} {
  const tabs = useTabStore()
  const watches = useWatchStore()
  const dialogs = useKeyDialogStore()
  const commands = useCommandStore()
  const comparisons = useCompareStore()
  const connectionId = (): string => place.connection().id

  function watchKey({ key }: NamedKey): void {
    const id = connectionId()
    const headRevision = place.connection().headRevision
    const pane = watches.paneOf(id)
    const definition = { ...plainDefinition, scope: 'key', keyText: keyText(key) } as const
    pane.add({ ...definition, colour: pane.nextColour }, headRevision)
    tabs.open('watch', { connectionId: id })
  }

  /** The command belongs to the pane of the opened key, which is there a moment later. */
  async function showHistory({ key }: NamedKey): Promise<void> {
    place.open(key)
    await nextTick()
    commands.run('key.history')
  }

  /** What is read here, or the key before its last change, against the head. */
  function compareKey({ key, modRevision }: NamedKey): void {
    const right = {
      ...{ connectionId: connectionId(), revision: 0 },
      subject: subjectOf({ kind: 'key', key: Uint8Array.from(key) }),
    }
    const before = Math.max(1, modRevision - 1)
    const revision = place.revision() === 0 ? before : place.revision()
    comparisons.open({ left: { ...right, revision }, right, isImmediate: true })
  }

  const exportItem = (rows: readonly KeyRow[]): MenuItem =>
    make('export', 'download', () => {
      const keys = rows.map((row) => Uint8Array.from(row.key))
      const subject = { kind: 'keys', keys, revision: place.revision() } as const
      dialogs.ask(connectionId(), { kind: 'export', subject })
    })
  return {
    exportItem,
    itemsFor: (row) => [
      make('history', 'history', () => void showHistory(row), { isGroupStart: true }),
      make('watch', 'watch', () => {
        watchKey(row)
      }),
      make('compare', 'diff', () => {
        compareKey(row)
      }),
      exportItem([row]),
    ],
  }
}

/** Reads a whole key as of the shown revision; what fails is told. */
function useReading(place: RowActsPlace): {
  readonly withPair: WithPair
  readonly tell: (text: string) => void
} {
  const { t } = useI18n()
  const toasts = useToastStore()
  const tell = (text: string): void => {
    toasts.show({ icon: 'warn', tone: 'danger', text })
  }
  return {
    tell,
    withPair: async (row, then) => {
      try {
        const key = Uint8Array.from(row.key)
        const pair = await getKey(place.connection().id, key, place.revision())
        if (pair === undefined) tell(t('key.absentHere'))
        else then(pair)
      } catch (failure) {
        tell(failureLine(failure))
      }
    },
  }
}

/** Acts that put a key, its value or a command about it on the clipboard. */
function useCopies(
  place: RowActsPlace,
  { withPair, tell }: ReturnType<typeof useReading>,
): {
  readonly itemsFor: (row: KeyRow, make: MakeItem) => readonly MenuItem[]
  readonly copyGet: (row: NamedKey) => Promise<void>
  readonly copyManyJson: (rows: readonly NamedKey[]) => Promise<void>
} {
  const { t } = useI18n()
  const { copy } = useClipboard()
  const toasts = useToastStore()
  const endpoints = (): readonly string[] => place.connection().endpoints.map(({ url }) => url)

  async function copyOrTell(text: string | undefined): Promise<void> {
    if (text !== undefined) await copy(text)
    else tell(t('acts.zeroByte'))
  }

  const copyGet = (row: NamedKey): Promise<void> =>
    withPair(row, ({ key, value }) => {
      // At the head no revision is named: the one that the key was written at may have been compacted since.
      const subject = { key, value, revision: place.revision(), endpoints: endpoints() }
      void copyOrTell(keyCommand('get', subject))
    })

  const copyPlain = (row: NamedKey, verb: 'del' | 'watch') => (): void => {
    const subject = { key: row.key, revision: 0, endpoints: endpoints() }
    void copyOrTell(keyCommand(verb, subject))
  }

  function copyValue({ value }: KeyValue): void {
    const text = findText(value)
    void copy(text ?? base64Text(value))
    if (text === undefined) toasts.show({ icon: 'info', tone: 'info', text: t('acts.binaryValue') })
  }

  /** Keys with their values, as they are one after the other; for more there is the export. */
  async function copyManyJson(rows: readonly NamedKey[]): Promise<void> {
    if (rows.length > copiedValuesMax) {
      tell(t('acts.copyManyMax', { n: countText(copiedValuesMax) }))
      return
    }
    const records: unknown[] = []
    for (const row of rows) await withPair(row, (pair) => records.push(recordOf(pair)))
    await copy(JSON.stringify(records, null, 2))
  }

  return {
    copyGet,
    copyManyJson,
    itemsFor: (row, make) => {
      const withRow = (then: (pair: KeyValue) => void) => (): void => void withPair(row, then)
      const copyJson = (pair: KeyValue): void => void copy(JSON.stringify(recordOf(pair), null, 2))
      const copyPut = (pair: KeyValue): void => void copy(keyPutCommand(pair, endpoints()))
      const copyKey = (): void => void copy(keyText(row.key))
      const copyShortcut = { shortcut: shortcutText('Mod+Shift+C') }
      return [
        make('copyKey', 'copy', copyKey, { isGroupStart: true, shortcut: shortcutText('Mod+C') }),
        make('copyValue', 'copy', withRow(copyValue)),
        make('copyJson', 'copy', withRow(copyJson)),
        make('copyGet', 'terminal', () => void copyGet(row), copyShortcut),
        make('copyPut', 'terminal', withRow(copyPut)),
        make('copyDelete', 'terminal', copyPlain(row, 'del')),
        make('copyWatch', 'terminal', copyPlain(row, 'watch')),
      ]
    },
  }
}
