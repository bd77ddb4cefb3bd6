/** What can be done with a key of a list: the lines of its menu, and the same by keys. */

import { useI18n } from 'vue-i18n'
import type { ConnectionInfo } from '../../../preload/contract/connection.ts'
import type { KeyRow } from '../../../preload/contract/key-columns.ts'
import type { KeyValue } from '../../../preload/contract/kv.ts'
import type { MenuItem } from '../../components/menu/menu-item.ts'
import { shortcutText } from '../../composables/shortcut.ts'
import { useClipboard } from '../../composables/use-clipboard.ts'
import { base64Text, findText, keyText } from '../../format/bytes-text.ts'
import { failureLine } from '../../stores/failure-text.ts'
import { useCompareStore } from '../../stores/compare.ts'
import { getKey } from '../../stores/key-calls.ts'
import { useKeyDialogStore } from '../../stores/key-dialogs.ts'
import { subjectOf } from '../../stores/key-subject.ts'
import { useTabStore } from '../../stores/tabs.ts'
import { useToastStore } from '../../stores/toasts.ts'
import { useUndoStore } from '../../stores/undo-writes.ts'
import { plainDefinition } from '../../stores/watch-definition.ts'
import { useWatchStore } from '../../stores/watches.ts'
import { keyCommand, keyPutCommand } from '../../transfer/key-command.ts'
import { recordOf } from '../../transfer/row-record.ts'

/** Where the acts happen. */
export interface RowActsPlace {
  readonly connection: () => ConnectionInfo
  readonly tabId: () => string
  /** The revision that is read; 0: the head. */
  readonly revision: () => number
  readonly separator: () => string
  readonly open: (key: Uint8Array) => void
  readonly remove: (rows: readonly KeyRow[]) => void
  readonly copyRows: () => void
}

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

