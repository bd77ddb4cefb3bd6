import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, test } from 'vitest'
import { gridOf } from '../../../../src/renderer/screens/keys/key-columns.ts'
import { useColumnLayoutStore } from '../../../../src/renderer/stores/column-layouts.ts'

beforeEach(() => {
  setActivePinia(createPinia())
})

describe('useColumnLayoutStore', () => {
  test('a column moves before another one, or behind all, of its own connection only', () => {
    const store = useColumnLayoutStore()
    const usual = store.layoutOf('other').order
    store.move('one', 'mod', 'size')
    expect(store.layoutOf('one').order[0]).toBe('mod')
    store.move('one', 'size', undefined)
    expect(store.layoutOf('one').order.at(-1)).toBe('size')
    expect(store.layoutOf('one').order).toHaveLength(usual.length)
    expect(store.layoutOf('other').order).toEqual(usual)
  })

  test('a width stays within its bounds, and without one the column has its usual share', () => {
    const store = useColumnLayoutStore()
    store.resize('one', 'size', 3)
    store.resize('one', 'key', 500.4)
    expect(store.layoutOf('one').widths).toEqual({ size: 48, key: 500 })
    store.resize('one', 'size', undefined)
    expect(store.layoutOf('one').widths).toEqual({ key: 500 })
    store.reset('one')
    expect(store.layoutOf('one').widths).toEqual({})
  })

  test('what was kept is taken without columns that are unknown, and with those that are new', () => {
    const store = useColumnLayoutStore()
    store.restore('one', { order: ['preview', 'gone', 'size'], widths: { gone: 80, preview: 300 } })
    expect(store.layoutOf('one').order.slice(0, 2)).toEqual(['preview', 'size'])
    expect(new Set(store.layoutOf('one').order)).toEqual(new Set(store.layoutOf('other').order))
    expect(store.layoutOf('one').widths).toEqual({ preview: 300 })
  })
})

describe('gridOf', () => {
  test('a chosen width gives way where there is less room', () => {
    expect(gridOf(['size', 'preview'], { preview: 300 })).toBe(
      'minmax(160px, 2fr) 76px minmax(48px, 300px)',
    )
  })
})
