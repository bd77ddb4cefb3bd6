import { describe, expect, test } from 'vitest'
import { groupShortcuts } from '../../../../src/renderer/screens/shell/shortcut-groups.ts'

const commands = [
  { id: 'keys.find', title: 'Keys: Find…', shortcuts: ['Mod+F'] },
  { id: 'tab.next', title: 'Tabs: next', shortcuts: ['Mod+Tab', 'Mod+PageDown'] },
  { id: 'watch.find', title: 'Watch: Find', shortcuts: ['Mod+F', 'F3'] },
  { id: 'theme.dark', title: 'Theme: Dark', shortcuts: [] },
]
const fixed = [{ name: 'Lists', rows: [{ id: 'open', title: 'Open', shortcuts: ['Enter'] }] }]

const keysOf = (shortcut: string): readonly string[] =>
  shortcut.replace('Mod', 'Ctrl').replace('PageDown', 'Page Down').split('+')

describe('groupShortcuts', () => {
  test('groups by area; a shortcut that an earlier command has is not told twice', () => {
    expect(groupShortcuts({ commands, fixed, wanted: '', keysOf })).toEqual([
      { name: 'Keys', rows: [{ id: 'keys.find', title: 'Find…', shortcuts: ['Mod+F'] }] },
      {
        name: 'Tabs',
        rows: [{ id: 'tab.next', title: 'Next', shortcuts: ['Mod+Tab', 'Mod+PageDown'] }],
      },
      { name: 'Watch', rows: [{ id: 'watch.find', title: 'Find', shortcuts: ['F3'] }] },
      ...fixed,
    ])
  })

  test.each([
    ['enter', ['open']],
    ['ctrl+page', ['tab.next']],
    ['WATCH', ['watch.find']],
    ['find', ['keys.find', 'watch.find']],
    ['nothing of this', []],
  ])('finds %s by area, action or key', (wanted, ids) => {
    const found = groupShortcuts({ commands, fixed, wanted, keysOf })
    expect(found.flatMap(({ rows }) => rows.map(({ id }) => id))).toEqual(ids)
  })
})
