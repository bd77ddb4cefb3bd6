import { onScopeDispose } from 'vue'
import type { ConnectionInfo } from '../../../preload/contract/connection.ts'
import type { KeyRow } from '../../../preload/contract/key-columns.ts'
import type { KeyValue } from '../../../preload/contract/kv.ts'
import { keyRevisionColumnsOf } from '../../../preload/contract/plan-columns.ts'
import { keyText } from '../../format/bytes-text.ts'
import { useCommandStore } from '../../stores/commands.ts'
import { useCompareStore } from '../../stores/compare.ts'
import type { KeyBrowser } from '../../stores/key-browser.ts'
import { useKeyDialogStore } from '../../stores/key-dialogs.ts'
import { subjectOf } from '../../stores/key-subject.ts'
import { usePlanStore } from '../../stores/plans.ts'
import { useTabStore } from '../../stores/tabs.ts'
import { plainDefinition } from '../../stores/watch-definition.ts'
import { useWatchStore } from '../../stores/watches.ts'
import type { FolderAct } from './use-folder-menu.ts'
import { useRowActs, type RowActs } from './use-row-acts.ts'

/** What the acts of a key screen need to know. */
export interface KeyScreenParts {
  readonly tabId: () => string
  readonly connection: () => ConnectionInfo | undefined
  readonly browser: () => KeyBrowser | undefined
  /** The opened key at the revision that is read. */
  readonly opened: () => Pick<KeyValue, 'key' | 'modRevision'> | undefined
}

export interface KeyScreenActs {
  readonly askNew: () => void
  /** Plans that some keys are deleted, each only as it was seen. */
  readonly remove: (rows: readonly Pick<KeyRow, 'key' | 'modRevision'>[]) => void
  /** Plans that some keys become as they were at the revision that is read. */
  readonly restore: (rows: readonly Pick<KeyRow, 'key'>[]) => void
  /** Begins something with everything under a prefix: a plan or a dialog. */
  readonly actUnder: (act: FolderAct, prefix: Uint8Array) => void
}

/** Acts of a key screen on many keys, and the commands for the opened one. */
export function useKeyScreenActs(parts: KeyScreenParts): KeyScreenActs {
  const plans = usePlanStore()
  const dialogs = useKeyDialogStore()
  const withConnection = (act: (connectionId: string) => void): void => {
    const connection = parts.connection()
    if (connection !== undefined) act(connection.id)
  }
  const revision = (): number => parts.browser()?.atRevision.value ?? 0

  const askNew = (): void => {
    withConnection((id) => {
      dialogs.ask(id, { kind: 'new', prefix: parts.browser()?.prefix ?? new Uint8Array(0) })
    })
  }
  const exportRange = (): void => {
    const browser = parts.browser()
    if (browser === undefined) return
    const subject = { kind: 'range', range: browser.range, revision: revision() } as const
    dialogs.ask(browser.connectionId, { kind: 'export', subject })
  }
  const acts: KeyScreenActs = {
    askNew,
    remove: (rows) => {
      const [first] = rows
      const browser = parts.browser()
      if (first === undefined || browser === undefined) return
      const keys = rows.map(({ key, modRevision }) => ({ key, revision: modRevision }))
      plans.begin({
        connectionId: browser.connectionId,
        subject: rows.length === 1 ? keyText(first.key) : subjectOf(browser.range),
        source: { kind: 'deleteKeys', keys: keyRevisionColumnsOf(keys) },
      })
    },
    restore: (rows) => {
      const [first] = rows
      const browser = parts.browser()
      if (first === undefined || browser === undefined || revision() === 0) return
      const { connectionId, range } = browser
      const keys = keyRevisionColumnsOf(rows.map(({ key }) => ({ key, revision: 0 })))
      plans.begin({
        connectionId,
        subject: rows.length === 1 ? keyText(first.key) : subjectOf(range),
        source: { kind: 'restore', range, keys, revision: revision() },
      })
    },
    actUnder: useActsUnder(parts),
  }
  useScreenCommands(parts, { ...acts, exportRange })
  return acts
}