export function useRowActs(place: RowActsPlace): RowActs {
  const { t } = useI18n()
  const dialogs = useKeyDialogStore()
  const tabs = useTabStore()
  const watches = useWatchStore()
  const comparisons = useCompareStore()
  const reading = useReading(place)
  const { withPair } = reading
  const copies = useCopies(place, withPair)
  const undo = useUndo(place)
  const writeObstacle = (): string | undefined => {
    if (place.connection().isReadOnly) return t('commands.reasons.readOnly')
    return place.revision() === 0 ? undefined : t('commands.reasons.pastRevision')
  }
  const connectionId = (): string => place.connection().id

  const duplicate = (row: NamedKey): Promise<void> =>
    withPair(row, (template) => {
      if (writeObstacle() !== undefined) return
      dialogs.ask(connectionId(), { kind: 'new', prefix: template.key, template })
    })
  const rename = (row: NamedKey): Promise<void> =>
    withPair(row, (pair) => {
      if (writeObstacle() === undefined) dialogs.ask(connectionId(), { kind: 'rename', pair })
    })

  function folderOf(key: Uint8Array): Uint8Array {
    const separator = new TextEncoder().encode(place.separator())
    for (let at = key.length - 1; separator.length > 0 && at >= 0; at--) {
      if (separator.every((byte, index) => key[at + index] === byte))
        return key.slice(0, at + separator.length)
    }
    return new Uint8Array(0)
  }

  function watchKey({ key }: NamedKey): void {
    const id = connectionId()
    const headRevision = place.connection().headRevision
    const pane = watches.paneOf(id)
    const definition = { ...plainDefinition, scope: 'key', keyText: keyText(key) } as const
    pane.add({ ...definition, colour: pane.nextColour }, headRevision)
    tabs.open('watch', { connectionId: id })
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

  function exportRows(rows: readonly KeyRow[]): void {
    const keys = rows.map((row) => Uint8Array.from(row.key))
    dialogs.ask(connectionId(), {
      kind: 'export',
      subject: { kind: 'keys', keys, revision: place.revision() },
    })
  }

  function itemsForOne(row: KeyRow): readonly MenuItem[] {
    const obstacle = writeObstacle()
    const item = (
      id: string,
      icon: string,
      run: () => void,
      more?: Partial<MenuItem>,
    ): MenuItem => ({
      ...{ id, icon, run, label: t(`acts.${id}`) },
      ...more,
    })
    const prefix = folderOf(row.key)
    return [
      item('open', 'enter', () => {
        place.open(row.key)
      }),
      item(
        'newHere',
        'plus',
        () => {
          dialogs.ask(connectionId(), { kind: 'new', prefix })
        },
        { obstacle, shortcut: shortcutText('Mod+N') },
      ),
      item('duplicate', 'copy', () => void duplicate(row), {
        ...{ obstacle, shortcut: shortcutText('Mod+D') },
      }),
      item('rename', 'edit', () => void rename(row), { obstacle, shortcut: 'F2' }),
      ...copies.itemsFor(row),
      item(
        'watch',
        'watch',
        () => {
          watchKey(row)
        },
        { isGroupStart: true },
      ),
      item('compare', 'diff', () => {
        compareKey(row)
      }),
      item('export', 'download', () => {
        exportRows([row])
      }),
      item(
        'delete',
        'trash',
        () => {
          place.remove([row])
        },
        { obstacle, isDanger: true, isGroupStart: true, shortcut: 'Del' },
      ),
    ]
  }

  function itemsForMany(rows: readonly KeyRow[]): readonly MenuItem[] {
    return [
      {
        ...{ id: 'copyRows', icon: 'copy', label: t('acts.copyRows') },
        ...{ shortcut: shortcutText('Mod+C'), run: place.copyRows },
      },
      {
        ...{ id: 'export', icon: 'download', label: t('acts.export') },
        run: () => {
          exportRows(rows)
        },
      },
      {
        ...{ id: 'delete', icon: 'trash', label: t('acts.delete'), isDanger: true },
        ...{ isGroupStart: true, shortcut: 'Del', obstacle: writeObstacle() },
        run: () => {
          place.remove(rows)
        },
      },
    ]
  }

  return {
    itemsFor: (rows) => {
      const [only] = rows
      if (only === undefined) return []
      return rows.length === 1 ? itemsForOne(only) : itemsForMany(rows)
    },
    duplicate,
    rename,
    copyCommand: copies.copyGet,
    undo,
  }
}

/** Reads a whole key as of the shown revision; what fails is told. */
function useReading(place: RowActsPlace): {
  readonly withPair: (row: NamedKey, then: (pair: KeyValue) => void) => Promise<void>
} {
  const { t } = useI18n()
  const toasts = useToastStore()
  const tell = (text: string): void => {
    toasts.show({ icon: 'warn', tone: 'danger', text })
  }
  return {
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

function useCopies(
  place: RowActsPlace,
  withPair: (row: NamedKey, then: (pair: KeyValue) => void) => Promise<void>,
): {
  readonly itemsFor: (row: KeyRow) => readonly MenuItem[]
  readonly copyGet: (row: NamedKey) => Promise<void>
} {
  const { t } = useI18n()
  const { copy } = useClipboard()
  const toasts = useToastStore()
  const endpoints = (): readonly string[] => place.connection().endpoints.map(({ url }) => url)

  async function copyOrTell(text: string | undefined): Promise<void> {
    if (text !== undefined) await copy(text)
    else toasts.show({ icon: 'warn', tone: 'danger', text: t('acts.zeroByte') })
  }

  const copyGet = (row: NamedKey): Promise<void> =>
    withPair(row, ({ key, value }) => {
      const revision = place.revision() === 0 ? row.modRevision : place.revision()
      const subject = { key, value, revision, endpoints: endpoints() }
      void copyOrTell(keyCommand('get', subject))
    })

  function copyPlain(row: NamedKey, verb: 'del' | 'watch'): void {
    const subject = { key: row.key, revision: 0, endpoints: endpoints() }
    void copyOrTell(keyCommand(verb, subject))
  }

  function copyValue({ value }: KeyValue): void {
    const text = findText(value)
    void copy(text ?? base64Text(value))
    if (text === undefined) toasts.show({ icon: 'info', tone: 'info', text: t('acts.binaryValue') })
  }

  return {
    copyGet,
    itemsFor: (row) => {
      const item = (id: string, run: () => void, more?: Partial<MenuItem>): MenuItem => ({
        ...{ id, run, icon: 'copy', label: t(`acts.${id}`) },
        ...more,
      })
      return [
        item('copyKey', () => void copy(keyText(row.key)), {
          ...{ isGroupStart: true, shortcut: shortcutText('Mod+C') },
        }),
        item('copyValue', () => void withPair(row, copyValue)),
        item('copyJson', () => {
          void withPair(row, (pair) => void copy(JSON.stringify(recordOf(pair), null, 2)))
        }),
        item('copyGet', () => void copyGet(row), {
          ...{ icon: 'terminal', shortcut: shortcutText('Mod+Shift+C') },
        }),
        item(
          'copyPut',
          () => void withPair(row, (pair) => void copy(keyPutCommand(pair, endpoints()))),
          { icon: 'terminal' },
        ),
        item(
          'copyDelete',
          () => {
            copyPlain(row, 'del')
          },
          { icon: 'terminal' },
        ),
        item(
          'copyWatch',
          () => {
            copyPlain(row, 'watch')
          },
          { icon: 'terminal' },
        ),
      ]
    },
  }
}

/** Takes back the last write of the tab, and says what became of it. */
function useUndo(place: RowActsPlace): () => Promise<void> {
  const { t } = useI18n()
  const toasts = useToastStore()
  const undoes = useUndoStore()
  return async () => {
    try {
      const outcome = await undoes.undoLast(place.tabId())
      if (outcome === 'plan') return
      const texts = { nothing: 'undoNothing', done: 'undone', changed: 'undoChanged' }
      toasts.show({
        icon: outcome === 'done' ? 'check' : 'info',
        tone: outcome === 'done' ? 'ok' : 'info',
        text: t(`acts.${texts[outcome]}`),
      })
    } catch (failure) {
      const text = `${t('acts.undoFailed')} ${failureLine(failure)}`
      toasts.show({ icon: 'warn', tone: 'danger', text })
    }
  }
}
