/** The tabs of the window. A tab is a connection, a view and a subject; the router follows the active one. */

import { defineStore } from 'pinia'
import { computed, ref, shallowRef, watch, type Ref } from 'vue'
import { useRouter } from 'vue-router'
import type { ViewName } from '../router.ts'
import { useConnectionStore } from './connections.ts'
import { findVisit, withVisit, type Visit, type Visits } from './tab-visits.ts'

/** One tab. */
export interface Tab {
  readonly id: string
  readonly view: ViewName
  /** Absent for views that belong to no cluster. */
  readonly connectionId?: string
  /** Text after the icon; the view's own name when empty. */
  subject: string
  /** Italic; the next preview takes its place. */
  isPreview: boolean
  /** The revision that the view reads as of; 0: the head. */
  revision: number
  /** Holds text that was not saved. */
  isDirty: boolean
}

/** A tab that was closed, with its place in the strip. */
export interface ClosedTab extends Tab {
  readonly place: number
}

/** All tabs with what was closed and visited, for the next start. */
export interface TabsState {
  readonly tabs: readonly Tab[]
  readonly activeId: string | undefined
  readonly closed: readonly ClosedTab[]
  readonly visits: Visits
}

/** Views that stand once per connection: their tab is shown again instead of opened twice. */
const singleViews: ReadonlySet<ViewName> = new Set([
  'welcome',
  'connections',
  'settings',
  'members',
  'nodes',
  'watch',
])
/** Tabs that can be opened again. */
export const closedMax = 20

/** What a tab is opened for. */
interface TabOptions {
  readonly connectionId?: string
  readonly subject?: string
  /** 0 or absent: the head. */
  readonly revision?: number
  /** A tab of its own, whatever is open. */
  readonly isNew?: boolean
  /** Takes the place of the last preview, and gives way to the next. */
  readonly isPreview?: boolean
}

export const useTabStore = defineStore('tabs', () => {
  // Asked for, not imported: the router knows the screens, and the screens know this store.
  const router = useRouter()
  const tabs = ref<Tab[]>([])
  const activeId = ref<string>()
  const active = computed(() => tabs.value.find((tab) => tab.id === activeId.value))
  const visits = useVisits({ tabs, active, activate })
  followConnection(active)
  const { cycle, move } = useOrder({ tabs, activeId, show })
  const { closingId, closed, requestClose, close, reopen } = useClosing({
    ...{ tabs, activeId, show },
    openFirst: () => open('connections'),
  })
  let lastId = 0

  function activate(tab: Tab): void {
    activeId.value = tab.id
    void router.push({ name: tab.view, params: { tabId: tab.id } })
  }

  function show(id: string): void {
    const tab = tabs.value.find((one) => one.id === id)
    if (tab === undefined) return
    activate(tab)
    visits.note(tab)
  }

  /** Opens a view in a tab of its own, or shows the tab that already holds it. */
  function open(view: ViewName, options: TabOptions = {}): Tab {
    const same = tabs.value.find((tab) => options.isNew !== true && isSame(tab, view, options))
    if (same !== undefined) {
      if (options.isPreview !== true) same.isPreview = false
      show(same.id)
      return same
    }
    lastId++
    const tab = tabFor(`tab-${String(lastId)}`, view, options)
    const replaced = tab.isPreview
      ? tabs.value.findIndex((one) => one.isPreview && !one.isDirty)
      : -1
    tabs.value = replaced < 0 ? [...tabs.value, tab] : tabs.value.with(replaced, tab)
    show(tab.id)
    return tab
  }

  /** Says what a tab shows now. Text being written makes a preview permanent. */
  function describe(
    id: string,
    change: Partial<Pick<Tab, 'subject' | 'isDirty' | 'isPreview' | 'revision'>>,
  ): void {
    const tab = tabs.value.find((one) => one.id === id)
    if (tab === undefined) return
    Object.assign(tab, change, change.isDirty === true ? { isPreview: false } : {})
    if (id === activeId.value) visits.note(tab)
  }

  /** All that is kept for the next start. */
  function state(): TabsState {
    const kept = tabs.value.map((tab) => ({ ...tab, isDirty: false }))
    const history = { closed: closed.value, visits: visits.visits.value }
    return { tabs: kept, activeId: activeId.value, ...history }
  }

  /** Goes on with what was kept; to be called before any tab is open. */
  function restore(kept: TabsState): void {
    const isKnown = ({ view }: Pick<Tab, 'view'>): boolean => router.hasRoute(view)
    tabs.value = kept.tabs.filter(isKnown)
    closed.value = kept.closed.filter(isKnown)
    visits.visits.value = kept.visits
    lastId = newestNumber([...kept.tabs, ...kept.closed])
    const shown = tabs.value.find((tab) => tab.id === kept.activeId) ?? tabs.value.at(-1)
    if (shown !== undefined) activate(shown)
  }

  return {
    ...{ tabs, activeId, active, closingId, closed, revisit: visits.revisit },
    ...{ canGoBack: visits.canGoBack, canGoForward: visits.canGoForward, go: visits.go },
    ...{ show, open, close, requestClose, reopen, cycle, move, describe, state, restore },
  }
})

