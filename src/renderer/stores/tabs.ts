/** The tabs of the window. A tab is a connection, a view and a subject; the router follows the active one. */

import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { useRouter } from 'vue-router'
import type { ViewName } from '../router.ts'

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

/** Views that stand once per connection: their tab is shown again instead of opened twice. */
const singleViews: ReadonlySet<ViewName> = new Set([
  'welcome',
  'connections',
  'settings',
  'members',
  'nodes',
  'watch',
])
const closedMax = 20

/** What a tab is opened for. */
interface TabOptions {
  readonly connectionId?: string
  readonly subject?: string
  /** 0 or absent: the head. */
  readonly revision?: number
  /** A tab of its own, whatever is open. */
  readonly isNew?: boolean
}

export const useTabStore = defineStore('tabs', () => {
  // Asked for, not imported: the router knows the screens, and the screens know this store.
  const router = useRouter()
  const tabs = ref<Tab[]>([])
  const activeId = ref<string>()
  /** A tab with unsaved text that the user wants to close. */
  const closingId = ref<string>()
  const closed: Tab[] = []
  const active = computed(() => tabs.value.find((tab) => tab.id === activeId.value))
  let lastId = 0

  function show(id: string): void {
    const tab = tabs.value.find((one) => one.id === id)
    if (tab === undefined) return
    activeId.value = id
    void router.push({ name: tab.view, params: { tabId: id } })
  }

  /** Opens a view in a tab of its own, or shows the tab that already holds it. */
  function open(view: ViewName, options: TabOptions = {}): Tab {
    const same = tabs.value.find((tab) => options.isNew !== true && isSame(tab, view, options))
    if (same !== undefined) {
      show(same.id)
      return same
    }
    lastId++
    const { connectionId, subject = '', revision = 0 } = options
    const owner = connectionId === undefined ? {} : { connectionId }
    const id = `tab-${String(lastId)}`
    const tab: Tab = {
      ...{ id, view, ...owner, subject, revision },
      ...{ isPreview: false, isDirty: false },
    }
    tabs.value = [...tabs.value, tab]
    show(tab.id)
    return tab
  }

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
    closed.push(tab)
    if (closed.length > closedMax) closed.shift()
    tabs.value = tabs.value.filter((one) => one.id !== id)
    const next = tabs.value[Math.min(index, tabs.value.length - 1)]
    if (activeId.value !== id) return
    if (next === undefined) open('connections')
    else show(next.id)
  }

  function reopen(): void {
    const tab = closed.pop()
    if (tab === undefined) return
    tabs.value = [...tabs.value, tab]
    show(tab.id)
  }

  /** Goes on by `step` tabs, round the ends. */
  function cycle(step: number): void {
    const index = tabs.value.findIndex((tab) => tab.id === activeId.value)
    const next = tabs.value[(index + step + tabs.value.length) % tabs.value.length]
    if (next !== undefined) show(next.id)
  }

  /** Says what a tab shows now. */
  function describe(
    id: string,
    change: Partial<Pick<Tab, 'subject' | 'revision' | 'isDirty' | 'isPreview'>>,
  ): void {
    const tab = tabs.value.find((one) => one.id === id)
    if (tab !== undefined) Object.assign(tab, change)
  }

  return {
    ...{ tabs, activeId, active, closingId },
    ...{ show, open, close, requestClose, reopen, cycle, describe },
  }
})

function isSame(tab: Tab, view: ViewName, options: TabOptions): boolean {
  const { connectionId, subject = '', revision = 0 } = options
  if (tab.view !== view || tab.connectionId !== connectionId) return false
  return singleViews.has(view) || (tab.subject === subject && tab.revision === revision)
}
