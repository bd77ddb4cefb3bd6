/** The form in which a window is kept between two starts. A text of another form is refused as a whole. */

import { z } from 'zod'
import type { ConnectionInfo } from '../../preload/contract/connection.ts'
import type { ViewName } from '../router.ts'
import { closedMax, type ClosedTab, type Tab } from './tabs.ts'
import { visitsMax } from './tab-visits.ts'

/** More tabs than anybody opens; what is beyond is not kept. */
const tabsMax = 200
const expandedMax = 500
const treesMax = 50
const columnsMax = 20
const layoutsMax = 50
/** Below what the main process takes for one state of the page. */
const textUnitsMax = 250_000

/** Views that this version does not know are left out when the tabs are restored. */
const viewSchema = z.custom<ViewName>((name) => typeof name === 'string')

const tabSchema = z.object({
  id: z.string().regex(/^tab-[0-9]{1,9}$/u),
  view: viewSchema,
  connectionId: z.string().max(64).optional(),
  subject: z.string().max(4_096),
  isPreview: z.boolean(),
  revision: z.number().int().min(0),
  isDirty: z.boolean(),
})

const sideSchema = z.object({
  connectionId: z.string().max(64),
  subject: z.string().max(4_096),
  revision: z.number().int().min(0),
})

const openTabSchema = tabSchema.extend({
  /** Text of the key that is open in the tab, and of the first one in sight of its list. */
  openedKey: z.string().optional(),
  topKey: z.string().optional(),
  order: z
    .object({
      by: z.enum(['key', 'createRevision', 'modRevision', 'version']),
      isDescending: z.boolean(),
    })
    .optional(),
  query: z
    .object({ mode: z.enum(['txn', 'range']), txn: z.string(), range: z.string() })
    .optional(),
  compare: z
    .object({
      left: sideSchema,
      right: sideSchema,
      options: z.object({
        by: z.enum(['revision', 'value']),
        ignoresValues: z.boolean(),
        ignoresLeases: z.boolean(),
      }),
      hasRun: z.boolean(),
    })
    .optional(),
})

const closedTabSchema = tabSchema.extend({
  /** Absent in windows of versions that opened a tab again at the end of the strip. */
  place: z.number().int().min(0).default(tabsMax),
})

const windowSchema = z.object({
  schemaVersion: z.literal(1),
  tabs: z.array(openTabSchema).max(tabsMax),
  activeId: z.string().optional(),
  closed: z.array(closedTabSchema).max(closedMax),
  visits: z.object({
    entries: z.array(z.object({ tabId: z.string(), subject: z.string() })).max(visitsMax),
    position: z.number().int().min(-1).max(visitsMax),
  }),
  connections: z.array(
    z.object({ id: z.string(), name: z.string(), endpoints: z.array(z.string()) }),
  ),
  playgroundNodes: z.number().int().min(0).max(7),
  trees: z
    .array(
      z.object({
        connectionId: z.string(),
        separator: z.string(),
        expanded: z.array(z.string()).max(expandedMax),
      }),
    )
    .max(treesMax),
  /** Columns of key lists. */
  columns: z
    .array(
      z.object({
        connectionId: z.string(),
        order: z.array(z.string()).max(columnsMax),
        widths: z.record(z.string(), z.number()),
      }),
    )
    .max(layoutsMax)
    .default([]),
  /** Of connections that have another one than the settings. */
  separators: z
    .array(z.object({ connectionId: z.string(), separator: z.string().max(8) }))
    .max(layoutsMax)
    .default([]),
  layout: z.object({
    isSideOpen: z.boolean(),
    isInspectorOpen: z.boolean(),
    sideWidth: z.number().min(0).max(2_000),
    inspectorWidth: z.number().min(0).max(2_000),
  }),
})

/** A window as it is kept. */
export type WindowState = z.infer<typeof windowSchema>

/** The text that stands for a window. What is too large for it (drafts of queries first) is left out. */
export function textOfWindow(state: WindowState): string {
  const bounded = {
    ...state,
    tabs: state.tabs.slice(0, tabsMax),
    columns: state.columns.slice(-layoutsMax),
    separators: state.separators.slice(-layoutsMax),
    trees: state.trees
      .slice(0, treesMax)
      .map((tree) => ({ ...tree, expanded: tree.expanded.slice(0, expandedMax) })),
  }
  const text = JSON.stringify(bounded)
  if (text.length <= textUnitsMax) return text
  const tabs = bounded.tabs.map((tab) => ({ ...tab, query: undefined }))
  return JSON.stringify({ ...bounded, tabs, trees: [], closed: [] })
}

/**
 * The window that a text stands for.
 *
 * @throws SyntaxError  when it is no JSON
 * @throws ZodError  when it has another form
 */
export function parseWindowState(text: string): WindowState {
  return windowSchema.parse(JSON.parse(text))
}

/** A kept tab as the window holds it. */
export function tabOf(kept: Omit<WindowState['closed'][number], 'place'>): Tab {
  const { id, view, connectionId, subject, isPreview, revision } = kept
  const owner = connectionId === undefined ? {} : { connectionId }
  return { ...{ id, view, ...owner, subject, isPreview, revision }, isDirty: false }
}

/** A kept closed tab as the window holds it. */
export function closedTabOf(kept: WindowState['closed'][number]): ClosedTab {
  return { ...tabOf(kept), place: kept.place }
}

/** What is needed to recognise connections that were not saved: they get another id at every start. */
export function connectionsBefore(
  connections: readonly ConnectionInfo[],
): WindowState['connections'] {
  return connections.map(({ id, name, endpoints }) => ({
    ...{ id, name },
    endpoints: endpoints.map((endpoint) => endpoint.url),
  }))
}

/** The same window with the ids that its connections have now; unknown ones keep theirs. */
export function withConnections(state: WindowState, now: readonly ConnectionInfo[]): WindowState {
  const ids = new Map<string, string>()
  for (const before of state.connections) {
    if (now.some((one) => one.id === before.id)) continue
    const same = now.find(
      (one) =>
        one.origin === 'launch' &&
        one.endpoints.map((endpoint) => endpoint.url).join() === before.endpoints.join(),
    )
    if (same !== undefined) ids.set(before.id, same.id)
  }
  const renamed = <Item extends { connectionId?: string | undefined }>(item: Item): Item => {
    const id = ids.get(item.connectionId ?? '')
    return id === undefined ? item : { ...item, connectionId: id }
  }
  return {
    ...state,
    tabs: state.tabs.map((tab) => {
      const { compare } = tab
      if (compare === undefined) return renamed(tab)
      const [left, right] = [renamed(compare.left), renamed(compare.right)]
      return { ...renamed(tab), compare: { ...compare, left, right } }
    }),
    closed: state.closed.map(renamed),
    trees: state.trees.map(renamed),
    columns: state.columns.map(renamed),
    separators: state.separators.map(renamed),
  }
}
