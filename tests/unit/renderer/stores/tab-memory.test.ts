import { describe, expect, test } from 'vitest'
import type { ConnectionInfo } from '../../../../src/preload/contract/connection.ts'
import {
  parseWindowState,
  textOfWindow,
  withConnections,
  type WindowState,
} from '../../../../src/renderer/stores/tab-memory-state.ts'
import {
  findVisit,
  visitsMax,
  withVisit,
  type Visits,
} from '../../../../src/renderer/stores/tab-visits.ts'

const tab = {
  ...{ id: 'tab-1', view: 'keys' as const, connectionId: 'one', subject: '/a/' },
  ...{ isPreview: false, revision: 12, isDirty: false },
}
const state: WindowState = {
  schemaVersion: 1,
  tabs: [{ ...tab, openedKey: '/a/b', topKey: '/a/a' }],
  activeId: 'tab-1',
  closed: [{ ...tab, place: 0 }],
  visits: { entries: [{ tabId: 'tab-1', subject: '/a/' }], position: 0 },
  connections: [{ id: 'one', name: 'one', endpoints: ['http://127.0.0.1:2379'] }],
  playgroundNodes: 3,
  trees: [{ connectionId: 'one', separator: '/', expanded: ['/a/'] }],
  columns: [{ connectionId: 'one', order: ['mod', 'size'], widths: { mod: 90 } }],
  separators: [{ connectionId: 'one', separator: ':' }],
  layout: { isSideOpen: true, isInspectorOpen: false, sideWidth: 300, inspectorWidth: 320 },
}

const connection = (change: Partial<ConnectionInfo>): ConnectionInfo => ({
  ...{ id: 'other', name: 'other', origin: 'launch', environment: 'none', isReadOnly: false },
  ...{ state: 'ready', headRevision: 0 },
  endpoints: [{ url: 'http://127.0.0.1:2379', kind: 'ready', isActive: true }],
  ...change,
})

describe('the kept window', () => {
  test('is the same after it was kept', () => {
    expect(parseWindowState(textOfWindow(state))).toEqual(state)
  })

  test('of a version that did not keep columns or separators has none', () => {
    const older = JSON.stringify({ ...state, columns: undefined, separators: undefined })
    expect(parseWindowState(older)).toMatchObject({ columns: [], separators: [] })
  })

  test('of a version that did not keep the place of closed tabs opens them again at the end', () => {
    const older = JSON.stringify({ ...state, closed: [tab] })
    expect(parseWindowState(older).closed).toEqual([{ ...tab, place: 200 }])
  })

  test.each([
    ['no JSON', 'x'],
    ['another version', JSON.stringify({ ...state, schemaVersion: 2 })],
    ['a tab without its view', JSON.stringify({ ...state, tabs: [{ id: 'tab-1' }] })],
  ])('of %s is refused as a whole', (_name, text) => {
    expect(() => parseWindowState(text)).toThrow()
  })

  test('leaves out what would make it too large, and keeps its tabs', () => {
    const query = { mode: 'txn' as const, txn: 'x'.repeat(300_000), range: '' }
    const text = textOfWindow({ ...state, tabs: [{ ...tab, query }] })
    expect(text.length).toBeLessThan(250_000)
    expect(parseWindowState(text).tabs).toEqual([tab])
  })

  test('finds a connection that was not saved by its endpoints', () => {
    const moved = withConnections(state, [connection({ id: 'new' })])
    const owned = [moved.tabs[0], moved.trees[0], moved.columns[0], moved.separators[0]]
    expect(owned.map((one) => one?.connectionId)).toEqual(['new', 'new', 'new', 'new'])
  })

  test('keeps both sides of a comparison, whatever ids their connections have now', () => {
    const side = { connectionId: 'one', subject: '/a/', revision: 7 }
    const compare = {
      ...{ left: side, right: { ...side, connectionId: 'two', revision: 0 }, hasRun: true },
      options: { by: 'value' as const, ignoresValues: false, ignoresLeases: true },
    }
    const kept = { ...state, tabs: [{ ...tab, view: 'compare' as const, compare }] }
    expect(parseWindowState(textOfWindow(kept))).toEqual(kept)
    const moved = withConnections(kept, [connection({ id: 'new' })]).tabs[0]?.compare
    expect(moved).toEqual({ ...compare, left: { ...side, connectionId: 'new' } })
  })

  test('keeps the tabs of a connection that is not there', () => {
    const other = connection({ endpoints: [] })
    expect(withConnections(state, [other]).tabs[0]?.connectionId).toBe('one')
  })
})

describe('visits', () => {
  const none: Visits = { entries: [], position: -1 }
  const visit = (tabId: string): { tabId: string; subject: string } => ({ tabId, subject: '' })
  const walked = ['a', 'b', 'c'].reduce((visits, id) => withVisit(visits, visit(id)), none)
  const always = (): boolean => true

  test('lead back over tabs that are closed', () => {
    expect(findVisit(walked, -1, always)).toBe(1)
    expect(findVisit(walked, -1, ({ tabId }) => tabId !== 'b')).toBe(0)
    expect(findVisit(walked, 1, always)).toBeUndefined()
  })

  test('forget what was ahead when something else is shown', () => {
    const next = withVisit({ ...walked, position: 0 }, visit('d'))
    expect(next.entries.map(({ tabId }) => tabId)).toEqual(['a', 'd'])
    expect(withVisit(next, visit('d'))).toEqual(next)
  })

  test('are bounded', () => {
    let visits = walked
    for (let at = 0; at < visitsMax * 2; at++) visits = withVisit(visits, visit(String(at)))
    expect([visits.entries.length, visits.position]).toEqual([visitsMax, visitsMax - 1])
  })
})