function tabFor(id: string, view: ViewName, options: TabOptions): Tab {
  const { connectionId, subject = '', revision = 0, isPreview = false } = options
  const owner = connectionId === undefined ? {} : { connectionId }
  return { ...{ id, view, ...owner, subject, revision, isPreview }, isDirty: false }
}

/** The highest number that the ids of some tabs hold. */
function newestNumber(tabs: readonly Tab[]): number {
  const numbers = tabs.map((tab) => Number(tab.id.replace(/^tab-/u, '')))
  return Math.max(0, ...numbers.filter((number) => Number.isSafeInteger(number)))
}

/** The places of the tabs in the strip. */
function useOrder(strip: {
  readonly tabs: Ref<Tab[]>
  readonly activeId: Ref<string | undefined>
  readonly show: (id: string) => void
}) {
  const { tabs, activeId, show } = strip

  /** Goes on by `step` tabs, round the ends. */
  function cycle(step: number): void {
    const index = tabs.value.findIndex((tab) => tab.id === activeId.value)
    const next = tabs.value[(index + step + tabs.value.length) % tabs.value.length]
    if (next !== undefined) show(next.id)
  }

  /** Puts a tab at another place of the strip; places beyond the ends are the ends. */
  function move(id: string, place: number): void {
    const tab = tabs.value.find((one) => one.id === id)
    if (tab === undefined) return
    const others = tabs.value.filter((one) => one.id !== id)
    const at = Math.min(others.length, Math.max(0, place))
    tabs.value = [...others.slice(0, at), tab, ...others.slice(at)]
  }

  return { cycle, move }
}

/** Tabs that go, and those that come back. */
function useClosing(strip: {
  readonly tabs: Ref<Tab[]>
  readonly activeId: Ref<string | undefined>
  readonly show: (id: string) => void
  /** A window is never without a tab. */
  readonly openFirst: () => void
}) {
  const { tabs, activeId, show } = strip
  /** A tab with unsaved text that the user wants to close. */
  const closingId = ref<string>()
  const closed = ref<ClosedTab[]>([])

  /** Closes a tab; one that holds unsaved text is asked about first. */
  function requestClose(id: string): void {
    if (tabs.value.find((tab) => tab.id === id)?.isDirty === true) closingId.value = id
    else close(id)
  }

  function close(id: string): void {
    closingId.value = undefined
    const index = tabs.value.findIndex((tab) => tab.id === id)
    const tab = tabs.value[index]
    if (tab === undefined) return
    closed.value = [...closed.value, { ...tab, isDirty: false, place: index }].slice(-closedMax)
    tabs.value = tabs.value.filter((one) => one.id !== id)
    const next = tabs.value[Math.min(index, tabs.value.length - 1)]
    if (activeId.value !== id) return
    if (next === undefined) strip.openFirst()
    else show(next.id)
  }

  /** Brings the tab that was closed last back to its place. */
  function reopen(): void {
    const last = closed.value.at(-1)
    if (last === undefined) return
    const { place, ...tab } = last
    closed.value = closed.value.slice(0, -1)
    tabs.value = tabs.value.toSpliced(place, 0, tab)
    show(tab.id)
  }

  return { closingId, closed, requestClose, close, reopen }
}

/** The window speaks of the cluster of the tab that it shows. */
function followConnection(active: { readonly value: Tab | undefined }): void {
  const connections = useConnectionStore()
  watch(
    () => active.value?.connectionId,
    (connectionId) => {
      if (connectionId !== undefined) connections.activeId = connectionId
    },
    { flush: 'sync' },
  )
}

/** Back and forward through what was visited, as in a browser. */
function useVisits(strip: {
  readonly tabs: { readonly value: readonly Tab[] }
  readonly active: { readonly value: Tab | undefined }
  readonly activate: (tab: Tab) => void
}) {
  const visits = shallowRef<Visits>({ entries: [], position: -1 })
  /** A subject that a tab showed before and shall show again. */
  const revisit = shallowRef<Visit>()
  const find = (step: 1 | -1): number | undefined =>
    findVisit(visits.value, step, (visit) => strip.tabs.value.some((tab) => tab.id === visit.tabId))
  const canGoBack = computed(() => find(-1) !== undefined)
  const canGoForward = computed(() => find(1) !== undefined)

  function note({ id, subject }: Tab): void {
    visits.value = withVisit(visits.value, { tabId: id, subject })
  }

  /** One step back or forward, over tabs that are closed. */
  function go(step: 1 | -1): void {
    const position = find(step)
    const visit = position === undefined ? undefined : visits.value.entries[position]
    const tab = strip.tabs.value.find((one) => one.id === visit?.tabId)
    if (position === undefined || visit === undefined || tab === undefined) return
    visits.value = { ...visits.value, position }
    if (tab.subject !== visit.subject) {
      tab.subject = visit.subject
      revisit.value = visit
    }
    if (strip.active.value?.id !== tab.id) strip.activate(tab)
  }

  return { visits, revisit, canGoBack, canGoForward, note, go }
}

function isSame(tab: Tab, view: ViewName, options: TabOptions): boolean {
  const { connectionId, subject = '', revision = 0 } = options
  if (tab.view !== view || tab.connectionId !== connectionId) return false
  return singleViews.has(view) || (tab.subject === subject && tab.revision === revision)
}