/** What can be begun with everything under a prefix. */
function useActsUnder(parts: KeyScreenParts): KeyScreenActs['actUnder'] {
  const plans = usePlanStore()
  const dialogs = useKeyDialogStore()
  const tabs = useTabStore()
  const watches = useWatchStore()
  const comparisons = useCompareStore()
  return (act, prefix) => {
    const connectionId = parts.connection()?.id
    if (connectionId === undefined) return
    const revision = parts.browser()?.atRevision.value ?? 0
    const range = { kind: 'prefix', prefix } as const
    const subject = subjectOf(range)
    const name = keyText(prefix)
    const acts: Readonly<Record<FolderAct, () => void>> = {
      new: () => {
        dialogs.ask(connectionId, { kind: 'new', prefix })
      },
      remove: () => {
        plans.begin({ connectionId, subject: name, source: { kind: 'deleteRange', range } })
      },
      restore: () => {
        plans.begin({ connectionId, subject: name, source: { kind: 'restore', range, revision } })
      },
      rename: () => {
        dialogs.ask(connectionId, { kind: 'renameFolder', prefix })
      },
      import: () => {
        dialogs.ask(connectionId, { kind: 'import', prefix })
      },
      export: () => {
        dialogs.ask(connectionId, { kind: 'export', subject: { kind: 'range', range, revision } })
      },
      watch: () => {
        const pane = watches.paneOf(connectionId)
        const definition = { ...plainDefinition, keyText: name }
        pane.add({ ...definition, colour: pane.nextColour }, watches.headRevisionOf(connectionId))
        tabs.open('watch', { connectionId })
      },
      compare: () => {
        const right = { connectionId, subject, revision: 0 }
        comparisons.open({ left: { ...right, revision }, right, isImmediate: revision !== 0 })
      },
      bin: () => {
        tabs.open('bin', { connectionId, subject })
      },
    }
    acts[act]()
  }
}

function useScreenCommands(
  parts: KeyScreenParts,
  acts: KeyScreenActs & { readonly exportRange: () => void },
): void {
  const commands = useCommandStore()
  const rowActs = useOpenedActs(parts, acts)
  const findObstacle = (): string | undefined => {
    if ((parts.browser()?.atRevision.value ?? 0) !== 0) return 'pastRevision'
    return parts.connection()?.isReadOnly === true ? 'readOnly' : undefined
  }
  const findKeyObstacle = (): string | undefined =>
    parts.opened() === undefined ? 'noKey' : undefined
  const withOpened = (act: (key: Pick<KeyValue, 'key' | 'modRevision'>) => unknown) => (): void => {
    const opened = parts.opened()
    if (opened !== undefined) act(opened)
  }
  onScopeDispose(
    commands.register([
      { id: 'keys.new', icon: 'plus', shortcuts: ['Mod+N'], run: acts.askNew, findObstacle },
      {
        ...{ id: 'key.duplicate', icon: 'copy', shortcuts: ['Mod+D'] },
        run: withOpened(rowActs.duplicate),
        findObstacle: () => findObstacle() ?? findKeyObstacle(),
      },
      {
        ...{ id: 'key.rename', icon: 'edit', shortcuts: ['F2'] },
        run: withOpened(rowActs.rename),
        findObstacle: () => findObstacle() ?? findKeyObstacle(),
      },
      {
        ...{ id: 'key.copyCommand', icon: 'terminal', shortcuts: ['Mod+Shift+C'] },
        run: withOpened(rowActs.copyCommand),
        findObstacle: findKeyObstacle,
      },
      // In a field the same keys take back what was typed.
      {
        id: 'keys.undo',
        icon: 'undo',
        shortcuts: ['Mod+Z'],
        yieldsToFields: true,
        run: () => void rowActs.undo(),
        findObstacle,
      },
      { id: 'keys.export', icon: 'download', shortcuts: [], run: acts.exportRange },
      {
        ...{ id: 'keys.import', icon: 'upload', shortcuts: [], findObstacle },
        run: () => {
          acts.actUnder('import', parts.browser()?.prefix ?? new Uint8Array(0))
        },
      },
    ]),
  )
}

/** The acts on the opened key, for its commands. */
function useOpenedActs(parts: KeyScreenParts, acts: KeyScreenActs): RowActs {
  return useRowActs({
    connection: () => {
      const connection = parts.connection()
      if (connection === undefined) throw new Error('a command ran without its connection')
      return connection
    },
    tabId: parts.tabId,
    revision: () => parts.browser()?.atRevision.value ?? 0,
    separator: () => '/',
    open: () => undefined,
    remove: acts.remove,
    restore: acts.restore,
    copyRows: () => undefined,
  })
}
